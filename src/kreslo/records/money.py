"""Amounts of money as a MIS or a spreadsheet prints them."""

import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

_KOPECK = Decimal("0.01")
_CURRENCY = re.compile(r"(?:рубл(?:ей|я|ь)|руб|р|rub|rur|₽)\.?", re.IGNORECASE)
_ROUBLES_AND_KOPECKS = re.compile(
    r"([+-]?[0-9]+)(?:рубл(?:ей|я|ь)|руб|р)\.?,?([0-9]{1,2})коп(?:еек|ейки|ейка)?\.?", re.IGNORECASE
)
_EMPTY = frozenset({"", "-"})
_PLAIN = re.compile(r"[+-]?[0-9]*\.?[0-9]+|[+-]?[0-9]+\.")
_COMMA_GROUPS = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+\.[0-9]*|[+-]?[0-9]{1,3}(?:,[0-9]{3}){2,}")
_DOT_GROUPS = re.compile(r"[+-]?[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]*|[+-]?[0-9]{1,3}(?:\.[0-9]{3}){2,}")
_COMMA_DECIMAL = re.compile(r"[+-]?[0-9]*,[0-9]+|[+-]?[0-9]+,")
_AMBIGUOUS = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")


def parse_money(value: str | float | Decimal | None) -> Decimal | None:
    """Roubles with kopecks (two places, halves away from zero). None and an empty text are None: 1C prints a zero amount
    as an empty text, so what None means is the caller's to say.

    Reads `1 234,50`, spaces of any width between thousands, `1,234.50`, `1.234,50`, `1234 руб.`, `12 руб. 50 коп.`, `₽`.
    Raises ValueError for what is no amount, is infinite, or may be read two ways (`1,234`).
    """
    if value is None:
        return None
    if isinstance(value, bool):
        raise ValueError("an amount cannot be a yes or no: check which column is mapped to it")  # noqa: TRY004 - a row with a bad value is parked on ValueError
    amount = _from_text(value) if isinstance(value, str) else Decimal(str(value))
    if amount is None:
        return None
    if not amount.is_finite():
        raise ValueError("an amount must be finite: correct it in the source")
    try:
        rounded = amount.quantize(_KOPECK, rounding=ROUND_HALF_UP)
    except InvalidOperation:
        raise ValueError("an amount must be below 10^26: correct it in the source") from None
    return rounded or abs(rounded)  # no minus zero


def _from_text(text: str) -> Decimal | None:
    # str.split knows U+00A0 and U+202F, which 1C puts between thousands.
    compact = (
        "".join(text.split())
        .replace("\u2060", "")
        .replace("\u2212", "-")
        .replace("\u2013", "-")
        .replace("\u2014", "-")
    )
    both = _ROUBLES_AND_KOPECKS.fullmatch(compact)
    if both:
        return Decimal(f"{both[1]}.{both[2]:0>2}")
    bare = _CURRENCY.sub("", compact, count=1).replace("'", "").replace("\u2019", "")
    if bare in _EMPTY:
        return None
    if _AMBIGUOUS.fullmatch(bare):
        raise ValueError(
            "an amount with three digits after a comma may mean thousands or a fraction: write it with two decimals"
        )
    if _COMMA_GROUPS.fullmatch(bare):
        bare = bare.replace(",", "")
    elif _DOT_GROUPS.fullmatch(bare):
        bare = bare.replace(".", "").replace(",", ".")
    elif _COMMA_DECIMAL.fullmatch(bare):
        bare = bare.replace(",", ".")
    if not _PLAIN.fullmatch(bare):
        raise ValueError(
            "not an amount: expected a number such as 1 234,50 or 1234.50, with or without «руб.»"
        )
    return Decimal(bare)
