"""Text with separators, as 1C's ЗаписьТекста and Excel write it, and as people put it together by hand.

A row that is not whole never takes the next one with it: a quote that nobody closed, or a line break that nobody
escaped, is mended only where it cannot mix two people up, and else that one line is bad.
"""

import csv
import io
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from connectors.helix.columns import TITLE_ROWS, Columns, is_empty, is_total
from connectors.helix.encodings import Guess, detect
from connectors.helix.options import ProfileOptions
from connectors.helix.tables import DAMAGED, Bad, Item, Row, Shape, Table
from connectors.helix.words import FREE_TEXT, folded

_DELIMITERS = (";", "\t", ",", "|")
_LONGEST_LINE = 1 << 20
_LONGEST_CELL_LINES = 50
_TOO_LONG = "строка длиннее мегабайта"

Line = tuple[int, str]


def open_file(path: Path, profile: ProfileOptions, columns: Columns, name: str) -> Table:
    """See `open_table`. Lines are numbered from 1, as an editor shows them."""
    guess = _encoding(path, profile, columns)
    with _opened(path, guess.encoding) as text:
        header, delimiter, names, titles = _header(text, profile, columns)
    shape = Shape(
        format=name,
        encoding=guess.encoding,
        delimiter=delimiter,
        header=header,
        columns=tuple(zip(titles, names, strict=True)),
        why=(f"кодировка {guess.encoding}: {guess.why}", f"разделитель {delimiter!r}: с ним видны колонки"),
        whole=_ends_with_newline(path, guess.encoding),
    )
    return Table(shape, _Reader(path, shape, titles, names).items())


class _Lines:
    """Lines with their numbers, one of which can be looked at before it is taken."""

    def __init__(self, text: io.TextIOWrapper, start: int) -> None:
        self._text = text
        self._number = start
        self._ahead: list[Line] = []

    def take(self) -> Line | None:
        if self._ahead:
            return self._ahead.pop(0)
        return self._next()

    def peek(self, place: int) -> Line | None:
        while len(self._ahead) <= place:
            line = self._next()
            if line is None:
                return None
            self._ahead.append(line)
        return self._ahead[place]

    def drop(self, count: int) -> None:
        del self._ahead[:count]

    def _next(self) -> Line | None:
        line = self._text.readline(_LONGEST_LINE)
        if not line:
            return None
        self._number += 1
        if len(line) == _LONGEST_LINE and not line.endswith("\n"):
            while (rest := self._text.readline(_LONGEST_LINE)) and not rest.endswith("\n"):
                pass
        return self._number, line.removesuffix("\n")


class _Reader:
    def __init__(self, path: Path, shape: Shape, titles: tuple[str, ...], names: tuple[str, ...]) -> None:
        self._path = path
        self._shape = shape
        self._delimiter = shape.delimiter
        self._names = names
        self._width = len(names)
        self._header = [folded(title) for title in titles]
        self._mapped = [(place, name) for place, name in enumerate(names) if name]

    def items(self) -> Iterator[Item]:
        with _opened(self._path, self._shape.encoding) as text:
            for _ in range(self._shape.header):
                text.readline(_LONGEST_LINE)
            lines = _Lines(text, self._shape.header)
            while (line := lines.take()) is not None:
                item = self._item(line, lines)
                if item is not None:
                    yield item

    def _item(self, line: Line, lines: _Lines) -> Item | None:
        number, text = line
        if len(text) >= _LONGEST_LINE:
            return Bad(number, _TOO_LONG)
        if not text.strip():
            return None
        cells: list[str] | None = None
        if '"' not in text:
            cells = text.split(self._delimiter)
            if len(cells) == self._width:
                cells[-1] = self._tail(cells[-1], lines)
                return self._row(number, cells)
        if is_total([text.partition(self._delimiter)[0].strip('" ')]):
            return None
        if cells is None:
            cells = self._quoted(text, lines)
        return self._other(number, text, cells, lines)

    def _other(self, number: int, text: str, cells: list[str] | None, lines: _Lines) -> Item | None:
        """A row with quotes, or of another width than the header's."""
        if cells is None:
            return Bad(number, "кавычка в строке не закрыта, и разделить строку иначе не удаётся")
        if is_empty(cells):
            return None
        if len(cells) < self._width:
            joined = self._joined(text, lines)
            if joined is None:
                return Bad(
                    number, f"в строке {len(cells)} колонок вместо {self._width}: похоже, она оборвана"
                )
            cells = joined
        if len(cells) > self._width:
            if not is_empty(cells[self._width :]):
                reason = f"в строке {len(cells)} колонок вместо {self._width}: лишний «{self._delimiter}» внутри значения"
                return Bad(number, reason)
            del cells[self._width :]
        return self._row(number, cells)

    def _row(self, number: int, cells: list[str]) -> Item | None:
        if is_total(cells[:1]) or is_empty(cells):
            return None
        if folded(cells[0]) == self._header[0] and [folded(cell) for cell in cells] == self._header:
            return None  # the header once more, as a report prints it on every page
        found = {name: cells[place] for place, name in self._mapped}
        if any(DAMAGED in cell for cell in found.values()):
            return Bad(number, f"в строке есть байты, которых нет в кодировке {self._shape.encoding}")
        return Row(number, found)  # type: ignore[arg-type]  # a dict of texts is a dict of cells that nobody writes to

    def _quoted(self, text: str, lines: _Lines) -> list[str] | None:
        """The cells of a line with quotes: as CSV, else with the following lines as CSV, else taken literally."""
        if (cells := self._strict(text)) is not None:
            return cells
        parts = [text]
        for place in range(_LONGEST_CELL_LINES):
            ahead = lines.peek(place)
            if ahead is None or self._is_whole(ahead[1]):
                break
            parts.append(ahead[1])
            cells = self._strict("\n".join(parts))
            if cells is not None:
                if len(cells) != self._width:
                    break
                lines.drop(len(parts) - 1)
                return cells
        cells = text.split(self._delimiter)
        return [_unquoted(cell) for cell in cells] if len(cells) >= self._width else None

    def _joined(self, text: str, lines: _Lines) -> list[str] | None:
        """A row that a line break within free text has cut into several lines, put together."""
        parts = text.split(self._delimiter)
        for place in range(_LONGEST_CELL_LINES):
            ahead = lines.peek(place)
            if self._names[len(parts) - 1] not in FREE_TEXT or ahead is None or '"' in ahead[1]:
                return None
            more = ahead[1].split(self._delimiter)
            if len(more) >= self._width or len(parts) + len(more) - 1 > self._width:
                return None
            parts[-1] += f"\n{more[0]}"
            parts += more[1:]
            if len(parts) == self._width:
                lines.drop(place + 1)
                parts[-1] = self._tail(parts[-1], lines)
                return parts
        return None

    def _tail(self, cell: str, lines: _Lines) -> str:
        """The last cell with what a line break has cut off it. Only free text: anything else would be spoilt."""
        if self._names[-1] not in FREE_TEXT or self._width < 2:
            return cell
        for _ in range(_LONGEST_CELL_LINES):
            ahead = lines.peek(0)
            if ahead is None or self._delimiter in ahead[1] or '"' in ahead[1] or not ahead[1].strip():
                break
            if is_total([ahead[1]]):
                break
            cell += f"\n{ahead[1]}"
            lines.drop(1)
        return cell

    def _is_whole(self, text: str) -> bool:
        cells = text.split(self._delimiter) if '"' not in text else self._strict(text)
        return cells is not None and len(cells) == self._width

    def _strict(self, text: str) -> list[str] | None:
        with suppress(csv.Error):
            rows = list(csv.reader([text], delimiter=self._delimiter, strict=True))
            return rows[0] if len(rows) == 1 else None
        return None


