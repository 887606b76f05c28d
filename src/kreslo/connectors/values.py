"""What a value of ours means to a field of a CRM, before that CRM's own ways: cleaned texts, numbers, dates, options.

Each function raises DataError with the field's name where the value cannot be read as what the field holds; `name` is
the field's, for that message. The value itself is never shown: it may be a patient's.
"""

import math
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from kreslo.connectors.errors import DataError
from kreslo.connectors.model import FieldDef, FieldType, Value
from kreslo.connectors.numbers import neutral_phone

_YES = frozenset(("y", "yes", "1", "true", "да"))
_NO = frozenset(("n", "no", "0", "false", "нет"))


def clean(text: str) -> str:
    """Without control characters and lone surrogates (PHP and MySQL lose the text after them), with plain line ends,
    without space around.
    """
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = (char for char in plain if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cs"))
    return "".join(kept).strip()


def text_of(value: Any) -> str:
    if isinstance(value, bool):
        return "Да" if value else "Нет"
    if isinstance(value, datetime):
        return value.isoformat(timespec="minutes")
    return str(value)


def cleaned(value: Any) -> str | None:
    """None for what is empty."""
    return None if value is None else clean(text_of(value)) or None


def as_tuple(value: Value) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    return value if isinstance(value, tuple) else (text_of(value),)


def contacts_of(kind: FieldType, texts: tuple[str, ...]) -> tuple[str, ...]:
    """Numbers as E.164 (a text that is no number stays as it is), addresses in lower case; each once."""
    if kind is FieldType.PHONE:
        return tuple(dict.fromkeys(one for text in texts if (one := neutral_phone(text))))
    return tuple(dict.fromkeys(one for text in texts if (one := clean(text).lower())))


def single(name: str, definition: FieldDef, value: Value) -> Any:
    """The one value of a field that holds one; several texts become one text."""
    if isinstance(value, tuple):
        if definition.type is not FieldType.TEXT and len(value) > 1:
            raise DataError(f"Поле {name} хранит одно значение, а их {len(value)}")
        value = ", ".join(value)
    return None if value == "" else value


def decimal_of(name: str, value: Any) -> Decimal | None:
    if value is None:
        return None
    if isinstance(value, float) and not math.isfinite(value):
        raise DataError(f"Поле {name}: {value} — не число")
    try:
        number = Decimal(str(value).replace(",", ".").replace("\u00a0", "").replace(" ", ""))
    except InvalidOperation:
        raise DataError(f"Поле {name} — число, а значение нельзя так прочесть") from None
    if not number.is_finite():
        raise DataError(f"Поле {name}: {value} — не число")
    return number


def rounded_of(number: Decimal, digits: int) -> int | float:
    """Rounded to so many digits after the point; a whole number is an int."""
    rounded = round(float(number), digits)
    return int(rounded) if rounded.is_integer() else rounded


def boolean_of(name: str, value: Any) -> bool:
    """A flag is never empty in a CRM: one that was never set reads as one that is not."""
    match value:
        case None:
            return False
        case bool():
            return value
        case int() | float() | Decimal():
            return value != 0
        case str() if value.strip().lower() in _YES:
            return True
        case str() if value.strip().lower() in _NO:
            return False
    raise DataError(f"Поле {name} — «да» или «нет», а значение нельзя так прочесть")


def date_of(name: str, value: Any) -> date | None:
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
    raise DataError(f"Поле {name} — дата, а значение нельзя так прочесть")


def instant_of(name: str, value: Any) -> datetime | None:
    """In UTC, to the second."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            value = None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise DataError(f"Поле {name} — время с часовым поясом, а значение нельзя так прочесть")
    return value.astimezone(UTC).replace(microsecond=0)


def option_of(name: str, options: Mapping[str, str], value: Any, where: str) -> str | None:
    """The title of the option that is meant, whatever its letters' case; its code is understood too. `where`: the CRM's
    name in the prepositional case, for the message.
    """
    if value is None:
        return None
    asked = clean(text_of(value))
    for title in options.values():
        if title.strip().casefold() == asked.casefold():
            return title
    if asked in options:
        return options[asked]
    raise DataError(f"В поле {name} нет варианта «{asked}». Добавьте его в {where} или исправьте настройку")
