from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.amocrm.fields import Field, canonical, decode, encode
from connectors.amocrm.options import AmocrmOptions, privacy_note
from connectors.amocrm.wire import masked, query_string, sketch
from kreslo.connectors.errors import DataError
from kreslo.connectors.model import Entity, FieldDef, FieldType, Value

ZONES = [ZoneInfo(name) for name in ("Europe/Moscow", "Asia/Vladivostok", "Europe/Kaliningrad")]
MOSCOW = ZONES[0]


def field(kind: FieldType, wire: str = "text", code: str = "", *, multiple: bool = False) -> Field:
    options = {"7": "Звонок", "8": "Сайт"} if kind is FieldType.ENUM else {}
    definition = FieldDef(Entity.DEAL, code or "900", "Поле", kind, multiple=multiple, options=options)
    return Field(definition=definition, wire=wire, id=0 if code else 900)


def back(one: Field, value: Value, zone: ZoneInfo = MOSCOW) -> Value:
    """As the account gives back what it was sent."""
    cells = []
    for cell in encode(one, value, zone) or []:
        raw: Any = cell.get("value")
        if one.definition.type is FieldType.DATE:
            raw = int(
                datetime.combine(datetime.fromisoformat(raw).date(), datetime.min.time(), zone).timestamp()
            )
        elif one.definition.type is FieldType.DATETIME:
            raw = int(datetime.fromisoformat(raw).timestamp())
        elif one.definition.type in (FieldType.NUMBER, FieldType.MONEY):
            raw = str(raw)
        cells.append({**cell, "value": raw})
    return decode(one, cells, zone)


@pytest.mark.parametrize("zone", ZONES, ids=str)
@given(day=st.dates(date(1920, 1, 1), date(2100, 1, 1)))
def test_a_day_stays_a_day(zone: ZoneInfo, day: date) -> None:
    assert back(field(FieldType.DATE, "birthday"), day, zone) == day


@given(seconds=st.integers(0, 4_000_000_000), micro=st.integers(0, 999_999))
def test_an_instant_stays_an_instant(seconds: int, micro: int) -> None:
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=micro)
    one = field(FieldType.DATETIME, "date_time")
    assert back(one, moment) == canonical(one, moment, MOSCOW) == moment.replace(microsecond=0)


@given(amount=st.decimals(0, 10**9, places=2))
def test_money_stays_money(amount: Decimal) -> None:
    one = field(FieldType.MONEY, "monetary")
    assert back(one, amount) == canonical(one, amount, MOSCOW) == amount


@given(text=st.text())
def test_canonical_leaves_what_it_gave(text: str) -> None:
    for wire in ("text", "textarea"):
        one = field(FieldType.TEXT, wire)
        once = canonical(one, text, MOSCOW)
        assert canonical(one, once, MOSCOW) == once == back(one, text)


def test_a_line_has_no_line_breaks_and_a_paragraph_has() -> None:
    assert canonical(field(FieldType.TEXT), " а \r\n б ", MOSCOW) == "а б"
    assert canonical(field(FieldType.TEXT, "textarea"), "а\r\nб", MOSCOW) == "а\nб"


def test_the_budget_is_a_whole_number_and_nothing_is_none() -> None:
    price = field(FieldType.MONEY, "price", "price")
    assert canonical(price, Decimal("99.50"), MOSCOW) == Decimal(100)
    assert canonical(price, Decimal(0), MOSCOW) is None


def test_options_are_named_by_title_or_id() -> None:
    one = field(FieldType.ENUM, "select")
    assert [canonical(one, value, MOSCOW) for value in ("звонок", "8", None)] == ["Звонок", "Сайт", None]
    assert encode(one, "Сайт", MOSCOW) == [{"enum_id": 8}]
    many = field(FieldType.ENUM, "multiselect", multiple=True)
    assert back(many, ("Сайт", "Звонок")) == ("Сайт", "Звонок")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (FieldType.NUMBER, "сто"),
        (FieldType.NUMBER, float("nan")),
        (FieldType.MONEY, "inf"),
        (FieldType.BOOLEAN, "может быть"),
        (FieldType.DATE, "вчера"),
        (FieldType.DATETIME, datetime(2026, 1, 1)),  # noqa: DTZ001 - that is what is wrong
        (FieldType.ENUM, "Радио"),
        (FieldType.NUMBER, ("1", "2")),
    ],
)
def test_what_a_field_cannot_hold_is_said(kind: FieldType, value: Value) -> None:
    with pytest.raises(DataError, match="Пол"):
        encode(field(kind), value, MOSCOW)


# --- options and wire -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"address": "http://clinic.amocrm.ru"},
        {"address": "https://clinic.amocrm.ru/leads"},
        {"address": "clinic.amocrm.ru"},
        {"token": None},
        {"rate": 8},
        {"rate": 0},
        {"batch": 251},
        {"hook_url": "https://k.example/hooks/a"},
        {"hook_url": "http://k.example/hooks/a", "hook_secret": "s"},
        {"unknown": 1},
    ],
)
def test_wrong_settings_are_refused_without_showing_the_token(wrong: dict[str, Any]) -> None:
    known = {"address": "https://clinic.amocrm.ru", "token": "very-secret-token"}
    with pytest.raises(ValueError, match="AmocrmOptions") as refusal:
        AmocrmOptions.model_validate({**known, **wrong})
    assert "very-secret" not in str(refusal.value)


def test_the_hooks_address_ends_with_the_secret() -> None:
    settings = {
        "address": "https://clinic.amocrm.ru",
        "token": "t",
        "hook_url": "https://k.example/hooks/a/",
        "hook_secret": "s3",
    }
    options = AmocrmOptions.model_validate(settings)
    assert options.hook_address == "https://k.example/hooks/a/s3"
    assert "s3" not in repr(options)


@pytest.mark.parametrize(
    ("host", "warned"), [("clinic.amocrm.ru", False), ("clinic.kommo.com", True), ("x.amocrm.com", True)]
)
def test_the_foreign_edition_draws_a_warning(host: str, warned: bool) -> None:
    options = AmocrmOptions.model_validate({"address": f"https://{host}", "token": "t"})
    assert (privacy_note(options) is not None) is warned


def test_a_query_is_written_as_php_reads_it() -> None:
    params = {"filter": {"id": ["5", "6"], "updated_at": {"from": 7}}, "with": "leads,x", "query": "а&б"}
    expected = "filter[id][]=5&filter[id][]=6&filter[updated_at][from]=7&with=leads,x&query=%D0%B0%26%D0%B1"
    assert query_string(params) == expected


def test_the_journal_sees_ids_and_our_key_and_nothing_else() -> None:
    item = {
        "request_id": "ki1",
        "name": "Ёлкина Анна",
        "pipeline_id": 7100004,
        "custom_fields_values": [
            {"field_id": 5, "values": [{"value": "+79001234567"}]},
            {"field_id": 6, "values": [{"value": "mis/patient/3"}]},
            {"field_id": 7, "values": None},
        ],
        "_embedded": {"contacts": [{"id": 40000002, "is_main": True}], "tags": [{"name": "личное"}]},
    }
    shown = sketch("POST leads", item, frozenset((6,)))
    assert shown == (
        "POST leads name=… pipeline_id=7100004 field:5=… field:6=mis/patient/3 field:7=… contacts=[40000002] tags=['…']"
    )


def test_numbers_and_addresses_are_masked() -> None:
    assert masked("тел. +7 900 123-45-67, anna@example.com, лид 20000002, 2026-03-02T10:00:00") == (
        "тел. …, …@…, лид 20000002, 2026-03-02T10:00:00"
    )
