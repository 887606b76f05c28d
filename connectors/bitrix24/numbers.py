"""Telephone numbers as the portal holds them: texts as typed, compared by us."""

from functools import lru_cache

from kreslo.records import Phone
from kreslo.records.phones import last_ten, parse_phones

_KEPT = 20_000


@lru_cache(maxsize=_KEPT)
def phones_in(text: str) -> tuple[Phone, ...]:
    return parse_phones(text)


def neutral_phone(text: str) -> str:
    """E.164 of the number in a row's text; the text itself where it holds none, so that it is still seen."""
    found = phones_in(text)
    return found[0].e164 if found else text.strip()


@lru_cache(maxsize=_KEPT)
def comparable(text: str) -> str:
    """Ten last digits, "" for fewer: what two spellings of one number have in common."""
    digits = last_ten(text)
    return digits if len(digits) == 10 else ""
