"""Cells as plain values. Each raises ValueError with a reason for a person that does not repeat the cell."""

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from connectors.helix.tables import Cell
from connectors.helix.words import folded
from kreslo.records.dates import parse_birth_date, parse_local
from kreslo.records.money import parse_money

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff]+")
_TIME = re.compile(r"(\d{1,2})[:.\-](\d{2})(?:[:.]\d{2})?")
_SHORT_YEAR = re.compile(r"(\d{1,2}[./-]\d{1,2}[./-])(\d{2})(?!\d)(.*)", re.DOTALL)
_DAY = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:\s+(\d{1,2}):(\d{2})(?::(\d{2}))?)?")
# Excel's days since 30.12.1899: 1954 to 2119. Anything else that is a number is no date.
_SERIAL = (20_000, 80_000)
_EXCEL_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001  a clinic's local time, as the cell is
_UTC = ZoneInfo("UTC")
_OFFSET = re.compile(r":\d{2}(?:[.,]\d+)?\s*(?:Z|[+-]\d{2}:?\d{2})$")
_OLDEST, _NEWEST = 1990, 2200
"""No visit is older than the programs that write the files; 1C's empty date is 01.01.0001."""

_FLAGS = {
    "да": True,
    "истина": True,
    "true": True,
    "1": True,
    "yes": True,
    "+": True,
    "y": True,
    "x": True,
    "х": True,
}
_FLAGS |= {
    "нет": False,
    "ложь": False,
    "false": False,
    "0": False,
    "no": False,
    "-": False,
    "n": False,
    "": False,
}


def text(cell: Cell) -> str:
    """One line, with single spaces: NBSP and line breaks are spaces, control characters are none."""
    if type(cell) is str:
        return " ".join(_CONTROL.sub(" ", cell).split())
    if cell is None or isinstance(cell, bool):
        return "" if cell is None else "Да" if cell else "Нет"
    if isinstance(cell, float):
        # A telephone or a card number that Excel made a number of: 89001234567.0.
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime):
        return f"{cell:%d.%m.%Y %H:%M:%S}" if cell.time() != time() else f"{cell:%d.%m.%Y}"
    if isinstance(cell, date):
        return f"{cell:%d.%m.%Y}"
    return str(cell)


def long_text(cell: Cell) -> str:
    """As `text`, with its lines."""
    if not isinstance(cell, str):
        return text(cell)
    lines = (" ".join(_CONTROL.sub(" ", line).split()) for line in cell.replace("\r", "\n").split("\n"))
    return "\n".join(line for line in lines if line)


def instant(cell: Cell, zone: ZoneInfo, clock: Cell = None) -> datetime | None:
    """In UTC, from one cell or from a date and `clock`, a time of day. None for no date (empty, 01.01.0001)."""
    local = local_of(cell, zone)
    if local is None:
        return None
    if clock is not None:
        hour = time_of(clock)
        if hour is None and local.time() == time():
            raise ValueError("время: пусто")
        if hour is not None:
            local = datetime.combine(local.date(), hour)
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def time_of(cell: Cell) -> time | None:
    """A time of day: 9:00, 09.00, 9-00, Excel's fraction of a day, a date-and-time whose day is 1C's zero."""
    if isinstance(cell, datetime):
        return cell.time()
    if isinstance(cell, time):
        return cell
    if isinstance(cell, timedelta):
        cell = cell / timedelta(days=1)
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        if not 0 <= cell < 1:
            raise ValueError("время: не читается (это число)")
        minutes = min(round(cell * 24 * 60), 24 * 60 - 1)
        return time(*divmod(minutes, 60))
    words = text(cell)
    if not words:
        return None
    match = _TIME.fullmatch(words.rpartition(" ")[2])
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        raise ValueError("время: не читается; нужно ч:мм")
    return time(int(match[1]), int(match[2]))


def birth_date(cell: Cell, today: date) -> date | None:
    if isinstance(cell, (int, float)) and _is_serial(cell):
        cell = (_EXCEL_ZERO + timedelta(days=int(cell))).date()
    words = text(cell)
    try:
        return parse_birth_date(words, today=today)
    except ValueError:
        raise ValueError("дата рождения: не читается или её не бывает; нужно дд.мм.гггг") from None


def money(cell: Cell) -> Decimal | None:
    """None for an empty cell: 1C prints zero so, and what it means is the profile's to say."""
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        return parse_money(cell)
    try:
        return parse_money(text(cell))
    except ValueError:
        raise ValueError("сумма: не читается; нужно число, например 1 234,50") from None


def flag(cell: Cell, what: str) -> bool:
    if isinstance(cell, bool):
        return cell
    known = _FLAGS.get(folded(text(cell)) or text(cell).strip())
    if known is None:
        raise ValueError(f"{what}: не читается; нужно Да или Нет")
    return known


def whole_number(cell: Cell, what: str) -> int | None:
    words = text(cell).removesuffix(" мин").removesuffix("мин.").strip()
    if not words:
        return None
    if not words.isdecimal() or len(words) > 4:
        raise ValueError(f"{what}: не читается; нужно целое число")
    return int(words)


def local_of(cell: Cell, zone: ZoneInfo) -> datetime | None:
    """Naive, as the clinic's clock shows it; None for no date."""
    local: datetime | None
    if isinstance(cell, str):
        local = _of_text(cell)
    elif isinstance(cell, datetime):
        local = cell
    elif isinstance(cell, date):
        local = datetime.combine(cell, time())
    elif _is_serial(cell):
        local = _EXCEL_ZERO + timedelta(minutes=round(float(cell) * 24 * 60))  # type: ignore[arg-type]
    elif cell is None:
        local = None
    else:
        raise ValueError("дата: не читается (это число)")
    if local is None or local.year < _OLDEST:
        return None
    if local.year > _NEWEST:
        raise ValueError("дата: такого года не бывает")
    return local if local.tzinfo is None else local.astimezone(zone).replace(tzinfo=None)


@lru_cache(maxsize=8192)
def _of_text(cell: str) -> datetime | None:
    """Naive, or aware where the text names an offset. Texts repeat: a day's visits stand at the same half hours."""
    match = _DAY.fullmatch(cell)
    if match is not None:
        try:
            return datetime(*(int(match[part] or 0) for part in (3, 2, 1, 4, 5, 6)))  # type: ignore[arg-type]  # noqa: DTZ001
        except ValueError:
            # 00.00.0000 is an empty mask, 31.02.2026 is a mistake.
            if match[3] == "0000":
                return None
            raise ValueError("дата: такого дня или часа не бывает") from None
    words = text(cell)
    if not words.strip(" .:-/_0"):
        return None
    short = _SHORT_YEAR.fullmatch(words)
    if short is not None:
        words = f"{short[1]}20{short[2]}{short[3]}"
    try:
        found = parse_local(words, _UTC)
    except ValueError:
        raise ValueError("дата: не читается; нужно дд.мм.гггг ч:мм") from None
    return found if _OFFSET.search(words) else found.replace(tzinfo=None)


def _is_serial(cell: Cell) -> bool:
    return isinstance(cell, (int, float)) and not isinstance(cell, bool) and _SERIAL[0] <= cell < _SERIAL[1]
