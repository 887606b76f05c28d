"""Tells a file's format by its first bytes, never by its name, and opens it."""

import struct
from pathlib import Path

from connectors.helix.columns import Columns
from connectors.helix.formats import dbf, delimited, jsons, sheets, xmls
from connectors.helix.options import ProfileOptions
from connectors.helix.tables import FileError, Shape, Table, UnfinishedError

_HEAD = 4096
_XLS = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ADVICE = (
    "Попросите программиста 1С сохранять CSV (ЗаписьТекста) или XLSX (ТабличныйДокумент.Записать(…, "
    "ТипФайлаТабличногоДокумента.XLSX))"
)
_READERS = {
    "csv": delimited.open_file,
    "xlsx": sheets.open_file,
    "xls": sheets.open_file,
    "xml": xmls.open_file,
    "json": jsons.open_file,
    "dbf": dbf.open_file,
}


def open_table(path: Path, profile: ProfileOptions, columns: Columns) -> Table:
    """The file's rows, read as they are asked for. Raises UnfinishedError for a file that is not whole, FileError for one
    that cannot be read at all.
    """
    found = format_of(path)
    if profile.format not in {"auto", found}:
        raise FileError(
            f"в профиле формат {profile.format}, а файл похож на {found}: исправьте format или выгрузку"
        )
    try:
        return _READERS[found](path, profile, columns, found)
    except (struct.error, EOFError) as error:
        raise UnfinishedError("файл оборван: его структура не дописана") from error


def format_of(path: Path) -> str:
    """Raises FileError for what is refused, UnfinishedError for an empty file."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        raise UnfinishedError("файл пуст")
    if head.startswith(b"PK\x03\x04"):
        return "xlsx"
    if head.startswith(_XLS):
        return "xls"
    if head.startswith(b"MOXCEL"):
        raise FileError(f"это табличный документ 1С (MXL), прочесть его вне 1С нельзя. {_ADVICE}")
    if head.startswith(b"%PDF"):
        raise FileError(f"это PDF. {_ADVICE}")
    if dbf.looks_like(head, path.stat().st_size):
        return "dbf"
    text = _letters(head)
    if (
        text.startswith(("<!doctype html", "<html", "<table", "<head", "<meta", "<body"))
        or "<html" in text[:500]
    ):
        raise FileError(f"это HTML (1С и Excel иногда называют его .xls). {_ADVICE}")
    if text.startswith("<"):
        return "xml"
    if text.startswith(("{", "[")):
        return "json"
    return "csv"


def shape_only(path: Path, profile: ProfileOptions, columns: Columns) -> Shape:
    """What the file is, without its rows. Raises as `open_table`."""
    return open_table(path, profile, columns).shape


def _letters(head: bytes) -> str:
    """The beginning without marks and zero bytes: enough to tell brackets by."""
    plain = (
        head.removeprefix(b"\xef\xbb\xbf")
        .removeprefix(b"\xff\xfe")
        .removeprefix(b"\xfe\xff")
        .replace(b"\0", b"")
    )
    return plain.decode("latin-1").lstrip().lower()
