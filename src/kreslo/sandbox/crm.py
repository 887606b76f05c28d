"""The sandbox CRM as seen from outside: what stands in it, over HTTP, and nothing that Kreslo wrote down itself."""

from collections.abc import Mapping
from typing import Any, Self

import httpx
import msgspec

from kreslo.connectors.errors import DataError, OutageError
from kreslo.connectors.model import Entity
from kreslo.connectors.sandboxes import Lead
from kreslo.records.phones import parse_phones

_SECTIONS = {Entity.CONTACT: "contacts", Entity.DEAL: "deals", Entity.LEAD: "leads"}


class SeenCard(msgspec.Struct, frozen=True, kw_only=True):
    """One card of the sandbox. `key`: our external key, "" where it has none. `stage`, `funnel`: their names.
    `contacts`: ids, the main one first. `phones`: E.164; of a card that has none of its own, those in its user fields. `lead`: of a deal, the lead it was made from. `closed`: on
    a stage that ends it. `ours`: the integration's own user made it.
    """

    entity: Entity
    id: str
    key: str = ""
    funnel: str = ""
    stage: str = ""
    closed: bool = False
    contacts: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    lead: str = ""
    ours: bool = True


class SandboxCrm:
    """A sandbox at `base_url`. Use as a context manager."""

    def __init__(self, base_url: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._http = httpx.AsyncClient(base_url=base_url, timeout=60, transport=transport, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self._http.aclose()

    async def put_lead(self, lead: Lead) -> None:
        """As a site form or a call makes it: by itself, outside the limits of REST. Raises OutageError, DataError."""
        await self._ask("POST", "/_control/leads", content=msgspec.json.encode(lead))

    async def cards(self, key_fields: Mapping[Entity, str], *, me: str = "") -> list[SeenCard]:
        """Every card. `key_fields`: the code of the field that carries our key, an entity. `me`: our user's id."""
        state = await self._ask("GET", "/_control/state", params={"only": ",".join(_SECTIONS.values())})
        return [
            _seen(entity, row, key_fields.get(entity, ""), me)
            for entity, section in _SECTIONS.items()
            for row in state[section]
        ]

    async def stats(self) -> dict[str, Any]:
        """What the sandbox counted: at least `requests`."""
        answer = await self._ask("GET", "/_control/stats")
        return dict(answer)

    async def _ask(self, method: str, path: str, **request: Any) -> Any:
        try:
            response = await self._http.request(method, path, **request)
        except httpx.HTTPError as error:
            raise OutageError(
                f"the sandbox at {self._http.base_url} does not answer: it must run while the demo does",
                detail=type(error).__name__,
            ) from error
        if response.is_error:
            raise DataError(f"the sandbox refused {method} {path} with HTTP {response.status_code}")
        return response.json()


def _phone_texts(row: Mapping[str, Any]) -> list[str]:
    """A deal of Bitrix24 has no telephone field: an enquiry's number stands in one that the mapping made."""
    own = list(row.get("phones", ()))
    return own or [text for text in row.get("named", {}).values() if isinstance(text, str)]


def _seen(entity: Entity, row: Mapping[str, Any], key_field: str, me: str) -> SeenCard:
    return SeenCard(
        entity=entity,
        id=str(row["id"]),
        key=str(row["fields"].get(key_field) or ""),
        funnel=str(row.get("funnel") or ""),
        stage=str(row.get("stage") or ""),
        closed=row.get("semantic", "P") in {"S", "F"},
        contacts=tuple(str(one) for one in row.get("contact_ids", ())),
        phones=tuple(phone.e164 for text in _phone_texts(row) for phone in parse_phones(text)),
        lead=str(row.get("lead_id") or ""),
        ours=not me or str(row.get("created_by", me)) == me,
    )
