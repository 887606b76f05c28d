"""What the audit reads of a sandbox's /_control/state."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from kreslo.connectors.errors import DataError, OutageError
from kreslo.connectors.model import Entity
from kreslo.connectors.sandboxes import Lead
from kreslo.sandbox.crm import SandboxCrm, SeenCard

KEYS = {Entity.CONTACT: "UF_KEY", Entity.DEAL: "UF_KEY", Entity.LEAD: "UF_KEY"}
STATE: dict[str, Any] = {
    "contacts": [{"id": 7, "fields": {"UF_KEY": "ident/patient/1"}, "phones": ["8 900 111-22-33"]}],
    "deals": [
        {
            "id": 8,
            "fields": {"UF_KEY": "ident/appointment/5"},
            "phones": [],
            "funnel": "Приёмы",
            "stage": "Записан",
            "semantic": "P",
            "contact_ids": [7, 9],
            "lead_id": 3,
        }
    ],
    "leads": [
        {
            "id": 3,
            "fields": {},
            "phones": ["+7 (900) 111-22-33"],
            "stage": "Качественный лид",
            "semantic": "S",
        }
    ],
}


def crm(answer: httpx.Response | Exception) -> SandboxCrm:
    def handle(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return SandboxCrm("http://crm", transport=httpx.MockTransport(handle))


async def test_cards_are_read_with_keys_stages_contacts_and_phones() -> None:
    async with crm(httpx.Response(200, json=STATE)) as sandbox:
        assert await sandbox.cards(KEYS) == [
            SeenCard(entity=Entity.CONTACT, id="7", key="ident/patient/1", phones=("+79001112233",)),
            SeenCard(
                entity=Entity.DEAL,
                id="8",
                key="ident/appointment/5",
                funnel="Приёмы",
                stage="Записан",
                contacts=("7", "9"),
                lead="3",
            ),
            SeenCard(
                entity=Entity.LEAD, id="3", stage="Качественный лид", closed=True, phones=("+79001112233",)
            ),
        ]


async def test_a_sandbox_that_is_gone_is_an_outage() -> None:
    async with crm(httpx.ConnectError("refused")) as sandbox:
        with pytest.raises(OutageError):
            await sandbox.stats()


async def test_a_refused_lead_is_told() -> None:
    lead = Lead(name="", phone="", created_at=datetime(2026, 11, 21, tzinfo=UTC))
    async with crm(httpx.Response(400, json={"error": "x"})) as sandbox:
        with pytest.raises(DataError, match="HTTP 400"):
            await sandbox.put_lead(lead)
