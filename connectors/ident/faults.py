"""What a database's error means to a clinic, and what to do about it.

Numbers are SQL Server's (Microsoft Learn, "Database Engine events and errors"), states are ODBC's.
"""

import re
import sqlite3

from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from kreslo.connectors.errors import ConfigurationError, KresloError, OutageError, PermissionDeniedError


class MissingObjectError(ConfigurationError):
    """A table or a column that a query names is not in the database. Give a query of your own for the dataset."""


_NUMBER = re.compile(r"\((\d+)\) \(SQL\w+\)")
_VALUE = re.compile(r"value '[^']*'")  # of a failed conversion: a cell of somebody's row
_OBJECT = re.compile(
    r"(?:object name|column name|on the object|no such table:|no such column:) ?'?([\w.\[\]]+)'?"
)


def fault(error: SQLAlchemyError | sqlite3.Error, label: str) -> KresloError:
    """The error to raise instead. `detail` keeps the driver's words, less the values of cells."""
    if isinstance(error, NoSuchModuleError):
        return ConfigurationError(f"{label}: no driver for this kind of database", detail=str(error))
    if isinstance(error, PoolTimeoutError):
        return OutageError(f"{label}: another query of ours is still running", detail=str(error))
    original = error.orig if isinstance(error, DBAPIError) else error
    words = _VALUE.sub("value '…'", str(original)) if original is not None else type(error).__name__
    if isinstance(original, sqlite3.Error):
        return _of_sqlite(words, label)
    return _of_server(words, label, getattr(original, "args", ()))


def _of_sqlite(words: str, label: str) -> KresloError:
    said = words.lower()
    if "unable to open" in said:
        return ConfigurationError(
            f"{label}: no such database file, or no right to read it; check `database`", detail=words
        )
    if "not a database" in said or "malformed" in said:
        return ConfigurationError(f"{label}: this file is not a SQLite database", detail=words)
    if "no such table" in said or "no such column" in said:
        return _missing(words, label)
    if "locked" in said or "busy" in said or "disk i/o" in said or "interrupted" in said:
        return OutageError(f"{label}: the file is busy; Kreslo tries again", detail=words)
    return ConfigurationError(f"{label}: the query cannot be run: {words}", detail=words)


def _of_server(words: str, label: str, args: tuple[object, ...]) -> KresloError:
    state = str(args[0]) if args else ""
    numbers = {int(number) for number in _NUMBER.findall(words)}
    if state == "IM002" or "can't open lib" in words.lower():
        return ConfigurationError(
            f"{label}: the ODBC driver or data source is not installed here; install Microsoft's ODBC Driver 18 "
            "or name an installed one by DRIVER={…}",
            detail=words,
        )
    if "ssl provider" in words.lower():
        return _unsafe(words, label)
    if numbers & {18456, 18452} or state == "28000":
        return PermissionDeniedError(
            f"{label}: the server refused the login; check UID and PWD, and that SQL logins are allowed there",
            detail=words,
        )
    if numbers & {4060, 916}:
        return PermissionDeniedError(
            f"{label}: the login may not open this database, or it is not there; check DATABASE (iDent's is PZ)",
            detail=words,
        )
    if numbers & {229, 230, 262}:
        return PermissionDeniedError(
            f"{label}: the login may not read {_named(words)}; ask for the right to SELECT from it",
            detail=words,
        )
    if numbers & {208, 207} or state in {"42S02", "42S22"}:
        return _missing(words, label)
    connecting = "(SQLDriverConnect)" in words
    if not connecting and (numbers & {1205, 1222, 3960} or state in {"40001", "HYT00", "HYT01"}):
        return OutageError(
            f"{label}: the server is too busy to answer in time; Kreslo tries again", detail=words
        )
    if (
        connecting
        or state[:2] == "08"
        or state == "01000"
        or numbers & {-1, 2, 53, 10053, 10054, 10060, 10061, 11001}
    ):
        return OutageError(
            f"{label}: the server does not answer; check that it runs, that SERVER is right, and for a named "
            "instance that SQL Server Browser (UDP 1434) is reachable",
            detail=words,
        )
    if state[:2] in {"42", "22"}:
        return ConfigurationError(f"{label}: the server refused the query: {words}", detail=words)
    return OutageError(f"{label}: the database failed; Kreslo tries again", detail=words)


def _unsafe(words: str, label: str) -> KresloError:
    """TLS that did not come about. The number is Windows' own for a root that it does not trust, in any language."""
    if "certificate" in words.lower() or "-2146893019" in words:
        return ConfigurationError(
            f"{label}: nobody vouches for the server's certificate (a SQL Server makes its own). If the way to the "
            "server is inside the clinic, accept it by trust_certificate: true; else have it signed",
            detail=words,
        )
    return ConfigurationError(
        f"{label}: no secure connection came about; a SQL Server of 2014 or older may speak no TLS that this driver "
        "accepts: update the server, or name an older driver by DRIVER={…}",
        detail=words,
    )


def _missing(words: str, label: str) -> MissingObjectError:
    return MissingObjectError(
        f"{label}: {_named(words)} is not there; give the dataset a query of your own (option `queries`)",
        detail=words,
    )


def _named(words: str) -> str:
    match = _OBJECT.search(words)
    return match[1] if match else "what the query names"
