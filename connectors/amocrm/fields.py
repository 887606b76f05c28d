"""Field values: from ours to the wire, back, and what the account will make of ours (`canonical`)."""

import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import msgspec

from kreslo.connectors.errors import DataError
from kreslo.connectors.model import FieldDef, FieldType, Value
from kreslo.records import Phone
from kreslo.records.phones import last_ten, parse_phones

_CENT = Decimal("0.01")
_NAME_LENGTH = 250
_DIGITS = 6  # after the point of a number
_KEPT = 20_000
_FEWEST = 7  # digits of a number worth comparing
_NOON = time(12)

LISTS = (FieldType.PHONE, FieldType.EMAIL)


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field as the account describes it. `wire`: its own type; `id`: of a custom field, 0 for a property of the
    card itself, which is then written under `code`.
    """

    definition: FieldDef
    wire: str
    id: int = 0

    @property
    def code(self) -> str:
        return self.definition.code

    @property
    def name(self) -> str:
        return f"«{self.definition.title}» ({self.code})"


def canonical(field: Field, value: Value, zone: tzinfo) -> Value:
    """What `decode` will give once the account has stored `encode(value)`. Raises DataError as `encode` does."""
    definition = field.definition
    if definition.type in LISTS:
        return contacts_of(definition.type, as_tuple(value)) or None
    if definition.multiple:
        several = (_CANONICAL[definition.type](field, one, zone) for one in as_tuple(value))
        return tuple(dict.fromkeys(str(one) for one in several if one is not None)) or None
    return _CANONICAL[definition.type](field, _single(field, value), zone)


def encode(field: Field, value: Value, zone: tzinfo) -> list[dict[str, Any]] | None:
    """`values` of a custom field that is no list of phones or e-mails; None clears it. Raises DataError where the field
    cannot hold the value.
    """
    found = canonical(field, value, zone)
    several = found if isinstance(found, tuple) else (() if found is None else (found,))
    return [_wire(field, one, zone) for one in several] or None


def decode(field: Field, values: Sequence[Any], zone: tzinfo) -> Value:
    """Of an answer's `values`, empty where the card has none."""
    definition = field.definition
    cells = [cell for cell in values if isinstance(cell, Mapping)]
    if definition.type in LISTS:
        return contacts_of(definition.type, tuple(str(cell.get("value", "")) for cell in cells)) or None
    read = [one for cell in cells if (one := _decode_one(field, cell, zone)) is not None]
    if definition.multiple:
        return tuple(str(one) for one in read) or None
    if not read:
        return False if definition.type is FieldType.BOOLEAN else None
    return read[0]


def contacts_of(kind: FieldType, texts: tuple[str, ...]) -> tuple[str, ...]:
    """Numbers as E.164 (a text that is no number stays as it is), addresses in lower case; each once."""
    if kind is FieldType.PHONE:
        return tuple(dict.fromkeys(one for text in texts if (one := neutral_phone(text))))
    return tuple(dict.fromkeys(one for text in texts if (one := clean(text).lower())))


def clean(text: str) -> str:
    """Without control characters and lone surrogates, with plain line ends, without space around."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = (char for char in plain if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cs"))
    return "".join(kept).strip()


def as_tuple(value: Value) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    return value if isinstance(value, tuple) else (_text_of(value),)


# --- telephone numbers ------------------------------------------------------------------------------------------


@lru_cache(maxsize=_KEPT)
def phones_in(text: str) -> tuple[Phone, ...]:
    return parse_phones(text)


def neutral_phone(text: str) -> str:
    """E.164 of the number in a cell's text; the text itself where it holds none, so that it is still seen."""
    found = phones_in(text)
    return found[0].e164 if found else text.strip()


@lru_cache(maxsize=_KEPT)
def comparable(text: str) -> str:
    """The last ten digits, "" for what is too short to be a number: what two spellings of one number share."""
    digits = last_ten(text)
    return digits if len(digits) >= _FEWEST else ""


# --- ours → canonical -------------------------------------------------------------------------------------------


def _single(field: Field, value: Value) -> Any:
    if isinstance(value, tuple):
        if field.definition.type is not FieldType.TEXT and len(value) > 1:
            raise DataError(f"Поле {field.name} хранит одно значение, а их {len(value)}")
        value = ", ".join(value)
    return None if value == "" else value


