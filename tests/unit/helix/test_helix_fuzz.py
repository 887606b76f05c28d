"""Whatever bytes come: nothing breaks, and no good row is lost."""

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from helix_exports import DBF_COLUMNS, csv_text, gist, profile, read, writers
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.helix.formats import FileError

GOOD = [
    [f"Шуйский Игорь {letter}ович", f"8 900 765-43-{n:02}", "22.11.2026 11:30:00", "Ёлкина", "0", "окно"]
    for n, letter in enumerate(("Петр", "Льв", "Глеб"), start=10)
]
HEADER = csv_text([])
LINES = [";".join(row) + "\r\n" for row in GOOD]
ENCODINGS = ("utf-8", "utf-8-sig", "cp1251", "cp866", "utf-16")


@given(st.binary(max_size=3000), st.sampled_from(["csv", "xml", "json", "dbf", "xlsx", "xls", "txt"]))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_read_or_refused(data: bytes, ending: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"visits.{ending}"
        path.write_bytes(data)
        with suppress(FileError):
            read(path)


@pytest.mark.parametrize("how", writers())
@given(st.data())
@settings(max_examples=10, deadline=None)
def test_a_damaged_file_is_read_or_refused(how: str, data: st.DataObject) -> None:
    ending, write = writers()[how]
    whole = bytearray(write(GOOD))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place] = data.draw(st.integers(0, 255))
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"visits.{ending}"
        path.write_bytes(bytes(whole))
        with suppress(FileError):
            read(path)


ANY = st.text(st.characters(codec="cp1251", exclude_characters="\r\n"), max_size=120)
JUNK = ANY | st.text(';" а1', max_size=30)  # what a hand-made export really trips over


@given(st.lists(JUNK, max_size=4), st.sampled_from(ENCODINGS), st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_a_junk_line_loses_no_good_row(junk: list[str], encoding: str, place: int) -> None:
    junk = [line.encode(encoding, "ignore").decode(encoding) for line in junk]
    lines = [*LINES[:place], *(f"{line}\r\n" for line in junk), *LINES[place:]]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "visits.csv"
        path.write_bytes((HEADER + "".join(lines)).encode(encoding))
        _, drafts, _ = read(path, profile())
    good = [gist(draft) for draft in drafts]
    for number in range(10, 13):
        assert [row for row in good if row[1] == (f"+790076543{number}",)] == [
            ("Шуйский Игорь", (f"+790076543{number}",), "22.11.2026 11:30", "Ёлкина", "0.00")
        ]


# What both one-byte encodings have, and what means something to one of the formats.
CELL = st.text("абвгдеёжЗИЙКЛМНО №0123456789abcXYZ;:\"'<>&{}[]()=,.|/\\-_+*\u00a0", max_size=40)


@pytest.mark.parametrize("how", writers())
@given(st.lists(st.lists(CELL, min_size=6, max_size=6), min_size=1, max_size=3), st.integers(0, 3))
@settings(max_examples=6, deadline=None)
def test_junk_in_cells_loses_no_good_row(how: str, junk: list[list[str]], place: int) -> None:
    ending, write = writers()[how]
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"visits.{ending}"
        path.write_bytes(write([*GOOD[:place], *junk, *GOOD[place:]]))
        _, drafts, bad = read(path, profile(columns=DBF_COLUMNS) if ending == "dbf" else profile())
    good = [gist(draft) for draft in drafts]
    for number in range(10, 13):
        wanted = ("Шуйский Игорь", (f"+790076543{number}",), "22.11.2026 11:30", "Ёлкина", "0.00")
        assert good.count(wanted) == 1, bad
