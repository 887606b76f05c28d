"""Finds a profile's columns among a file's titles: by aliases, blind to case, ё, spaces and marks."""

from collections.abc import Iterable, Sequence

from connectors.helix.options import ProfileOptions
from connectors.helix.tables import FileError
from connectors.helix.words import COLUMNS, TOTALS, folded

_WHO = ("name", "surname", "patient_id")
_WHEN = ("starts_at", "date")
NEEDED: dict[str, tuple[tuple[str, ...], ...]] = {
    "appointment": (_WHO, _WHEN),
    "completed": (_WHO, _WHEN),
    "patient": (_WHO,),
    "enquiry": (("phone", "phone_other"),),
    "campaign": (_WHO,),
}
"""By kind of row: of each group at least one column."""

TITLE_ROWS = 50
"""A report has a title, a period and a clinic's name above its header, never more than so many rows."""


class Columns:
    """A profile's columns. `match` tells a header from any other row."""

    def __init__(self, profile: ProfileOptions) -> None:
        self._row = profile.row
        own = {folded(title): name for name, titles in profile.columns.items() for title in titles}
        # Where the profile names a column, the usual titles of that column mean nothing any more.
        usual = {
            folded(title): name
            for name, titles in COLUMNS.items()
            if name not in profile.columns
            for title in (*titles, name)
        }
        self._names = {**usual, **own}
        self._given = frozenset(profile.set)

    def name_of(self, title: object) -> str:
        """The canonical name of a title, "" where it has none. A path (Пациент/Телефон) is known by its whole, by its
        last step, or by the steps together.
        """
        found = self._names.get(folded(title))
        if found is None and isinstance(title, str) and "/" in title:
            found = self._names.get(folded(title.rpartition("/")[2]))
        return found or ""

    def names_of(self, titles: Sequence[object]) -> tuple[str, ...]:
        """For each title; the second of two with one meaning has none (a second telephone is the other one)."""
        names: list[str] = []
        for title in titles:
            name = self.name_of(title)
            if name in names:
                name = "phone_other" if name == "phone" and "phone_other" not in names else ""
            names.append(name)
        return tuple(names)

    def lacking(self, names: Iterable[str]) -> list[str]:
        """What a file with these columns lacks, in words."""
        there = self._given | set(names)
        return [
            " или ".join(f"«{COLUMNS[name][0]}»" for name in group)
            for group in NEEDED[self._row]
            if not there & set(group)
        ]

    def match(self, titles: Sequence[object]) -> tuple[str, ...] | None:
        """The names, where this row is a header with all that is needed."""
        names = self.names_of(titles)
        # A header has at least two columns that we know, or it is a title that happens to say «Пациент».
        known = sum(bool(name) for name in names)
        if known < min(2, len(titles)) or self.lacking(names):
            return None
        return names

    def no_header(self, seen: Sequence[Sequence[object]]) -> FileError:
        """Says what was looked for and which titles came closest."""
        best = max(seen, key=lambda row: sum(bool(self.name_of(cell)) for cell in row), default=())
        names = self.names_of(best)
        lacking = ", ".join(self.lacking(names)) or "строка заголовков"
        if not any(names):
            return FileError(f"не найдена строка заголовков: нужны колонки {lacking}")
        found = ", ".join(
            f"«{str(title).strip()[:40]}»" for title, name in zip(best, names, strict=True) if name
        )
        return FileError(
            f"в заголовках не хватает колонки {lacking}; узнаны: {found}. Впишите её в columns профиля"
        )


def is_total(cells: Iterable[object]) -> bool:
    """«Итого: 17»: a row that begins with the word."""
    for cell in cells:
        if cell is None or not str(cell).strip():
            continue
        words = str(cell).replace(":", " ").split()
        return bool(words) and words[0].strip(".,").lower() in TOTALS
    return False


def is_empty(cells: Iterable[object]) -> bool:
    return all(cell is None or cell == "" or not str(cell).strip() for cell in cells)
