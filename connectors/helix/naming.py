"""Names and telephones of rows, with a short way for what most cells hold.

The house's own reading (kreslo.records) copes with everything and takes a tenth of a millisecond; a clinic's history has
hundreds of thousands of rows, nearly all of them «Иванова Мария Петровна» and one number. Tests hold the short way to
the long one.
"""

import re
from functools import lru_cache

from kreslo.records import Phone
from kreslo.records.name_words import GIVEN_NAMES, PATRONYMIC, PATRONYMIC_WORDS, PLACEHOLDERS, REMARKS
from kreslo.records.names import PersonName, comparison_key, split_name, tidy_name
from kreslo.records.phones import parse_phones

_WORD = "[А-ЯЁ][а-яё]+"
_PLAIN = re.compile(rf"({_WORD}(?:-{_WORD})?) ({_WORD}) ({_WORD})")
_PLAIN_PART = re.compile(rf"{_WORD}(?:-{_WORD})?|")
_NUMBER_AND_WORDS = re.compile(r"[^\d+(]*([+(\d][\d ()\-]*\d)[^\d+(]*")
_OTHER_THAN_NAMES = GIVEN_NAMES | PLACEHOLDERS | PATRONYMIC_WORDS


def split(whole: str) -> PersonName:
    """As `split_name`."""
    plain = _PLAIN.fullmatch(whole)
    if plain is None:
        return _split(whole)
    surname, name, patronymic = plain.groups()
    father = folded(patronymic)
    if (
        PATRONYMIC.fullmatch(father) is None
        or father in _OTHER_THAN_NAMES
        or folded(name) not in GIVEN_NAMES
        or PATRONYMIC.fullmatch(folded(surname)) is not None
        or REMARKS.search(whole) is not None
    ):
        return _split(whole)
    return PersonName(surname, name, patronymic)


def key(surname: str, name: str, patronymic: str) -> str:
    """As `comparison_key`."""
    parts = (surname, name, patronymic)
    whole = f"{surname}|{name}|{patronymic}"
    if all(map(_PLAIN_PART.fullmatch, parts)) and REMARKS.search(whole) is None:
        return folded(whole)
    return comparison_key(*parts)


def phones(cell: str, area_code: str) -> tuple[Phone, ...]:
    """As `parse_phones`. «8 (900) 123-45-67 мама»: the word says nothing about the number."""
    found = _NUMBER_AND_WORDS.fullmatch(cell)
    if found is not None:
        number = parse_phones(found[1], area_code=area_code)
        if len(number) == 1:
            return number
    return parse_phones(cell, area_code=area_code)


@lru_cache(maxsize=16384)
def tidy(name: str) -> str:
    """As `tidy_name`. A clinic's staff is small and stands in every row."""
    return tidy_name(name) if name else ""


def folded(word: str) -> str:
    return word.lower().replace("ё", "е")


@lru_cache(maxsize=16384)
def _split(whole: str) -> PersonName:
    return split_name(whole)
