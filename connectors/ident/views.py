"""What this database really has: each dataset's query tried once, its columns compared with the view contract."""

import difflib
import hashlib

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from connectors.ident.datasets import DATASETS, Dataset
from connectors.ident.faults import MissingObjectError, fault
from connectors.ident.options import IdentOptions
from connectors.ident.proof import Query, load
from connectors.ident.statements import View, columns_of
from kreslo.connectors.errors import ConfigurationError, KresloError, PermissionDeniedError

log = structlog.get_logger(__name__)

# What else a dataset's records are made of: when one of these changes, the dataset is read whole again.
_MADE_OF = {
    "patients": ("patients", "info_sources"),
    "appointments": ("appointments", "orders", "order_lines", "cancel_reasons", "appointment_sources"),
    "orders": ("orders",),
    "enquiries": ("enquiries",),
    "recalls": ("recalls",),
}


class Views:
    """The datasets that are there. `absent`: optional ones that are not, with the reason."""

    def __init__(self, found: dict[str, View], absent: dict[str, KresloError]) -> None:
        self._found = found
        self.absent = absent

    def get(self, dataset: Dataset) -> View | None:
        return self._found.get(dataset.name)

    def __getitem__(self, dataset: Dataset) -> View:
        return self._found[dataset.name]

    def shape(self, dataset: str) -> str:
        """Changes when any query does that the dataset's records are made of."""
        parts = (
            f"{name}={view.query.shape}"
            for name in _MADE_OF[dataset]
            if (view := self._found.get(name)) is not None
        )
        return hashlib.sha256(";".join(parts).encode()).hexdigest()[:12]


def open_views(connection: Connection, options: IdentOptions, label: str) -> Views:
    """Try all datasets. An optional one is left out if the query is ours and its tables cannot be read: a clinic's
    login may not see them. Raises ConfigurationError, PermissionDeniedError, OutageError for anything else.
    """
    found: dict[str, View] = {}
    absent: dict[str, KresloError] = {}
    for dataset in DATASETS.values():
        try:
            found[dataset.name] = view_of(connection, dataset, options, label)
        except (MissingObjectError, PermissionDeniedError) as error:
            if dataset.required or dataset.name in options.queries:
                raise
            absent[dataset.name] = error
            log.info("ident.dataset_absent", dataset=dataset.name, reason=error.message)
    return Views(found, absent)


def view_of(connection: Connection, dataset: Dataset, options: IdentOptions, label: str) -> View:
    """One dataset, tried. Raises ConfigurationError naming the columns that are missing or stand there twice."""
    query = load(dataset, options.queries.get(dataset.name))
    try:
        result = connection.execute(columns_of(query))
        names = list(result.keys())
        result.close()
    except SQLAlchemyError as error:
        found = fault(error, f"{label}: {dataset.name} ({query.origin})")
        raise found from None
    return View(query, _matched(query, names))


def strangers(view_names: list[str], dataset: Dataset) -> dict[str, str]:
    """Columns of a query that the contract does not know, each with the one that may have been meant ("" if none)."""
    known = [column.name for column in dataset.columns]
    unknown = [name for name in view_names if name.lower() not in known]
    return {name: next(iter(difflib.get_close_matches(name.lower(), known, 1, 0.75)), "") for name in unknown}


def _matched(query: Query, names: list[str]) -> dict[str, str]:
    where = f"{query.dataset.name} ({query.origin})"
    given = [name.lower() for name in names]
    if doubled := sorted({name for name in given if given.count(name) > 1}):
        raise ConfigurationError(
            f"{where}: column {', '.join(doubled)} stands there more than once; keep one"
        )
    missing = [
        column.name for column in query.dataset.columns if column.required and column.name not in given
    ]
    if missing:
        raise ConfigurationError(
            f"{where}: the query does not return {', '.join(missing)}; it returns {', '.join(names)}"
        )
    spelled = dict(zip(given, names, strict=True))
    return {column.name: spelled[column.name] for column in query.dataset.columns if column.name in spelled}
