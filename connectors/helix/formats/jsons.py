"""JSON as ЗаписьJSON writes it: a list of objects, a list under a name, or one object a line. Read piece by piece."""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from connectors.helix.columns import Columns
from connectors.helix.encodings import Guess, detect
from connectors.helix.formats.keyed import Record, named
from connectors.helix.options import ProfileOptions
from connectors.helix.tables import Bad, Cell, Shape, Table, UnfinishedError

_CHUNK = 64 * 1024
_LONGEST = 1 << 20
_LIST = re.compile(r'"((?:[^"\\]|\\.)*)"\s*:\s*\[(?=\s*[{\]])')
_KEY = re.compile(r'"([^"\\]+)"\s*:')
_SPACE = re.compile(r"[\s,]*")
_NEXT = re.compile(r"\}\s*,?\s*(?=\{)")


def open_file(path: Path, profile: ProfileOptions, columns: Columns, name: str) -> Table:
    """See `open_table`. Rows are numbered as records, from 1."""
    auto = profile.encoding == "auto"
    guess = (
        detect(path, lambda text: _has_columns(text, columns))
        if auto
        else Guess(profile.encoding, "задана в профиле")
    )
    if guess.encoding == "utf-8":
        guess = Guess("utf-8-sig", guess.why)
    if not _closed(path):
        raise UnfinishedError("JSON не дописан: нет закрывающей скобки")
    titles, rows = named(_records(path, guess.encoding, profile.rows), columns)
    why = (f"кодировка {guess.encoding}: {guess.why}",)
    return Table(Shape(format=name, encoding=guess.encoding, columns=titles, why=why), rows)


def _has_columns(text: str, columns: Columns) -> bool:
    return not columns.lacking(columns.names_of(_KEY.findall(text)))


class _Buffer:
    """The text that has been read and not yet used."""

    def __init__(self, file: io.TextIOWrapper) -> None:
        self._file = file
        self.text = ""
        self.ended = False

    def more(self) -> bool:
        chunk = self._file.read(_CHUNK)
        self.ended = not chunk
        self.text += chunk
        return bool(chunk)

    def use(self, count: int) -> None:
        self.text = self.text[count:]


def _records(path: Path, encoding: str, key: str) -> Iterator[Record | Bad]:
    decoder = json.JSONDecoder(parse_float=str, strict=False)
    number = 0
    with path.open("r", encoding=encoding, errors="replace", newline="") as file:
        buffer = _Buffer(file)
        buffer.more()
        _enter(buffer, key)
        place = 0
        while True:
            space = _SPACE.match(buffer.text, place)
            place = space.end() if space else place
            if place >= len(buffer.text):
                buffer.use(place)
                place = 0
                if buffer.more():
                    continue
                return
            if buffer.text[place] == "]":
                return
            try:
                value, place = decoder.raw_decode(buffer.text, place)
            except (ValueError, RecursionError):
                buffer.use(place)
                place = 0
                if len(buffer.text) < _LONGEST and buffer.more():
                    continue
                number += 1
                yield Bad(number, "запись JSON повреждена")
                following = _NEXT.search(buffer.text)
                if following is None:
                    return
                place = following.end()
                continue
            number += 1
            yield _record(number, value)
            if place > _CHUNK:
                buffer.use(place)
                place = 0


def _record(number: int, value: Any) -> Record | Bad:
    if not isinstance(value, dict):
        return Bad(number, "запись JSON не объект {…}")
    cells: dict[str, Cell] = {}
    _flatten(value, "", cells)
    return number, cells


def _flatten(value: dict[str, Any], above: str, cells: dict[str, Cell]) -> None:
    for key, inner in value.items():
        name = f"{above}{key}"
        if isinstance(inner, dict):
            _flatten(inner, f"{name}/", cells)
        elif isinstance(inner, list):
            cells[name] = "; ".join(str(each) for each in inner if isinstance(each, (str, int, float)))
        else:
            cells[name] = inner


def _enter(buffer: _Buffer, key: str) -> None:
    """Stands behind the bracket of the list, where there is one."""
    start = len(buffer.text) - len(buffer.text.lstrip("\ufeff \t\r\n"))
    buffer.use(start)
    if buffer.text.startswith("["):
        buffer.use(1)
        return
    while True:
        for found in _LIST.finditer(buffer.text):
            if not key or found[1] == key:
                buffer.use(found.end())
                return
        # One object a line has no list at its top; neither is looked for far.
        if not key or len(buffer.text) > _LONGEST or not buffer.more():
            return


def _closed(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 64) // 2 * 2)
        tail = file.read().replace(b"\0", b"").decode("latin-1")
    return tail.rstrip().endswith(("]", "}"))
