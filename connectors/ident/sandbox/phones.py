"""Made-up telephone numbers and the shapes in which staff type them.

Mobiles are +7 900 1xx-xx-xx; landlines +7 473 0xx-xx-xx, which nobody can have: no Russian subscriber's number begins
with 0. Both are valid to libphonenumber.
"""

from random import Random

from phonenumbers import PhoneNumberFormat, PhoneNumberMatcher, format_number

AREA_CODE = "473"
SPAN = 1_000_000
"""How many mobiles there are. Patients, strangers and live callers draw from shares of it that do not meet."""

PATIENTS, SECONDS, LEADS, ENQUIRIES, LIVE = 0, 300_000, 500_000, 600_000, 700_000
"""Where each share begins."""

_STEP = 387_421  # coprime to SPAN, so that neighbours look unlike and no two are alike


def mobile(number: int) -> str:
    """The mobile number `number` of SPAN, in E.164: every one different, none of seven equal digits."""
    tail = 1_000_000 + (number % SPAN) * _STEP % SPAN
    return f"+7900{tail}" if tail != 1_111_111 else "+79002345671"


def landline(number: int) -> str:
    """A landline of the clinic's town, in E.164."""
    return f"+7{AREA_CODE}0{(number * 7_919 + 100_003) % 900_000 + 100_000}"


def written(text: str | None) -> list[str]:
    """The full numbers that stand in a cell, in E.164 and in their order; local ones are not among them."""
    return [
        format_number(match.number, PhoneNumberFormat.E164) for match in PhoneNumberMatcher(text or "", "RU")
    ]


def spaced(e164: str) -> str:
    return f"+7 {e164[2:5]} {e164[5:8]}-{e164[8:10]}-{e164[10:]}"


def bracketed(e164: str, prefix: str = "8") -> str:
    return f"{prefix} ({e164[2:5]}) {e164[5:8]}-{e164[8:10]}-{e164[10:]}"


def typed(chance: Random, e164: str) -> str:
    """One mobile number as one administrator or another types it."""
    roll = chance.random()
    if roll < 0.38:
        return e164
    if roll < 0.62:
        return "8" + e164[2:]
    if roll < 0.76:
        return bracketed(e164)
    if roll < 0.86:
        return spaced(e164)
    if roll < 0.92:
        return e164[2:]
    if roll < 0.96:
        return e164[1:]
    return f"8-{e164[2:5]}-{e164[5:8]}-{e164[8:10]}-{e164[10:]}"


def typed_landline(chance: Random, e164: str) -> str:
    """A landline: in full, with an extension, or local, without the town's code."""
    roll = chance.random()
    short = f"{e164[5:8]}-{e164[8:10]}-{e164[10:]}"
    if roll < 0.5:
        return short
    if roll < 0.9:
        return f"8 ({AREA_CODE}) {short}"
    return f"8 ({AREA_CODE}) {short} доб. 12"
