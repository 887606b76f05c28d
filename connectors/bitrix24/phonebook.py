"""Who in the portal has a telephone number: contacts and leads, whichever way the number is spelled there.

The portal's own index (`crm.duplicate.findbycomm`) is asked for several spellings, since its documentation and its
code disagree on whether it normalises; what it names is only a candidate until its digits have been compared here.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from connectors.bitrix24.client import Client, accepted
from connectors.bitrix24.entities import Kind
from connectors.bitrix24.listing import Query, chunks, read_all
from connectors.bitrix24.numbers import comparable, is_e164
from connectors.bitrix24.wire import Call, section
from kreslo.records.phones import search_forms

_VALUES = 20  # of one findbycomm; more are ignored
_FORMS = 4
_CAP = 20  # hits that one value can have at most
_WALK_FROM = 100  # numbers from which it is worth asking how many cards there are


async def owners(client: Client, kind: Kind, phones: Iterable[str]) -> set[str]:
    """Ids of cards that may hold one of the numbers: all that do are among them. A text that is not E.164 is nobody's."""
    wanted = sorted({phone for phone in phones if is_e164(phone)})
    if not wanted:
        return set()
    if len(wanted) >= _WALK_FROM:
        counted = await client.ask(kind.method("list"), {"select": ["ID"], "start": 0})
        if counted.total is not None and counted.total < len(wanted) / (_VALUES // _FORMS):
            return await _walked(client, kind, wanted)
    groups = chunks(wanted, _VALUES // _FORMS)
    calls = [
        Call(
            "crm.duplicate.findbycomm",
            {"type": "PHONE", "entity_type": kind.word.upper(), "values": _spellings(group)},
        )
        for group in groups
    ]
    found: set[str] = set()
    crowded: list[str] = []
    for group, reply in zip(groups, await client.ask_all(calls), strict=True):
        answer = accepted(reply, "crm.duplicate.findbycomm").result
        hits = section(answer).get(kind.word.upper())
        ids = {str(one) for one in hits} if isinstance(hits, list) else set()
        found |= ids
        if len(ids) >= _CAP:
            crowded += group
    return found | await _listed(client, kind, crowded)


def _spellings(phones: Sequence[str]) -> list[str]:
    return [form for phone in phones for form in search_forms(phone)]


async def _walked(client: Client, kind: Kind, phones: Sequence[str]) -> set[str]:
    """Every card of the portal, when it has fewer of them than there are numbers to ask for."""
    ends = {comparable(phone) for phone in phones}
    query = Query(method=kind.method("list"), filter={}, select=("ID", "PHONE"), fits=bool)
    (found,) = await read_all(client, [query])
    return {str(row["ID"]) for row in found if any(end in ends for end in row_ends(row))}


async def _listed(client: Client, kind: Kind, phones: Sequence[str]) -> set[str]:
    """The index names twenty cards a number and no more; the list by the exact text has no such end."""
    queries = [_by_text(kind, comparable(phone), form) for phone in phones for form in search_forms(phone)]
    return {str(row["ID"]) for found in await read_all(client, queries) for row in found}


def _by_text(kind: Kind, end: str, form: str) -> Query:
    return Query(
        method=kind.method("list"),
        filter={"PHONE": form},
        select=("ID", "PHONE"),
        fits=lambda row: end in row_ends(row),
    )


def row_ends(row: dict[str, Any]) -> set[str]:
    """The comparable digits of a row's numbers."""
    listed = row.get("PHONE")
    if not isinstance(listed, list):
        return set()
    return {end for one in listed if isinstance(one, dict) and (end := comparable(str(one.get("VALUE", ""))))}
