from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.bitrix24.fields import Field, canonical, decode, encode
from kreslo.connectors.errors import DataError
from kreslo.connectors.model import Entity, FieldDef, FieldType, Value


def field(
    kind: FieldType,
    wire: str,
    *,
    code: str = "UF_CRM_X",
    multiple: bool = False,
    options: dict[str, str] | None = None,
) -> Field:
    definition = FieldDef(Entity.DEAL, code, "Поле", kind, multiple, options=options or {})
    return Field(definition=definition, wire=wire, item_name="ufCrmX", custom=code.startswith("UF_"))


TEXT = field(FieldType.TEXT, "string")
INTEGER = field(FieldType.NUMBER, "integer")
DOUBLE = field(FieldType.NUMBER, "double")
MONEY = field(FieldType.MONEY, "money")
AMOUNT = field(FieldType.MONEY, "double", code="OPPORTUNITY")
FLAG = field(FieldType.BOOLEAN, "boolean")
LETTER = field(FieldType.BOOLEAN, "char", code="OPENED")
DAY = field(FieldType.DATE, "date")
MOMENT = field(FieldType.DATETIME, "datetime")
LIST = field(FieldType.ENUM, "enumeration", options={"31": "Первичный", "32": "Повторный"})
LISTS = field(FieldType.ENUM, "enumeration", multiple=True, options={"31": "Первичный", "32": "Повторный"})
TEXTS = field(FieldType.TEXT, "string", multiple=True)
COMMENT = field(FieldType.TEXT, "string", code="COMMENTS")
TITLE = field(FieldType.TEXT, "string", code="TITLE")
USER = field(FieldType.REFERENCE, "user", code="ASSIGNED_BY_ID")
PHONE = field(FieldType.PHONE, "crm_multifield", code="PHONE", multiple=True)


@pytest.mark.parametrize(
    ("where", "value", "sent", "meant"),
    [
        (TEXT, "  а\r\nб\x00\ud800 ", "а\nб", "а\nб"),
        (TEXT, ("чистка", "осмотр"), "чистка, осмотр", "чистка, осмотр"),
        (TEXT, 778, "778", "778"),
        (TEXT, True, "Да", "Да"),
        (TEXT, "", "", None),
        (TITLE, "я" * 300, "я" * 255, "я" * 255),
        (COMMENT, "<b>Боль</b> &amp; [b]отёк[/b]<br>a < b", "Боль & отёк\na < b", "Боль & отёк\na < b"),
        (INTEGER, Decimal("3.00"), "3", 3),
        (DOUBLE, 1.23456789, "1.2346", 1.2346),
        (DOUBLE, "1 234,5", "1234.5", 1234.5),
        (MONEY, 1500, "1500.00|RUB", Decimal("1500.00")),
        (MONEY, Decimal(0), "0.00|RUB", Decimal("0.00")),
        (MONEY, None, "", None),
        (AMOUNT, 1500, "1500.00", Decimal("1500.00")),
        (AMOUNT, Decimal(0), "0", None),
        (FLAG, True, "1", True),
        (FLAG, "нет", "0", False),
        (FLAG, None, "0", False),
        (LETTER, True, "Y", True),
        (DAY, date(2001, 11, 11), "2001-11-11", date(2001, 11, 11)),
        (
            MOMENT,
            datetime(2026, 3, 2, 9, 0, 0, 999, UTC),
            "2026-03-02T09:00:00+00:00",
            datetime(2026, 3, 2, 9, tzinfo=UTC),
        ),
        (LIST, "первичный ", "31", "Первичный"),
        (LIST, "32", "32", "Повторный"),
        (LISTS, ("Повторный", "Первичный"), ["32", "31"], ("Повторный", "Первичный")),
        (LISTS, (), [""], None),
        (TEXTS, ("а", "", "б"), ["а", "б"], ("а", "б")),
        (USER, "17", "17", "17"),
    ],
)
def test_a_value_is_sent_and_meant(where: Field, value: Value, sent: object, meant: Value) -> None:
    assert encode(where, value) == sent
    assert canonical(where, value) == meant
    assert canonical(where, meant) == meant


def test_a_flag_of_the_universal_family_is_a_letter() -> None:
    assert encode(FLAG, True, item=True) == "Y"


@pytest.mark.parametrize(
    ("where", "raw", "value"),
    [
        (TEXT, None, None),
        (TEXT, " а ", "а"),
        (INTEGER, "42", 42),
        (DOUBLE, "12.5", 12.5),
        (MONEY, "300|RUB", Decimal("300.00")),
        (MONEY, "|RUB", None),
        (AMOUNT, "0.00", None),
        (AMOUNT, "1000000.00", Decimal("1000000.00")),
        (FLAG, "1", True),
        (FLAG, "0", False),
        (FLAG, None, None),
        (LETTER, "N", False),
        (DAY, "2001-11-11T02:00:00+02:00", date(2001, 11, 11)),
        (DAY, "2001-11-11T03:00:00+03:00", date(2001, 11, 11)),
        (DAY, "", None),
        (MOMENT, "2026-03-02T12:00:00+03:00", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        (LIST, "31", "Первичный"),
        (LIST, "0", None),
        (LIST, 99, "99"),
        (LISTS, False, None),
        (LISTS, [], None),
        (LISTS, [32, "31"], ("Повторный", "Первичный")),
        (TEXTS, ["а", "б"], ("а", "б")),
        (USER, "0", None),
        (
            PHONE,
            [{"ID": "1", "VALUE": "8 (900) 123-45-67"}, {"ID": "2", "VALUE": "спросить маму"}],
            ("+79001234567", "спросить маму"),
        ),
        (PHONE, None, None),
    ],
)
def test_a_value_is_read(where: Field, raw: Any, value: Value) -> None:
    assert decode(where, raw) == value


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (INTEGER, 1.5),
        (DOUBLE, "много"),
        (DOUBLE, float("nan")),
        (MONEY, "бесплатно"),
        (FLAG, "может быть"),
        (DAY, "завтра"),
        (MOMENT, datetime(2026, 3, 2, 9)),  # noqa: DTZ001 - the very fault
        (MOMENT, "2026-03-02T09:00:00"),
        (LIST, "Третичный"),
        (LIST, ("Первичный", "Повторный")),
    ],
)
def test_what_the_portal_would_drop_in_silence_is_refused(where: Field, value: Value) -> None:
    with pytest.raises(DataError, match="Поле"):
        encode(where, value)
