"""Telephone numbers as a CRM holds them: texts as people typed them, compared by us."""

import re
from functools import lru_cache

from kreslo.records import Phone
from kreslo.records.phones import last_ten, parse_phones

_KEPT = 20_000
_FEWEST = 7  # digits of a number worth comparing
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


@lru_cache(maxsize=_KEPT)
def phones_in(text: str) -> tuple[Phone, ...]:
    return parse_phones(text)


def neutral_phone(text: str) -> str:
    """E.164 of the number in a cell's text; the text itself where it holds none, so that it is still seen."""
    found = phones_in(text)
    return found[0].e164 if found else text.strip()


@lru_cache(maxsize=_KEPT)
def comparable(text: str) -> str:
    """The last ten digits (of a short foreign number all of them), "" for what is too short to be a number: what two
    spellings of one number have in common.
    """
    digits = last_ten(text)
    return digits if len(digits) >= _FEWEST else ""


def is_e164(text: str) -> bool:
    return _E164.fullmatch(text) is not None
