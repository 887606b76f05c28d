"""XML as ЗаписьXML writes it: each child of the root is a row, or each element called `rows:`.

The parser never sees a document type: declared entities are how a small file becomes a large one.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

from connectors.helix.columns import Columns
from connectors.helix.encodings import Guess, detect
from connectors.helix.formats.keyed import Record, named
from connectors.helix.options import ProfileOptions
from connectors.helix.tables import Bad, Cell, FileError, Shape, Table, UnfinishedError

_CHUNK = 64 * 1024
_TAG = re.compile(r"<(?:\w+:)?([^\s/>!?:]+)")
_DECLARED = re.compile(r"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([\w.-]+)["'][^>]*\?>""")
_DECLARATION = re.compile(r"^\s*<\?xml.*?\?>", re.DOTALL)
# What XML 1.0 forbids and 1C's texts hold all the same (a vertical tab in a comment).
_FORBIDDEN = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF])
_UNFINISHED = {
    expat.errors.codes[text]
    for text in (
        expat.errors.XML_ERROR_NO_ELEMENTS,
        expat.errors.XML_ERROR_UNCLOSED_TOKEN,
        expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
        expat.errors.XML_ERROR_PARTIAL_CHAR,
    )
}
_DEEPEST = 20


def open_file(path: Path, profile: ProfileOptions, columns: Columns, name: str) -> Table:
    """See `open_table`. Rows are numbered as records, from 1: a whole file may stand in one line."""
    guess = _encoding(path, profile, columns)
    for _ in _records(path, guess.encoding, profile.rows, check=True):
        pass  # a first pass, so that a file that is still being written is told before any row is taken
    titles, rows = named(_records(path, guess.encoding, profile.rows), columns)
    why = (
        f"кодировка {guess.encoding}: {guess.why}",
        f"строка: {profile.rows or 'каждый элемент внутри корня'}",
    )
    return Table(Shape(format=name, encoding=guess.encoding, columns=titles, why=why), rows)


class _Handler:
    """Gathers the rows of what has been fed so far."""

    def __init__(self, row: str) -> None:
        self.rows: list[Record] = []
        self._row = row
        self._path: list[str] = []
        self._within: int | None = None
        self._cells: dict[str, Cell] = {}
        self._text: list[str] = []
        self._count = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        self._path.append(tag)
        if len(self._path) > _DEEPEST:
            raise FileError(f"элементы XML вложены глубже {_DEEPEST}: это не таблица")
        begins = tag == self._row if self._row else len(self._path) == 2
        if self._within is None and begins:
            self._within = len(self._path)
            self._cells = {}
        if self._within is not None:
            steps = self._path[self._within :]
            for key, value in attributes.items():
                self._put("/".join([*steps, key.rpartition(":")[2]]), value)
        self._text.clear()

    def end(self, _: str) -> None:
        if self._within is not None:
            steps = self._path[self._within :]
            text = "".join(self._text).strip()
            if steps and text:
                self._put("/".join(steps), text)
            elif not steps:
                self._count += 1
                self.rows.append((self._count, self._cells))
                self._within = None
        self._text.clear()
        self._path.pop()

    def text(self, data: str) -> None:
        if self._within is not None:
            self._text.append(data)

    def document_type(self, *_: object) -> None:
        raise FileError("в XML есть DOCTYPE: такие файлы не читаются, уберите его из выгрузки")

    def _put(self, key: str, value: str) -> None:
        """A name that comes twice in a row (two telephones) keeps both values."""
        before = self._cells.get(key)
        self._cells[key] = f"{before}; {value}" if before else value


def _records(path: Path, encoding: str, row: str, *, check: bool = False) -> Iterator[Record | Bad]:
    """`check`: only whether the file is whole; raises UnfinishedError if it is not."""
    handler = _Handler(row)
    parser = expat.ParserCreate(encoding="utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = handler.start
    parser.EndElementHandler = handler.end
    parser.CharacterDataHandler = handler.text
    parser.StartDoctypeDeclHandler = handler.document_type
    last = 0
    with path.open("r", encoding=encoding, errors="replace", newline="") as text:
        first = True
        while True:
            chunk = text.read(_CHUNK)
            if first:
                # The declaration names the file's encoding; the parser is given UTF-8.
                chunk, first = _DECLARATION.sub("", chunk.removeprefix("\ufeff"), count=1), False
            try:
                parser.Parse(chunk.translate(_FORBIDDEN).encode("utf-8", "replace"), not chunk)
            except expat.ExpatError as error:
                if check:
                    if error.code in _UNFINISHED or not _closed(path):
                        raise UnfinishedError("XML не дописан: нет закрывающего тега") from error
                    return
                yield from handler.rows
                last = handler.rows[-1][0] if handler.rows else last
                yield Bad(last + 1, "XML повреждён после этой записи: она и всё за ней не прочитано")
                return
            if handler.rows:
                last = handler.rows[-1][0]
                if not check:
                    yield from handler.rows
                handler.rows.clear()
            if not chunk:
                return


def _closed(path: Path) -> bool:
    """A cut through a letter looks like damage in the middle of a file, not like the end of one."""
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 64))
        return file.read().replace(b"\0", b"").rstrip().endswith(b">")


def _encoding(path: Path, profile: ProfileOptions, columns: Columns) -> Guess:
    if profile.encoding != "auto":
        return Guess(profile.encoding, "задана в профиле")
    guess = detect(path, lambda text: not columns.lacking(columns.names_of(_TAG.findall(text))))
    if guess.why == "по буквам":
        with path.open("rb") as file:
            declared = _DECLARED.match(file.read(200).decode("latin-1"))
        known = {"windows-1251": "cp1251", "cp1251": "cp1251", "cp866": "cp866", "ibm866": "cp866"}
        if declared and declared[1].lower() in known:
            return Guess(known[declared[1].lower()], "названа в самом файле")
    return guess
