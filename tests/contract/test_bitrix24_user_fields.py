"""User fields of every type, each portal with option ids of its own: written by what staff see, read back the same."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from connectors.bitrix24 import connector as bitrix24
from kreslo.connectors.errors import ErrorKind
from kreslo.connectors.model import (
    ById,
    CreateCard,
    Entity,
    FieldType,
    Needed,
    OutcomeKind,
    UpdateCard,
    Value,
)
from kreslo.connectors.testing import TargetRig, open_rig

TYPES: list[tuple[str, FieldType, Value, Value]] = [
    ("string", FieldType.TEXT, "Первичный", "Вторичный"),
    ("url", FieldType.TEXT, "https://clinic.example/a?b=1&c=2", "https://clinic.example/"),
    ("address", FieldType.TEXT, "Тверь, Советская, 1", "Тверь"),
    ("integer", FieldType.NUMBER, 42, 7),
    ("double", FieldType.NUMBER, 12.5, 3),
    ("boolean", FieldType.BOOLEAN, True, False),
    ("date", FieldType.DATE, date(2001, 11, 11), date(1930, 1, 1)),
    (
        "datetime",
        FieldType.DATETIME,
        datetime(2026, 3, 4, 9, 30, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
    ),
    ("money", FieldType.MONEY, Decimal("1234.50"), Decimal("0.10")),
    ("enumeration", FieldType.ENUM, "Взрослый", "Детский"),
    ("crm_status", FieldType.ENUM, "Звонок", "Другое"),
    ("employee", FieldType.REFERENCE, "3", "4"),
]
"""The portal's type, ours, and two values."""
SEVERAL: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    ("string", ("один", "два"), ("три",)),
    ("enumeration", ("Взрослый", "Детский"), ("Детский",)),
    ("url", ("https://a.example/", "https://b.example/"), ("https://b.example/",)),
]


async def field(rig: "Rig", kind: str, *, multiple: bool = False) -> str:
    """A field of the type, made by staff: the code. Options get ids that no other portal has."""
    portal: Any = rig.app.state.portal  # type: ignore[attr-defined]
    for _ in range(17):
        portal.next_id("option")
    code = f"UF_CRM_T{kind.upper()}{'S' if multiple else ''}"
    spec: dict[str, Any] = {
        "entityId": "CRM_DEAL",
        "fieldName": code,
        "userTypeId": kind,
        "multiple": "Y" if multiple else "N",
        "editFormLabel": {"ru": f"Поле {kind}"},
    }
    if kind == "enumeration":
        spec["enum"] = [{"value": "Взрослый"}, {"value": "Детский"}]
    if kind == "crm_status":
        spec["settings"] = {"ENTITY_TYPE": "SOURCE"}
    await rig.call("userfieldconfig.add", {"moduleId": "crm", "field": spec})
    await rig.refresh()
    return code


class Rig(TargetRig):
    async def call(self, method: str, params: dict[str, Any]) -> Any:
        """The portal's REST, as its own staff's tools would use it."""

        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app)) as http:
            answer = await http.post(self.settings["webhook"] + method, json=params)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with open_rig(bitrix24) as opened:
        await opened.target.setup(Needed(), dry_run=False)
        made = Rig(*(getattr(opened, name) for name in opened.__struct_fields__))
        await made.refresh()
        yield made


async def written(rig: TargetRig, code: str, value: Value, *, quiet: bool = False) -> str:
    action = CreateCard(entity=Entity.DEAL, key=f"k/{code}/{quiet}", fields={code: value}, quiet=quiet)
    (made,) = await rig.apply(action)
    assert made.kind is OutcomeKind.CONFIRMED, made
    return made.target_id


async def read(rig: TargetRig, deal: str, code: str) -> Value:
    (card,) = await rig.find(ById(Entity.DEAL, deal))
    return card.fields[code]


@pytest.mark.parametrize("quiet", [False, True], ids=["legacy", "item"])
@pytest.mark.parametrize(("kind", "ours", "first", "second"), TYPES, ids=[row[0] for row in TYPES])
async def test_a_value_is_written_read_changed_and_cleared(
    rig: Rig, kind: str, ours: FieldType, first: Value, second: Value, quiet: bool
) -> None:
    code = await field(rig, kind)
    (known,) = [one for one in rig.catalog.fields if one.entity is Entity.DEAL and one.code == code]
    assert known.type is ours
    deal = await written(rig, code, first, quiet=quiet)
    assert await read(rig, deal, code) == first == rig.target.canonical(Entity.DEAL, code, first)
    for value in (second, None):
        (changed,) = await rig.apply(UpdateCard(entity=Entity.DEAL, id=deal, fields={code: value}))
        assert changed.kind is OutcomeKind.CONFIRMED, changed
        assert await read(rig, deal, code) == rig.target.canonical(Entity.DEAL, code, value)


@pytest.mark.parametrize("quiet", [False, True], ids=["legacy", "item"])
@pytest.mark.parametrize(("kind", "first", "second"), SEVERAL, ids=[row[0] for row in SEVERAL])
async def test_several_values_are_written_whole(
    rig: Rig, kind: str, first: tuple[str, ...], second: tuple[str, ...], quiet: bool
) -> None:
    code = await field(rig, kind, multiple=True)
    deal = await written(rig, code, first, quiet=quiet)
    assert await read(rig, deal, code) == first
    for value in (second, None):
        await rig.apply(UpdateCard(entity=Entity.DEAL, id=deal, fields={code: value}))
        assert await read(rig, deal, code) == value


async def test_options_are_those_of_this_portal_and_one_that_is_not_there_is_refused(rig: Rig) -> None:
    code = await field(rig, "enumeration")
    (known,) = [one for one in rig.catalog.fields if one.code == code]
    assert sorted(known.options.values()) == ["Взрослый", "Детский"]
    assert min(int(option) for option in known.options) > 17
    (refused,) = await rig.apply(CreateCard(entity=Entity.DEAL, key="k/1", fields={code: "Пенсионер"}))
    assert (refused.kind, refused.error) == (OutcomeKind.PERMANENT, ErrorKind.DATA)
    assert await rig.state("deals") == []
