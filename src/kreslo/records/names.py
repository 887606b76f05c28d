"""Names of persons: taken apart, compared, shortened, masked. Exact rules only: a likeness never joins two people."""

from enum import Enum, StrEnum, auto
from itertools import product

import msgspec

from kreslo.records.name_text import CYRILLIC, NameText, fold, is_initial, read_name, tidy_name
from kreslo.records.name_words import (
    GIVEN_NAMES,
    KIN,
    PARTICLES,
    PATRONYMIC,
    PATRONYMIC_WORDS,
    PLACEHOLDERS,
    SURNAME_ENDING,
)

__all__ = [
    "Compatibility",
    "PersonName",
    "comparison_key",
    "compatible",
    "looks_like_nickname_or_empty",
    "mask_name",
    "parse_free_name",
    "short_name",
    "split_name",
    "tidy_name",
]


class PersonName(msgspec.Struct, frozen=True):
    """A name in its parts; "" where one is missing. `notes`: what stood in the field and is no name («ДМС», «VIP»).
    `certain`: False where the parts were told apart without a patronymic, initials or a known given name.
    """

    surname: str = ""
    name: str = ""
    patronymic: str = ""
    notes: tuple[str, ...] = ()
    certain: bool = True


class Compatibility(StrEnum):
    """`SAME`: surname, name and patronymic (or neither has one) are equal in full. `COMPATIBLE`: at least two parts agree,
    one of them in full, and none contradicts. `EMPTY`: nothing contradicts, but there is too little to go by (no name, a
    given name or surname alone, another alphabet). `CONFLICT`: a part contradicts.
    """

    SAME = "same"
    COMPATIBLE = "compatible"
    CONFLICT = "conflict"
    EMPTY = "empty"


_Reading = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


class _Agreement(Enum):
    EQUAL = auto()
    HALF = auto()  # of a double surname
    INITIAL = auto()
    UNKNOWN = auto()
    CONFLICT = auto()


def split_name(text: str) -> PersonName:
    """A full name in one text, surname first, as a MIS prints it: «Иванова Мария Петровна (ДМС)», «Мамедов Али Гасан
    оглы», «Иванова М.П.», «М. П. Иванова». Words after the patronymic become notes.
    """
    return _split(read_name(text))


def parse_free_name(text: str) -> PersonName:
    """A full name in unknown order, as CRMs hold it: «Мария Иванова», «Иванова Мария Петровна», «Мария И.»."""
    found = _split(read_name(text))
    if not found.surname or not found.name or not _is_given(found.surname) or _is_given(found.name):
        return found
    if found.patronymic and not SURNAME_ENDING.fullmatch(fold(found.name)):
        return found
    return msgspec.structs.replace(found, surname=found.name, name=found.surname, certain=True)


def comparison_key(surname: str, name: str, patronymic: str) -> str:
    """`иванова|мария|петровна`: equal for names that differ only in case, ё, spaces, look-alike letters and remarks."""
    return "|".join(" ".join(_parts(text)) for text in (surname, name, patronymic))


def compatible(a: PersonName, b: PersonName) -> Compatibility:
    """Whether two names may be one person's. Blind to ё, case, the order of surname and name, remarks; an initial agrees
    with its name, a double surname with each of its halves, a missing part with anything. Symmetric.
    """
    verdicts = {_verdict(one, other) for one, other in product(_readings(a), _readings(b))}
    best = (Compatibility.SAME, Compatibility.COMPATIBLE, Compatibility.EMPTY)
    return next((verdict for verdict in best if verdict in verdicts), Compatibility.CONFLICT)


def looks_like_nickname_or_empty(text: str) -> bool:
    """Whether a CRM's name says nothing against anybody: none, a placeholder, a phone, a nickname, a relative («мама
    Пети»), or one given name alone, as leads from messengers look. A surname alone does say something.
    """
    words = read_name(text).words
    folded = [word for word in map(fold, words) if word not in PLACEHOLDERS]
    if folded and not KIN.isdisjoint(folded) and (folded[0] in KIN or len(folded) < 3):
        return True
    russian = [word for word in folded if CYRILLIC.search(word)]
    if not russian:
        # Ivanova Maria may be a name; masha_2005 and @masha are none.
        return len(folded) < 2 or any(char in "_@" or char.isdigit() for char in text)
    if len(russian) > 1:
        return False
    return russian[0] in GIVEN_NAMES or not SURNAME_ENDING.fullmatch(russian[0])


def short_name(surname: str, name: str, patronymic: str) -> str:
    """«Иванова М. П.»; without a surname «Мария Петровна»."""
    surname, name, patronymic = (" ".join(read_name(part).words) for part in (surname, name, patronymic))
    if not surname:
        return " ".join(part for part in (name, patronymic) if part)
    return " ".join((surname, *(f"{part[0]}." for part in (name, patronymic) if part)))


def mask_name(text: str) -> str:
    """For logs: «И*** М.», at most two letters of the name; `***` for a text without one, "" for none."""
    found = split_name(text)
    shown = [part for part in (found.surname, found.name, found.patronymic) if part]
    if not shown:
        return "***" if text.strip() else ""
    return f"{shown[0][0]}***" + (f" {shown[1][0]}." if len(shown) > 1 else "")


