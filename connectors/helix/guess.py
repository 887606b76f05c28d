"""A profile to start from, guessed from a sample file, with what was guessed and why. Never shows what stands in a row."""

import re
from collections import Counter
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path

from connectors.helix.columns import Columns
from connectors.helix.formats import Bad, open_table
from connectors.helix.options import HelixOptions, ProfileOptions
from connectors.helix.rows import Rows
from connectors.helix.tables import FileError, Shape, Table
from connectors.helix.words import COLUMNS, folded
from kreslo.connectors.contract import SampleReport
from kreslo.connectors.errors import DataError

_ROWS = 1000
_NAMES = {
    "appointment": "visits",
    "completed": "completed",
    "patient": "patients",
    "enquiry": "enquiries",
    "campaign": "recommendations",
}
_WHAT = {
    "campaign": "строка списка кампании",
    "appointment": "запись на приём",
    "completed": "завершённый приём",
    "patient": "пациент",
    "enquiry": "обращение",
}


def propose(path: Path, today: date | None = None) -> SampleReport:
    """Raises DataError where the file cannot be read, with what to do."""
    today = today or datetime.now(UTC).date()
    try:
        table, columns = _opened(path)
        row, why = _row_of(table, path, today)
        shape = table.shape
        good, reasons = _tried(path, row, today)
    except FileError as error:
        raise DataError(f"{path.name}: {error}") from error
    except OSError as error:
        raise DataError(f"{path.name}: не открывается ({error.strerror})") from error
    notes = [f"формат {shape.format}: по первым байтам", *shape.why, f"строка: {_WHAT[row]}, {why}"]
    notes += _columns_said(shape)
    notes.append(f"прочитано строк: {good}" + (f"; отложено: {sum(reasons.values())}" if reasons else ""))
    notes += [f"отложено {count}: {reason}" for reason, count in reasons.most_common(5)]
    return SampleReport(text=_yaml(path, row, shape, columns), notes=tuple(notes))


def _opened(path: Path) -> tuple[Table, dict[str, str]]:
    """The file, read as the least that it may be, and the titles by canonical name."""
    last: FileError | None = None
    for row in ("patient", "enquiry"):
        profile = ProfileOptions.model_validate({"row": row, "files": "*"})
        try:
            table = open_table(path, profile, Columns(profile))
        except FileError as error:
            last = last or error
            continue
        return table, {name: title for title, name in table.shape.columns if name}
    raise last or FileError("файл не читается")


def _row_of(table: Table, path: Path, today: date) -> tuple[str, str]:
    names = {name for _, name in table.shape.columns}
    if "mark" in names:
        return "campaign", "потому что есть отметка врача: список рекомендаций"
    if names & {"starts_at", "date"}:
        if "amount" in names:
            return "completed", "потому что есть время и сумма"
        days = _days(path, today)
        if days and max(days) <= today:
            return "completed", "потому что все даты в прошлом"
        return "appointment", "потому что есть время приёма и даты впереди"
    if "created_at" in names and names & {"phone", "phone_other"}:
        return "enquiry", "потому что есть телефон и дата обращения"
    if names & {"name", "surname", "patient_id"}:
        return "patient", "потому что есть имя и нет времени приёма"
    return "enquiry", "потому что есть телефон и нет имени"


def _days(path: Path, today: date) -> list[date]:
    profile = ProfileOptions.model_validate({"row": "appointment", "files": "*"})
    rows = _rows(profile, today)
    days: list[date] = []
    for item in islice(open_table(path, profile, Columns(profile)).rows, _ROWS):
        if not isinstance(item, Bad):
            try:
                day = rows.draft(item).day
            except ValueError:
                continue  # counted when the rows are tried
            if day is not None:
                days.append(day)
    return days


def _tried(path: Path, row: str, today: date) -> tuple[int, Counter[str]]:
    profile = ProfileOptions.model_validate({"row": row, "files": "*", **_campaign(row)})
    rows = _rows(profile, today)
    good, reasons = 0, Counter[str]()
    for item in islice(open_table(path, profile, Columns(profile)).rows, _ROWS):
        try:
            if isinstance(item, Bad):
                raise ValueError(item.reason)  # noqa: TRY004, TRY301  a bad row, whoever found it
            rows.draft(item)
        except ValueError as error:
            reasons[str(error)] += 1
        else:
            good += 1
    return good, reasons


def _campaign(row: str) -> dict[str, str]:
    return {"campaign": _NAMES[row]} if row == "campaign" else {}


def _rows(profile: ProfileOptions, today: date) -> Rows:
    settings = {"timezone": "Europe/Moscow", "folder": ".", "state": "state", "profiles": {"sample": profile}}
    return Rows(HelixOptions.model_validate(settings), profile, today)


def _columns_said(shape: Shape) -> list[str]:
    known = [f"«{title.strip()}» → {name}" for title, name in shape.columns if name]
    unknown = [f"«{title.strip()}»" for title, name in shape.columns if not name and title.strip()]
    said = [f"колонки: {', '.join(known)}"]
    if unknown:
        said.append(f"не узнаны и не читаются: {', '.join(unknown)}; нужную впишите в columns")
    return said


def _yaml(path: Path, row: str, shape: Shape, columns: dict[str, str]) -> str:
    """A piece for `source: profiles:`. What the usual titles already say is not repeated."""
    encoding = {"utf-8-sig": "utf-8"}.get(shape.encoding, shape.encoding)
    pattern = re.sub(r"\d{1,4}(?:[-_.]?\d{1,2}){1,5}|\d{3,}", "*", path.stem) + path.suffix
    lines = [
        "profiles:",
        f"  {_NAMES[row]}:",
        f"    row: {row}",
        *(f"    {key}: {value}" for key, value in _campaign(row).items()),
        f'    files: "{pattern}"',
        f"    format: {shape.format}",
        *([f"    encoding: {encoding}"] if encoding and shape.format != "dbf" else []),
        *([f'    delimiter: "{_escaped(shape.delimiter)}"'] if shape.delimiter else []),
    ]
    own = {name: title for name, title in columns.items() if folded(title) not in map(folded, COLUMNS[name])}
    if own:
        lines += ["    columns:", *(f'      {name}: "{title.strip()}"' for name, title in own.items())]
    ids = "appointment_id" in columns or ("patient_id" in columns and row == "patient")
    mode = "snapshot" if row in {"appointment", "patient"} else "append"
    lines += [
        f"    mode: {mode}",
        *(
            ["    # key: [patient, starts_at]  # кодов записи в файле нет: приём узнаётся так"]
            if not ids and row not in {"patient", "campaign"}
            else []
        ),
        '    schedule: {at: ["14:00"], tolerance: 20m}  # когда файл приходит; без расписания тревоги нет',
    ]
    return "\n".join(lines) + "\n"


def _escaped(delimiter: str) -> str:
    return {"\t": "\\t"}.get(delimiter, delimiter)
