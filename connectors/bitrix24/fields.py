"""Field values: from ours to the wire, back, and what the portal will make of ours (`canonical`)."""

import html
import math
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from connectors.bitrix24.numbers import neutral_phone
from kreslo.connectors.errors import DataError
from kreslo.connectors.model import FieldDef, FieldType, Value

_CENT = Decimal("0.01")
_TITLE_LENGTH = 255


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field as the portal describes it. `wire`: its own type (`USER_TYPE_ID`, or the type of a standard field);
    `item_name`: what crm.item.* calls it; `precision`: digits after the point of a `double`.
    """

    definition: FieldDef
    wire: str
    item_name: str
    custom: bool = False
    precision: int = 4

    @property
    def code(self) -> str:
        return self.definition.code

    @property
    def name(self) -> str:
        return f"«{self.definition.title}» ({self.code})"


def canonical(field: Field, value: Value) -> Value:
    """What `decode` will give once the portal has stored `encode(value)`. Raises DataError as `encode` does."""
    match field.definition.type:
        case FieldType.PHONE | FieldType.EMAIL:
            return contacts_of(field.definition.type, as_tuple(value)) or None
        case _ if field.definition.multiple:
            several = tuple(
                str(one)
                for item in as_tuple(value)
                if (one := _CANONICAL[field.definition.type](field, item)) is not None
            )
            return several or None
        case _:
            return _CANONICAL[field.definition.type](field, _single(field, value))


def encode(field: Field, value: Value, *, currency: str = "RUB", item: bool = False) -> Any:
    """The value for a request; `item`: for crm.item.*. "" clears. Phones and e-mails are rows, not handled here.
    Raises DataError where the field cannot hold the value: the portal would drop it in silence.
    """
    if field.definition.multiple:
        several = [_wire(field, canonical_one, currency, item) for canonical_one in _several(field, value)]
        return several or [""]
    return _wire(field, canonical(field, value), currency, item)


def decode(field: Field, raw: Any) -> Value:
    """A value of an answer. What cannot be read as the field's type is taken for empty only if it is."""
    if field.definition.type in (FieldType.PHONE, FieldType.EMAIL):
        texts = (
            tuple(str(row.get("VALUE", "")) for row in raw if isinstance(row, dict))
            if isinstance(raw, list)
            else ()
        )
        return contacts_of(field.definition.type, texts) or None
    if field.definition.multiple:
        if not isinstance(raw, list):
            return None
        several = tuple(str(one) for item in raw if (one := _decode_one(field, item)) is not None)
        return several or None
    return _decode_one(field, raw[0] if isinstance(raw, list) and raw else raw)


def contacts_of(kind: FieldType, texts: tuple[str, ...]) -> tuple[str, ...]:
    """Numbers as E.164 (a text that is no number stays as it is), addresses in lower case; each once."""
    if kind is FieldType.PHONE:
        return tuple(dict.fromkeys(one for text in texts if (one := neutral_phone(text))))
    return tuple(dict.fromkeys(one for text in texts if (one := clean(text).lower())))