def _split(read: NameText) -> PersonName:
    words = _joined(read.words)
    surname, name, patronymic, certain = "", "", "", False
    rest: list[str] = []
    if (
        len(words) > 1
        and is_initial(words[0])
        and not is_initial(words[-1])
        and all(map(is_initial, words[:-1]))
    ):
        words = [words[-1], *words[:-1]]
    fathers = [place for place, word in enumerate(words) if place and _is_patronymic(word)]
    match words:
        case []:
            pass
        case [one]:
            surname, name = ("", one) if _is_given(one) else (one, "")
        case [first, second]:
            if not fathers:
                surname, name = first, second
                certain = not _is_given(first) and (_is_given(second) or is_initial(second))
            elif _is_given(first):
                name, patronymic = first, second
            else:
                surname, patronymic = first, second
        case [first, second, third]:
            surname, name, patronymic = first, second, third
            if fathers == [1] and _is_given(third) and not _is_given(first):
                name, patronymic = third, second
            elif fathers == [1] or (1 in fathers and _is_given(first)):
                surname, name, patronymic = third, first, second
                certain = _is_given(first) and not _is_given(third)
            else:
                certain = 2 in fathers or is_initial(third)
        case [first, second, *more]:
            surname, name, patronymic = first, second, " ".join(more)
            if 2 in fathers:
                patronymic, rest, certain = more[0], more[1:], True
            elif fathers:
                # «Петрова Иванова Мария Сергеевна»: whatever stands before the name is the surname.
                place = fathers[0]
                if place > 2:
                    surname, name = " ".join(words[: place - 1]), words[place - 1]
                    patronymic, rest = words[place], words[place + 1 :]
    return PersonName(surname, name, patronymic, read.notes + ((" ".join(rest),) if rest else ()), certain)


def _joined(words: tuple[str, ...]) -> list[str]:
    """«Гасан оглы» and «де Голль» are one part each."""
    joined: list[str] = []
    particle = ""
    for word in words:
        if joined and fold(word) in PATRONYMIC_WORDS:
            joined[-1] = f"{joined[-1]} {word}"
        elif word in PARTICLES:
            particle += f"{word} "
        else:
            joined.append(f"{particle}{word}")
            particle = ""
    return [*joined, particle.strip()] if particle else joined


def _is_given(word: str) -> bool:
    return fold(word).split("-")[0] in GIVEN_NAMES


def _is_patronymic(word: str) -> bool:
    folded = fold(word)
    last = folded.replace("-", " ").split()[-1]
    return folded not in GIVEN_NAMES and (
        last in PATRONYMIC_WORDS or PATRONYMIC.fullmatch(folded) is not None
    )


def _parts(text: str) -> list[str]:
    return [fold(word) for word in read_name(text).words]


def _readings(name: PersonName) -> set[_Reading]:
    """The ways to read the parts: as they stand, with surname and name exchanged, and, where the parts were guessed,
    with a surname that only looks like a patronymic (Роман Абрамович).
    """
    name = _in_parts(name)
    surname, given, patronymic = _pieces(name.surname), _pieces(name.name), _pieces(name.patronymic)
    readings = {(surname, given, patronymic), (given, surname, patronymic)}
    if not name.certain and not surname:
        readings |= {(patronymic, given, ()), (given, patronymic, ())}
    return readings


def _in_parts(name: PersonName) -> PersonName:
    """A registrar may have typed the whole name into one field, or the patronymic behind the name."""
    filled = [part for part in (name.surname, name.name, name.patronymic) if part.strip()]
    if len(filled) == 1 and len(_parts(filled[0])) > 1:
        return parse_free_name(filled[0])
    given = _joined(read_name(name.name).words)
    if name.surname and not name.patronymic and len(given) > 1 and _is_patronymic(given[-1]):
        return msgspec.structs.replace(name, name=" ".join(given[:-1]), patronymic=given[-1])
    return name


def _pieces(part: str) -> tuple[str, ...]:
    return tuple(piece for word in _parts(part) for piece in word.split("-") if piece)


def _verdict(one: _Reading, other: _Reading) -> Compatibility:
    marks = [_agreement(a, b) for a, b in zip(one, other, strict=True)]
    if _Agreement.CONFLICT in marks:
        return Compatibility.CONFLICT
    equal = marks.count(_Agreement.EQUAL)
    if equal == len(marks) or (
        marks[:2] == [_Agreement.EQUAL, _Agreement.EQUAL] and not one[2] and not other[2]
    ):
        return Compatibility.SAME
    full = equal + marks.count(_Agreement.HALF)
    if full and full + marks.count(_Agreement.INITIAL) > 1:
        return Compatibility.COMPATIBLE
    return Compatibility.EMPTY


def _agreement(a: tuple[str, ...], b: tuple[str, ...]) -> _Agreement:
    # Ivanova and Иванова cannot be compared: there are several ways to write one in the other's letters.
    if not a or not b or _is_russian(a) is not _is_russian(b):
        return _Agreement.UNKNOWN
    if len(a[0]) == 1 or len(b[0]) == 1:
        return _Agreement.INITIAL if a[0][0] == b[0][0] else _Agreement.CONFLICT
    if a == b:
        return _Agreement.EQUAL
    shared = (set(a) & set(b)) - PARTICLES - PATRONYMIC_WORDS
    if shared and (set(a) <= set(b) or set(b) <= set(a)):
        return _Agreement.HALF
    return _Agreement.CONFLICT


def _is_russian(words: tuple[str, ...]) -> bool:
    return any(CYRILLIC.search(word) for word in words)
