"""Phone numbers: every number in a cell, its kind, its spellings, and how it is shown in a log.

A number is a key for search only: one phone is not one person (families share them).
The numbering plan is libphonenumber's; what it cannot read of a clinic's cells is mended in `phone_cells`.
"""

import re
from collections.abc import Iterable, Iterator

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberMatcher, PhoneNumberType

from kreslo.records.model import Phone, PhoneKind
from kreslo.records.phone_cells import complete_local, is_junk, mend_cell

_KINDS = {
    PhoneNumberType.MOBILE: PhoneKind.MOBILE,
    PhoneNumberType.FIXED_LINE: PhoneKind.FIXED,
    # North America does not tell the two apart; a person's number from there is a mobile.
    PhoneNumberType.FIXED_LINE_OR_MOBILE: PhoneKind.MOBILE,
    PhoneNumberType.TOLL_FREE: PhoneKind.TOLL_FREE,
}
# Most cells are one Russian mobile number; reading those without the library is some thirty times faster. A property
# test holds this to the library's answer; +7 930 is left out because only part of it is assigned.
_PLAIN_MOBILE = re.compile(
    r" *(?:\+?7|8)?[ -]?(?:\((9(?:[0-24-9][0-9]|3[1-9]))\)|(9(?:[0-24-9][0-9]|3[1-9])))"
    r"[ -]?([0-9]{3})[ -]?([0-9]{2})[ -]?([0-9]{2}) *"
)
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_FEWEST_DIGITS = 5


def parse_phones(text: str, *, area_code: str = "", region: str = "RU") -> tuple[Phone, ...]:
    """Every valid number of a cell, mobiles first, otherwise in the order they stand, each once.

    `area_code` ("473", "47396") completes local numbers; without it they are dropped, as are invalid numbers, numbers
    with a digit lost, and junk such as 89999999999. Never raises for any text.
    """
    plain = _PLAIN_MOBILE.fullmatch(text) if region == "RU" else None
    if plain:
        national = "".join(part for part in plain.groups() if part)
        return () if is_junk(national) else (Phone(f"+7{national}", PhoneKind.MOBILE),)
    if sum(char.isdigit() for char in text) < _FEWEST_DIGITS:
        return ()
    found: dict[str, Phone] = {}
    for phone in _read_cell(mend_cell(text, region), area_code, region):
        found.setdefault(phone.e164, phone)
    return tuple(sorted(found.values(), key=lambda phone: phone.kind is not PhoneKind.MOBILE))


def phone_key(phones: Iterable[Phone]) -> str | None:
    """The number to look a person up by: the first mobile, else the first fixed line. Never a toll-free number."""
    numbers = list(phones)
    for kind in (PhoneKind.MOBILE, PhoneKind.FIXED):
        for phone in numbers:
            if phone.kind is kind:
                return phone.e164
    return None


def search_forms(e164: str) -> tuple[str, ...]:
    """The spellings under which a CRM may hold the number: `+7…`, `7…`, `8…` and the last ten digits; for a number of
    another country with and without the plus, dialled from Russia (`810…`), and the last ten digits.
    Raises ValueError for a text that is not E.164.
    """
    if not _E164.fullmatch(e164):
        raise ValueError(
            "a phone to search for must be E.164, such as +79001234567: parse it with parse_phones first"
        )
    digits = e164[1:]
    dialled = f"8{digits[1:]}" if digits.startswith("7") else f"810{digits}"
    return tuple(dict.fromkeys((e164, digits, dialled, digits[-10:])))


def last_ten(text: str) -> str:
    """The last ten digits of the first number in the text, or of all its digits where it holds no valid number.
    Fewer where there are fewer; "" where there are none.
    """
    phones = parse_phones(text)
    digits = phones[0].e164 if phones else text
    return "".join(char for char in digits if char in "0123456789")[-10:]


def same_phone(a: str, b: str) -> bool:
    """Whether the two texts hold a valid number in common, however it is spelled."""
    numbers = {phone.e164 for phone in parse_phones(a)}
    return any(phone.e164 in numbers for phone in parse_phones(b))


def mask_phone(text: str) -> str:
    """For logs: `+7900***4567`, several numbers with commas, `***` for a text without a valid number, "" for none.
    At least three digits of a number are hidden, and an invalid number is hidden whole.
    """
    if not text.strip():
        return ""
    return ", ".join(_masked(phone.e164) for phone in parse_phones(text)) or "***"


def _masked(e164: str) -> str:
    return f"{e164[: max(1, min(5, len(e164) - 7))]}***{e164[-4:]}"


def _read_cell(text: str, area_code: str, region: str) -> Iterator[Phone]:
    rest, at = [], 0
    for match in PhoneNumberMatcher(text, region):
        yield from _checked(match.number)
        rest.append(text[at : match.start])
        at = match.end
    rest.append(text[at:])
    area = "".join(char for char in area_code if char in "0123456789")
    if area:
        code = phonenumbers.country_code_for_region(region)
        for part in rest:
            for match in PhoneNumberMatcher(complete_local(part, code, area), region):
                yield from _checked(match.number)


def _checked(number: phonenumbers.PhoneNumber) -> Iterator[Phone]:
    if is_junk(phonenumbers.national_significant_number(number)):
        return
    yield Phone(
        phonenumbers.format_number(number, PhoneNumberFormat.E164),
        _KINDS.get(phonenumbers.number_type(number), PhoneKind.OTHER),
        number.extension or "",
    )
