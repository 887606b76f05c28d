"""What `check` looks at: the datasets' columns, types and keys, the login's rights, the clock, the branches."""

from collections.abc import Callable, Iterator
from datetime import UTC, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from connectors.ident.datasets import BRANCHES, DATASETS, Dataset, Type
from connectors.ident.dialects import Dialect
from connectors.ident.faults import MissingObjectError
from connectors.ident.options import IdentOptions
from connectors.ident.statements import View, columns_of, doubled, keyless, sample
from connectors.ident.values import flag, key_of, local, money, reference, text
from connectors.ident.views import strangers, view_of
from kreslo.connectors.errors import ErrorKind, KresloError, OutageError, PermissionDeniedError
from kreslo.connectors.model import Problem
from kreslo.connectors.seams import Clock

_CLOCKS_APART = timedelta(minutes=5)
_ANY_ZONE = ZoneInfo("UTC")

_READ: dict[Type, Callable[[Any], object]] = {
    Type.KEY: key_of,
    Type.TEXT: text,
    Type.TIME: lambda value: local(value, _ANY_ZONE),
    Type.MONEY: money,
    Type.FLAG: flag,
}


def inspect(connection: Connection, options: IdentOptions, dialect: Dialect, clock: Clock) -> list[Problem]:
    """Everything that is wrong, in one go. Raises OutageError where the database goes away meanwhile."""
    problems = [*_login(connection, options, dialect), *_clock(connection, options, dialect, clock)]
    for dataset in DATASETS.values():
        try:
            view = view_of(connection, dataset, options, dialect.label)
        except OutageError:
            raise
        except (MissingObjectError, PermissionDeniedError) as error:
            problems += _absent(dataset, options, error)
        except KresloError as error:
            problems.append(Problem(error.message, error.kind))
        else:
            problems += _columns(connection, view, dialect)
            problems += _keys(connection, view)
            if dataset is BRANCHES:
                problems += _branches(connection, view, options)
    return problems


def _login(connection: Connection, options: IdentOptions, dialect: Dialect) -> Iterator[Problem]:
    if dialect.writable(connection):
        yield Problem(
            f"{dialect.label}: this login may change the clinic's data; Kreslo needs one that may only read "
            "(role db_datareader). To run with it all the same, set allow_writable_login: true",
            ErrorKind.PERMISSION,
            fatal=not options.allow_writable_login,
        )


def _clock(
    connection: Connection, options: IdentOptions, dialect: Dialect, clock: Clock
) -> Iterator[Problem]:
    theirs = dialect.now(connection).replace(tzinfo=ZoneInfo(options.timezone)).astimezone(UTC)
    apart = abs(theirs - clock.now())
    if apart > _CLOCKS_APART:
        yield Problem(
            f"{dialect.label}: its clock is {round(apart.total_seconds() / 60)} minutes away from ours if it stands "
            f"in {options.timezone}; check `timezone` and both clocks",
            fatal=False,
        )


def _absent(dataset: Dataset, options: IdentOptions, error: KresloError) -> Iterator[Problem]:
    own = dataset.name in options.queries
    if dataset.required or own:
        yield Problem(error.message, error.kind)
    else:
        yield Problem(
            f"{error.message}. Until then Kreslo goes on without {dataset.name}", error.kind, fatal=False
        )


def _columns(connection: Connection, view: View, dialect: Dialect) -> Iterator[Problem]:
    where = f"{view.dataset.name} ({view.query.origin})"
    given = list(connection.execute(columns_of(view.query)).keys())
    for name, meant in strangers(given, view.dataset).items():
        hint = f'; did you mean "{meant}"?' if meant else ""
        yield Problem(f'{where}: column "{name}" is not known and not read{hint}', fatal=False)
    rows = connection.execute(sample(view)).mappings().all()
    for column in view.dataset.columns:
        if column.name not in view:
            continue
        for row in rows:
            value = row[column.name]
            if value is None:
                continue
            try:
                if column.type is Type.TIME and isinstance(value, str) and not dialect.text_instants:
                    raise ValueError("it is a text, which cannot be compared")  # noqa: TRY301  one report for all
                _READ[column.type](value)
            except ValueError as error:
                yield Problem(f"{where}: {column.name} must be {column.type}: {error}")
                break


def _keys(connection: Connection, view: View) -> Iterator[Problem]:
    where, key = f"{view.dataset.name} ({view.query.origin})", view.dataset.key
    if connection.execute(keyless(view)).first() is not None:
        yield Problem(f"{where}: {key} is empty in some row; every row needs its key")
    row = connection.execute(doubled(view)).first()
    if row is not None and row[0] is not None:
        yield Problem(
            f"{where}: {key} {reference(row[0])} stands in more than one row; a join doubles rows. "
            "The query must return one row a key"
        )


def _branches(connection: Connection, view: View, options: IdentOptions) -> Iterator[Problem]:
    there = {
        reference(row["branch_id"]): text(row.get("name"))
        for row in connection.execute(view.rows()).mappings()
    }
    if unknown := sorted(set(options.branches) - set(there)):
        listed = ", ".join(f"{id_} {name}" for id_, name in sorted(there.items())) or "none"
        yield Problem(f"branches: iDent has no branch {', '.join(unknown)}; there are: {listed}", fatal=False)
