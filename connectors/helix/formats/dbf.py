"""DBF: dbfread knows the structure, the cells are read here, so that one bad cell is one bad row.

Field names have at most ten characters, so a profile names them in `columns:`. Encodings: cp866 as a rule.
"""

import struct
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from dbfread import DBF

from connectors.helix.columns import Columns
from connectors.helix.encodings import Guess, by_letters
from connectors.helix.formats.keyed import Record, named
from connectors.helix.options import ProfileOptions
from connectors.helix.tables import Bad, Cell, FileError, Shape, Table, UnfinishedError

_VERSIONS = frozenset({0x02, 0x03, 0x30, 0x31, 0x32, 0x43, 0x63, 0x83, 0x8B, 0xCB, 0xF5, 0xFB})
_HEADER = struct.Struct("<BBBBIHH")
_FIELD = 32
_SAMPLE = 256 * 1024
_MEMO = "MGBP"
# dBASE's language drivers, the byte at 29: what 1C and Excel write for Russian.
_DRIVERS = {0x26: "cp866", 0x65: "cp866", 0x57: "cp1251", 0xC9: "cp1251"}


def looks_like(head: bytes, size: int) -> bool:
    """By the version, a date that can be, and lengths that agree."""
    if len(head) < _FIELD + 1:
        return False
    version, _, month, day, _, header, record = _HEADER.unpack_from(head)
    plausible = version in _VERSIONS and month <= 12 and day <= 31
    return bool(
        plausible
        and header > _FIELD
        and record > 1
        and header <= size + _FIELD * 256
        and head[30:32] == b"\0\0"
    )


def open_file(path: Path, profile: ProfileOptions, columns: Columns, name: str) -> Table:
    """See `open_table`. Rows are numbered as records that are not deleted, from 1."""
    with path.open("rb") as file:
        head = file.read(_FIELD)
    _, _, _, _, count, header, record = _HEADER.unpack_from(head)
    if path.stat().st_size < header + count * record:
        raise UnfinishedError("DBF не дописан: записей меньше, чем сказано в его начале")
    guess = _encoding(path, profile, head[29])
    try:
        table = DBF(
            str(path), encoding=guess.encoding, raw=True, ignorecase=False, ignore_missing_memofile=True
        )
    except (ValueError, OSError, KeyError, LookupError, UnicodeDecodeError) as error:
        raise FileError("DBF повреждён: не читается описание полей") from error
    if any(field.type in _MEMO for field in table.fields if columns.name_of(field.name)):
        raise FileError("нужное поле DBF имеет тип memo: его данные в другом файле. Сделайте поле символьным")
    titles, rows = named(_records(table, guess.encoding), columns)
    why = (f"кодировка {guess.encoding}: {guess.why}",)
    return Table(Shape(format=name, encoding=guess.encoding, columns=titles, why=why), rows)


def _records(table: DBF, encoding: str) -> Iterator[Record | Bad]:
    kinds = {field.name: field.type for field in table.fields}
    for number, record in enumerate(table, start=1):
        try:
            yield number, {name: _cell(kinds[name], raw, encoding) for name, raw in record.items()}
        except ValueError:
            yield Bad(number, "в записи DBF не читается дата или число")


def _cell(kind: str, raw: bytes, encoding: str) -> Cell:
    """Raises ValueError for a date or a flag that is none."""
    if kind == "D":
        text = raw.decode("ascii", "replace").strip(" \0")
        return date(int(text[:4]), int(text[4:6]), int(text[6:8])) if text and text != "00000000" else None
    if kind == "L":
        return {"t": True, "y": True, "f": False, "n": False}.get(raw.decode("ascii", "replace").lower())
    if kind == "I" and len(raw) == 4:
        return int(struct.unpack("<i", raw)[0])
    if kind in "BYT@O":
        return None
    return raw.decode(encoding, "replace").strip(" \0")


def _encoding(path: Path, profile: ProfileOptions, driver: int) -> Guess:
    if profile.encoding != "auto":
        return Guess(profile.encoding, "задана в профиле")
    if driver in _DRIVERS:
        return Guess(_DRIVERS[driver], "названа в самом файле")
    with path.open("rb") as file:
        data = file.read(_SAMPLE).replace(b"\0", b"")
    return by_letters(data) if any(byte > 127 for byte in data) else Guess("cp866", "обычная для DBF")
