"""Mends the text of a phone cell so that libphonenumber can read it.

Clinics type several numbers and words into one cell; spreadsheets turn numbers into numbers. Each rule here is for one
such habit that the library alone does not read, or reads wrongly.
"""

import re

import phonenumbers

_SPACES = str.maketrans(dict.fromkeys("\u00a0\u2007\u2009\u202f\u2060_", " "))
# 8.9001234567E+10: a number that a spreadsheet has rewritten.
_EXPONENT = re.compile(r"\s*([0-9])[.,]([0-9]*)[eEеЕ]\+?([0-9]{1,2})\s*")
_GROUPED = re.compile(r"\s*[0-9]{1,3}(?:,[0-9]{3}){3}\s*")
_LATIN_NEXT_TO_NUMBER = re.compile(r"(?<=[A-Za-z])(?=[+(0-9])|(?<=[0-9])(?=[A-Za-z])")
_EXTENSION = re.compile(
    r"[,;]?\s*\(?\s*(?<![^\W\d_])(?:добавочный|доб|внутренний|внутр|вн|extension|ext)\b\s*[.:№]*\s*([0-9]{1,6})\b\s*\)?",
    re.IGNORECASE,
)
_PLUS_EIGHT_APART = re.compile(r"\+8(?=[\s(\-])")
_PLUS_EIGHT = re.compile(r"\+(8[0-9](?:[\s().\-]{0,3}[0-9]){9})(?![0-9])")
_RUN = re.compile(r"[+(]*[0-9][0-9\s().+\-]*")
# Neighbours whose numbers are twelve digits with the country code and are often written without the plus.
_NEIGHBOUR = re.compile(r"\s*(?:375|380|99[24568])(?:[\s().\-]{0,3}[0-9]){9}\s*")
_RUSSIAN_LENGTH = 11
_JUNK = re.compile(r"([0-9])\1{8}|012345678|123456789|876543210|987654321|0{7}$")


def mend_cell(text: str, region: str) -> str:
    """The same numbers, spelled so that PhoneNumberMatcher finds them. "" where a spreadsheet has lost the digits."""
    text = text.translate(_SPACES)
    exponent = _EXPONENT.fullmatch(text)
    if exponent:
        whole, fraction, power = exponent.groups()
        # With fewer digits than the power the last ones are gone, and what is left may look like another number.
        return whole + fraction if len(fraction) == int(power) else ""
    if _GROUPED.fullmatch(text):
        text = text.replace(",", "")
    elif _NEIGHBOUR.fullmatch(text):
        return f"+{text.strip()}"
    text = _EXTENSION.sub(r" доб. \1; ", text)
    text = _LATIN_NEXT_TO_NUMBER.sub(" ", text)
    if region in {"RU", "KZ"}:
        text = _PLUS_EIGHT_APART.sub("8", text)
        text = _PLUS_EIGHT.sub(_eight_or_abroad, text)
        text = _RUN.sub(_split_run, text)
    return text


def complete_local(text: str, country_code: int, area_code: str) -> str:
    """Writes `2-00-12-34` as a full number of the area. A local number has five to seven digits and stands alone:
    what is part of a longer row of digits is a damaged number and stays as it is.
    """

    def completed(match: re.Match[str]) -> str:
        if text[max(0, match.start() - 6) : match.start()].rstrip().endswith("доб.") or match[0].startswith(
            "+"
        ):
            return match[0]
        pieces = match[0].split()
        if not all(_is_local(piece) for piece in pieces):
            pieces = ["".join(pieces)]
        if not all(_is_local(piece) for piece in pieces):
            return match[0]
        numbers = (_digits(piece) for piece in pieces)
        return (
            "; ".join(
                f"+{country_code}{area_code}{number}" for number in numbers if not is_junk_local(number)
            )
            + " "
        )

    return _RUN.sub(completed, text)


def is_junk(national: str) -> bool:
    """Numbers that the numbering plan allows and that people type to get past a required field: nine or more equal or
    consecutive digits in a row (9999999999, 9123456789), or a subscriber number of seven zeros.
    """
    return _JUNK.search(national) is not None


def is_junk_local(number: str) -> bool:
    """A local number of one digit only, or counting up or down from end to end (1234567)."""
    return len(set(number)) == 1 or number in "0123456789" or number in "9876543210"


def _is_local(piece: str) -> bool:
    # Brackets and dots speak for a date, a page or a code, not for a local number.
    digits = _digits(piece)
    return 5 <= len(digits) <= 7 and digits[0] not in "08" and not set(piece) & set(".()+")


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isdigit())


def _eight_or_abroad(match: re.Match[str]) -> str:
    """`+89001234567` is a Russian number with a plus too many, unless it is somebody's number abroad (+84, +86)."""
    try:
        number = phonenumbers.parse(match[0])
    except phonenumbers.NumberParseException:
        return match[1]
    return match[0] if phonenumbers.is_valid_number(number) else match[1]


def _split_run(match: re.Match[str]) -> str:
    """Two or three full numbers with nothing but spaces or hyphens between them. Only where the row of digits divides
    without a rest: with a digit lost, its neighbour's first digit would complete a stranger's number.
    """
    digits = _digits(match[0])
    count, rest = divmod(len(digits), _RUSSIAN_LENGTH)
    if rest or not 2 <= count <= 3:
        return match[0]
    numbers = [digits[start : start + _RUSSIAN_LENGTH] for start in range(0, len(digits), _RUSSIAN_LENGTH)]
    return "; ".join(numbers) + " " if all(number[0] in "78" for number in numbers) else match[0]
