"""What every format gives: rows of cells by canonical column, and rows that could not be taken apart."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

import msgspec

Cell = str | int | float | bool | date | datetime | time | timedelta | None
"""As the file holds it. Texts are not cleaned yet."""

DAMAGED = "\ufffd"
"""What a byte becomes that the encoding does not have: the row is parked, the others go on."""


class Row(msgspec.Struct):
    """`number`: the line of a text, the row of a sheet, else the how-manieth record of the file, from 1."""

    number: int
    cells: dict[str, Cell]


class Bad(msgspec.Struct):
    """A row that could not be taken apart, and why."""

    number: int
    reason: str


Item = Row | Bad


class Shape(msgspec.Struct, kw_only=True):
    """What the file turned out to be. `columns`: titles and the canonical name each was understood as ("" is none).
    `why`: how it was told. `whole`: the file ends as such a file ends.
    """

    format: str
    encoding: str = ""
    delimiter: str = ""
    header: int = 0
    columns: tuple[tuple[str, str], ...] = ()
    why: tuple[str, ...] = ()
    whole: bool = True


class Table(msgspec.Struct):
    """`rows` can be gone through once."""

    shape: Shape
    rows: Iterator[Item]


class FileError(Exception):
    """The file as a whole cannot be read. The message says what to do, in Russian, without the file's data."""


class UnfinishedError(FileError):
    """The file is not whole (yet): it is being written, or its writer died."""