def _unquoted(cell: str) -> str:
    bare = cell.strip()
    if len(bare) > 1 and bare[0] == bare[-1] == '"':
        return bare[1:-1].replace('""', '"')
    return cell


def _opened(path: Path, encoding: str) -> io.TextIOWrapper:
    # A line ends with \r\n, \n or \r; what str.splitlines takes for an end besides may stand inside a comment.
    return path.open("r", encoding=encoding, errors="replace", newline=None)


def _encoding(path: Path, profile: ProfileOptions, columns: Columns) -> Guess:
    if profile.encoding == "auto":
        return detect(
            path, lambda text: _find(text.splitlines()[: TITLE_ROWS + 1], profile, columns) is not None
        )
    with path.open("rb") as file:
        marked = file.read(3) == b"\xef\xbb\xbf"
    pinned = "utf-8-sig" if profile.encoding == "utf-8" and marked else profile.encoding
    return Guess(pinned, "задана в профиле")


def _header(
    text: io.TextIOWrapper, profile: ProfileOptions, columns: Columns
) -> tuple[int, str, tuple[str, ...], tuple[str, ...]]:
    """The header's line number, the delimiter, names and titles. Raises FileError."""
    head: list[str] = []
    while len(head) < TITLE_ROWS and (line := text.readline(_LONGEST_LINE)):
        head.append(line.removesuffix("\n"))
    found = _find(head, profile, columns)
    if found is None:
        rows = [_titles(line, delimiter) for line in head for delimiter in _candidates(head, profile)]
        raise columns.no_header(rows)
    return found


def _find(
    head: list[str], profile: ProfileOptions, columns: Columns
) -> tuple[int, str, tuple[str, ...], tuple[str, ...]] | None:
    delimiters = _candidates(head, profile)
    for number, line in enumerate(head[:TITLE_ROWS], start=1):
        for delimiter in delimiters:
            titles = _titles(line.removeprefix("\ufeff"), delimiter)
            names = columns.match(titles)
            if names is not None:
                return number, delimiter, names, tuple(titles)
    return None


def _candidates(head: list[str], profile: ProfileOptions) -> tuple[str, ...]:
    if profile.delimiter:
        return (profile.delimiter,)
    first = head[0].removeprefix("\ufeff").strip().strip('"').lower() if head else ""
    if len(first) == len("sep=;") and first.startswith("sep="):
        return (first[-1],)
    return _DELIMITERS


def _titles(line: str, delimiter: str) -> list[str]:
    """The header's cells without the empty ones at its end."""
    try:
        cells = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        cells = line.split(delimiter)
    while cells and not cells[-1].strip():
        cells.pop()
    return cells


def _ends_with_newline(path: Path, encoding: str) -> bool:
    """A text that 1C has finished writing ends with a line end."""
    width = 2 if encoding.startswith("utf-16") else 1
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 2 * width))
        tail = file.read()
    return b"\n" in tail[-2:] or b"\r" in tail[-2:]