def clean(text: str) -> str:
    """Without control characters and lone surrogates (PHP and MySQL lose the text after them), with plain line ends,
    without space around.
    """
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = (char for char in plain if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cs"))
    return "".join(kept).strip()


def as_tuple(value: Value) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    return value if isinstance(value, tuple) else (_text_of(value),)


# --- ours → canonical -------------------------------------------------------------------------------------------


def _single(field: Field, value: Value) -> Any:
    if isinstance(value, tuple):
        if field.definition.type is not FieldType.TEXT and len(value) > 1:
            raise DataError(f"Поле {field.name} хранит одно значение, а их {len(value)}")
        value = ", ".join(value)
    return None if value == "" else value


def _several(field: Field, value: Value) -> tuple[str, ...]:
    found = canonical(field, value)
    return found if isinstance(found, tuple) else ()


def _text(field: Field, value: Any) -> Value:
    if value is None:
        return None
    text = clean(_text_of(value))
    if field.code == "COMMENTS":
        text = _without_markup(text)
    if field.code == "TITLE":
        text = text[:_TITLE_LENGTH].strip()
    return text or None


def _without_markup(text: str) -> str:
    """The portal cleans HTML in comments and gives BB-code back; only the words are compared."""
    return html.unescape(_MARKUP.sub("", _BREAK.sub("\n", text))).strip()


_BREAK = re.compile(r"<br\s*/?>|\[br\]", re.IGNORECASE)
_MARKUP = re.compile(
    r"</?[a-z][^<>]*>|\[/?(?:b|i|u|s|p|list|\*|url|color|size|font|img)(?:=[^\]]*)?\]", re.IGNORECASE
)


def _text_of(value: Any) -> str:
    if isinstance(value, bool):
        return "Да" if value else "Нет"
    if isinstance(value, datetime):
        return value.isoformat(timespec="minutes")
    return str(value)


def _number(field: Field, value: Any) -> Value:
    number = _decimal(field, value)
    if number is None:
        return None
    if field.wire == "integer":
        if number != number.to_integral_value():
            raise DataError(f"Поле {field.name} — целое число, а значение {number}")
        return int(number)
    rounded = round(float(number), field.precision)
    return int(rounded) if rounded.is_integer() else rounded


def _money(field: Field, value: Any) -> Value:
    number = _decimal(field, value)
    if number is None:
        return None
    amount = number.quantize(_CENT)
    # The card's own amount is never empty in Bitrix24: what was not filled in is 0.00.
    return None if amount == 0 and not field.custom else amount


def _decimal(field: Field, value: Any) -> Decimal | None:
    if value is None:
        return None
    if isinstance(value, float) and not math.isfinite(value):
        raise DataError(f"Поле {field.name}: {value} — не число")
    try:
        number = Decimal(str(value).replace(",", ".").replace("\u00a0", "").replace(" ", ""))
    except InvalidOperation:
        raise DataError(f"Поле {field.name} — число, а значение нельзя так прочесть") from None
    if not number.is_finite():
        raise DataError(f"Поле {field.name}: {value} — не число")
    return number


def _boolean(field: Field, value: Any) -> Value:
    match value:
        case None:
            return False  # a flag is never empty once written
        case bool():
            return value
        case int() | float() | Decimal():
            return value != 0
        case str() if value.strip().lower() in _YES:
            return True
        case str() if value.strip().lower() in _NO:
            return False
    raise DataError(f"Поле {field.name} — «да» или «нет», а значение нельзя так прочесть")


_YES = frozenset(("y", "yes", "1", "true", "да"))
_NO = frozenset(("n", "no", "0", "false", "нет"))


def _date(field: Field, value: Any) -> Value:
    match value:
        case None:
            return None
        case datetime():
            return value.date()
        case date():
            return value
        case str():
            try:
                return date.fromisoformat(value.strip()[:10])
            except ValueError:
                pass
    raise DataError(f"Поле {field.name} — дата, а значение нельзя так прочесть")


def _datetime(field: Field, value: Any) -> Value:
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            value = None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise DataError(f"Поле {field.name} — время с часовым поясом, а значение нельзя так прочесть")
    return value.astimezone(UTC).replace(microsecond=0)


def _enum(field: Field, value: Any) -> Value:
    """The option's title; its code (`WEB`) is understood too."""
    if value is None:
        return None
    asked = clean(_text_of(value))
    options = field.definition.options
    for title in options.values():
        if title.strip().casefold() == asked.casefold():
            return title
    if asked in options:
        return options[asked]
    raise DataError(
        f"В поле {field.name} нет варианта «{asked}». Добавьте его в портале или исправьте настройку"
    )


def _reference(_: Field, value: Any) -> Value:
    return None if value is None else clean(_text_of(value)) or None


_CANONICAL: dict[FieldType, Callable[[Field, Any], Value]] = {
    FieldType.TEXT: _text,
    FieldType.NUMBER: _number,
    FieldType.MONEY: _money,
    FieldType.BOOLEAN: _boolean,
    FieldType.DATE: _date,
    FieldType.DATETIME: _datetime,
    FieldType.ENUM: _enum,
    FieldType.REFERENCE: _reference,
}


# --- canonical → wire -------------------------------------------------------------------------------------------


def _wire(field: Field, value: Value, currency: str, item: bool) -> str:
    match value:
        case None:
            return "0" if field.definition.type is FieldType.MONEY and not field.custom else ""
        case bool():
            as_letter = item or field.wire == "char"
            return ("Y" if value else "N") if as_letter else ("1" if value else "0")
        case Decimal():
            return f"{value:.2f}|{currency}" if field.wire == "money" else f"{value:.2f}"
        case datetime():
            return value.isoformat(timespec="seconds")
        case date():
            return value.isoformat()
        case float():
            return f"{value:.{field.precision}f}".rstrip("0").rstrip(".")
        case str() if field.definition.type is FieldType.ENUM:
            return next(code for code, title in field.definition.options.items() if title == value)
    return str(value)


# --- wire → ours ------------------------------------------------------------------------------------------------


def _decode_one(field: Field, raw: Any) -> Value:
    if raw is None or raw is False or raw == "":
        # `false` is an empty multiple field, or a boolean of crm.item.*
        return False if raw is False and field.definition.type is FieldType.BOOLEAN else None
    text = str(raw)
    match field.definition.type:
        case FieldType.ENUM:
            return field.definition.options.get(text) or (None if text == "0" else text)
        case FieldType.REFERENCE:
            return None if text == "0" else text
        case FieldType.MONEY:
            return _money(field, text.split("|", maxsplit=1)[0]) if text.split("|", maxsplit=1)[0] else None
        case FieldType.DATE:
            # A date comes as midnight with the portal's offset: its own date part is meant, not that in UTC.
            return _date(field, text)
        case kind:
            return _CANONICAL[kind](field, raw if isinstance(raw, bool | int | float) else text)