def _text(field: Field, value: Any, _: tzinfo) -> Value:
    if value is None:
        return None
    text = clean(_text_of(value))
    if field.wire != "textarea":
        text = re.sub(r"\s*\n\s*", " ", text)  # a line of the card, not a paragraph
    if field.code in {"name", "first_name", "last_name"}:
        text = text[:_NAME_LENGTH].strip()
    return text or None


def _text_of(value: Any) -> str:
    if isinstance(value, bool):
        return "Да" if value else "Нет"
    if isinstance(value, datetime):
        return value.isoformat(timespec="minutes")
    return str(value)


def _number(field: Field, value: Any, _: tzinfo) -> Value:
    number = _decimal(field, value)
    if number is None:
        return None
    rounded = round(float(number), _DIGITS)
    return int(rounded) if rounded.is_integer() else rounded


def _money(field: Field, value: Any, _: tzinfo) -> Value:
    number = _decimal(field, value)
    if number is None:
        return None
    if field.id:
        return number.quantize(_CENT, ROUND_HALF_UP)
    # The card's own budget is a whole number, and is never empty: what was not filled in is 0.
    return number.quantize(Decimal(1), ROUND_HALF_UP) or None


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


_YES = frozenset(("y", "yes", "1", "true", "да"))
_NO = frozenset(("n", "no", "0", "false", "нет"))


def _boolean(field: Field, value: Any, _: tzinfo) -> Value:
    match value:
        case None:
            return False  # a flag that was never set reads as one that is not
        case bool():
            return value
        case int() | float() | Decimal():
            return value != 0
        case str() if value.strip().lower() in _YES:
            return True
        case str() if value.strip().lower() in _NO:
            return False
    raise DataError(f"Поле {field.name} — «да» или «нет», а значение нельзя так прочесть")


def _date(field: Field, value: Any, _: tzinfo) -> Value:
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


def _datetime(field: Field, value: Any, _: tzinfo) -> Value:
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


def _enum(field: Field, value: Any, _: tzinfo) -> Value:
    """The option's title; its id is understood too."""
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
        f"В поле {field.name} нет варианта «{asked}». Добавьте его в amoCRM или исправьте настройку"
    )


def _reference(_: Field, value: Any, __: tzinfo) -> Value:
    return None if value is None else clean(_text_of(value)) or None


_CANONICAL: dict[FieldType, Callable[[Field, Any, tzinfo], Value]] = {
    FieldType.TEXT: _text,
    FieldType.NUMBER: _number,
    FieldType.MONEY: _money,
    FieldType.BOOLEAN: _boolean,
    FieldType.DATE: _date,
    FieldType.DATETIME: _datetime,
    FieldType.ENUM: _enum,
    FieldType.REFERENCE: _reference,
}


# --- canonical → wire, wire → ours ------------------------------------------------------------------------------


def option_id(field: Field, title: Value) -> int | None:
    found = next((code for code, known in field.definition.options.items() if known == title), None)
    return None if found is None else int(found)


def _wire(field: Field, value: Any, zone: tzinfo) -> dict[str, Any]:
    match value:
        case bool():
            return {"value": value}
        case Decimal():
            return {"value": float(value)}
        case datetime():
            return {"value": value.astimezone(zone).isoformat(timespec="seconds")}
        case date():
            # Noon in the account's own zone: no difference of zones makes another day of it.
            return {"value": datetime.combine(value, _NOON, zone).isoformat(timespec="seconds")}
        case str() if field.definition.type is FieldType.ENUM:
            return {"enum_id": option_id(field, value)}
    return {"value": value}


def _decode_one(field: Field, cell: Mapping[str, Any], zone: tzinfo) -> Value:
    raw = cell.get("value")
    if field.definition.type is FieldType.ENUM and (
        known := field.definition.options.get(str(cell.get("enum_id")))
    ):
        return known
    if raw is None or raw == "":
        return None
    match field.definition.type:
        case FieldType.DATE if isinstance(raw, int) or str(raw).lstrip("-").isdecimal():
            # Midnight by the account's zone; two hours more, since its idea of old offsets may differ from ours.
            return (_at(int(raw)) + timedelta(hours=2)).astimezone(zone).date()
        case FieldType.DATETIME if isinstance(raw, int) or str(raw).lstrip("-").isdecimal():
            return _at(int(raw))
        case FieldType.ENUM:
            return str(raw)
        case FieldType.TEXT | FieldType.REFERENCE:
            return clean(_text_of(raw)) or None
        case kind:
            return _CANONICAL[kind](field, raw, zone)


def _at(seconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
