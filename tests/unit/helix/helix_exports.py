"""Writes tables as 1C, Excel and people write them, in every format and encoding that the source reads."""

import io
import json
import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

import xlsxwriter
import xlwt

from connectors.helix.columns import Columns
from connectors.helix.formats import open_table
from connectors.helix.options import HelixOptions, ProfileOptions
from connectors.helix.rows import Draft, Rows
from connectors.helix.tables import Bad, Shape

TITLES = ("ФИО", "Телефон", "Дата и время", "Врач", "Сумма", "Примечание")
DBF_NAMES = ("FIO", "TEL", "DATAVREMYA", "VRACH", "SUMMA", "PRIM")
DBF_COLUMNS = {
    "name": "FIO",
    "phone": "TEL",
    "starts_at": "DATAVREMYA",
    "doctor": "VRACH",
    "amount": "SUMMA",
    "comment": "PRIM",
}
ZONE = ZoneInfo("Europe/Moscow")
NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)

Cells = Sequence[Any]


def csv_text(rows: Sequence[Cells], titles: Cells = TITLES) -> str:
    """As a writer that knows how: quotes where they are needed."""

    def cell(value: Any) -> str:
        text = str(value)
        return '"' + text.replace('"', '""') + '"' if set(text) & set(';"\r\n') else text

    return "".join(";".join(map(cell, row)) + "\r\n" for row in (titles, *rows))


def xml_text(rows: Sequence[Cells], encoding: str = "utf-8") -> str:
    tags = [title.replace(" ", "") for title in TITLES]
    body = "".join(
        "\t<Запись>\n"
        + "".join(
            f"\t\t<{tag}>{escape(str(value))}</{tag}>\n"
            for tag, value in zip(tags, row, strict=True)
            if value != ""
        )
        + "\t</Запись>\n"
        for row in rows
    )
    return f'<?xml version="1.0" encoding="{encoding}"?>\n<Визиты>\n{body}</Визиты>\n'


def json_text(rows: Sequence[Cells]) -> str:
    return json.dumps([dict(zip(TITLES, row, strict=True)) for row in rows], ensure_ascii=False, indent=1)


def xlsx_bytes(rows: Sequence[Cells], above: Sequence[Cells] = ()) -> bytes:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        book.set_properties({"created": NOW.replace(tzinfo=None)})  # the same bytes at any time of day
        sheet = book.add_worksheet("Визиты")
        formats = book.add_format({"num_format": "dd.mm.yyyy hh:mm"})
        for place, row in enumerate((*above, TITLES, *rows)):
            for column, value in enumerate(row):
                if isinstance(value, datetime):
                    sheet.write_datetime(place, column, value, formats)
                elif isinstance(value, (int, float)):
                    sheet.write_number(place, column, value)
                else:
                    sheet.write_string(place, column, str(value))
    return target.getvalue()


def xls_bytes(rows: Sequence[Cells], above: Sequence[Cells] = ()) -> bytes:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Визиты")
    style = xlwt.easyxf(num_format_str="dd.mm.yyyy hh:mm")
    for place, row in enumerate((*above, TITLES, *rows)):
        for column, value in enumerate(row):
            if isinstance(value, datetime):
                sheet.write(place, column, value, style)
            else:
                sheet.write(place, column, value)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def dbf_bytes(rows: Sequence[Cells], encoding: str, *, driver: int = 0) -> bytes:
    width = 60
    length = 1 + width * len(DBF_NAMES)
    start = 32 + 32 * len(DBF_NAMES) + 1
    head = struct.pack("<BBBBIHH17xB2x", 3, 126, 11, 21, len(rows), start, length, driver)
    fields = b"".join(struct.pack("<11sc4xBB14x", name.encode(), b"C", width, 0) for name in DBF_NAMES)
    body = b"".join(
        b" " + b"".join(str(value).encode(encoding, "replace")[:width].ljust(width) for value in row)
        for row in rows
    )
    return head + fields + b"\r" + body + b"\x1a"


Writer = Callable[[Sequence[Cells]], bytes]


def text_writer(make: Callable[[Sequence[Cells]], str], encoding: str) -> Writer:
    return lambda rows: make(rows).encode(encoding)


def writers() -> dict[str, tuple[str, Writer]]:
    """By `format/encoding`: the file's ending and what writes it."""
    encodings = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1251", "cp866")
    found: dict[str, tuple[str, Writer]] = {}
    for encoding in encodings:
        found[f"csv/{encoding}"] = ("csv", text_writer(csv_text, encoding))
        found[f"json/{encoding}"] = ("json", text_writer(json_text, encoding))
        names = {"cp1251": "windows-1251", "utf-8-sig": "utf-8", "utf-16-le": "utf-16", "utf-16-be": "utf-16"}
        declared = names.get(encoding, encoding)
        found[f"xml/{encoding}"] = (
            "xml",
            text_writer(lambda rows, declared=declared: xml_text(rows, declared), encoding),
        )
    for encoding, driver in (("cp866", 0x65), ("cp866", 0), ("cp1251", 0xC9), ("cp1251", 0)):
        found[f"dbf/{encoding}/{driver:02x}"] = (
            "dbf",
            lambda rows, encoding=encoding, driver=driver: dbf_bytes(rows, encoding, driver=driver),
        )
    found["xlsx"] = ("xlsx", xlsx_bytes)
    found["xls"] = ("xls", xls_bytes)
    return found


def profile(**more: Any) -> ProfileOptions:
    return ProfileOptions.model_validate({"row": "completed", "files": "*", **more})


def options(folder: Path, **profiles: Any) -> HelixOptions:
    return HelixOptions.model_validate(
        {
            "timezone": "Europe/Moscow",
            "folder": folder,
            "state": folder / "state",
            "profiles": profiles or {"visits": {"row": "completed", "files": "*"}},
        }
    )


def read(path: Path, wanted: ProfileOptions | None = None) -> tuple[Shape, list[Draft], dict[int, str]]:
    """The file's shape, its drafts, and its bad rows with their reasons."""
    wanted = wanted or profile()
    table = open_table(path, wanted, Columns(wanted))
    rows = Rows(options(path.parent), wanted, NOW.date())
    drafts: list[Draft] = []
    bad: dict[int, str] = {}
    for item in table.rows:
        if isinstance(item, Bad):
            bad[item.number] = item.reason
            continue
        try:
            drafts.append(rows.draft(item))
        except ValueError as error:
            bad[item.number] = str(error)
    return table.shape, drafts, bad


def gist(draft: Draft) -> tuple[Any, ...]:
    """What a reminder needs of a row, as plain values."""
    person = draft.person
    doctor = draft.fields.get("doctor")
    return (
        f"{person.surname} {person.name}",
        tuple(phone.e164 for phone in person.phones),
        f"{draft.fields['starts_at'].astimezone(ZONE):%d.%m.%Y %H:%M}",
        doctor.name if doctor else "",
        str(draft.fields.get("amount")),
    )


def seeded(seed: int) -> Random:
    return Random(seed)
