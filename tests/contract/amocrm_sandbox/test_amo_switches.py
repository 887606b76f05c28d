"""A short life of a card with each unmeasured behaviour switched, one at a time; and switches that are wrong."""

from typing import Any

import pytest
from amo_account import FAST, PHONE, opened

from connectors.amocrm.sandbox import sandbox
from connectors.amocrm.sandbox.switches import UNVERIFIED
from kreslo.connectors.errors import ConfigurationError
from kreslo.connectors.sandboxes import SandboxPlan
from kreslo.connectors.testing import HandClock


@pytest.mark.parametrize("switches", UNVERIFIED, ids=str)
async def test_the_ordinary_way_is_the_same_whatever_is_switched(switches: dict[str, Any]) -> None:
    async with opened({**FAST, **switches}) as api:
        pipeline, stages = await api.pipeline("Приёмы", "Записан", "Визит завтра")
        key = await api.field("leads", "text", "Ключ", code="KRESLO_KEY", is_api_only=True)
        person = await api.contact("Иванова Мария", PHONE)
        lead = await api.lead(
            name="Приём",
            pipeline_id=pipeline,
            status_id=stages["Записан"],
            custom_fields_values=[{"field_id": key, "values": [{"value": "ident/appointment/1"}]}],
            _embedded={"contacts": [{"id": person, "is_main": True}]},
        )
        api.clock.advance(60)
        await api.write(
            "PATCH", "leads", [{"id": lead, "pipeline_id": pipeline, "status_id": stages["Визит завтра"]}]
        )
        note = {"entity_id": lead, "note_type": "common", "params": {"text": "kreslo:i1"}}
        await api.add("leads/notes", note)
        found = [row for row in await api.rows("contacts?query=9001234567&with=leads") if row["id"] == person]
        assert [one["id"] for one in found[0]["_embedded"]["leads"]] == [lead]
        row = await api.get(f"leads/{lead}?with=contacts")
        assert (row["status_id"], row["_embedded"]["contacts"][0]["id"]) == (stages["Визит завтра"], person)
        assert len(await api.rows(f"leads/{lead}/notes?filter[note_type][]=common")) == 1
        await api.order("staff/delete", {"id": lead})
        assert await api.get(f"leads/{lead}") is None


def test_every_switch_that_is_not_a_number_of_the_documentation_is_among_them() -> None:
    """A new switch is either an unmeasured behaviour, and in the list, or one of these."""
    from connectors.amocrm.sandbox.switches import Switches

    settled = {
        "timezone",
        "rate",
        "account_rate",
        "block_after",
        "block_window",
        "admin",
        "external",
        "hook_timeout",
    }
    chaos = {"hook_lose_every", "hook_repeat_every", "hook_reverse"}
    listed = {name for one in UNVERIFIED for name in one}
    assert set(Switches.__struct_fields__) == listed | settled | chaos


@pytest.mark.parametrize(
    ("switch", "word"),
    [({"speed": 1}, "speed"), ({"search_mode": "fuzzy"}, "fuzzy"), ({"rate": "many"}, "rate")],
)
def test_a_wrong_switch_is_named(switch: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigurationError, match=word):
        sandbox.build(SandboxPlan(clock=HandClock(), switches=switch))


def test_the_settings_reach_the_account() -> None:
    settings = sandbox.settings("http://127.0.0.1:8471/")
    assert settings["address"] == "http://127.0.0.1:8471"
    assert settings == sandbox.settings("http://127.0.0.1:8471")
