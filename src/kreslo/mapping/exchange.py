"""Reads `exchange:`: what iDent is served over its own HTTP exchange, and the key by which it is known."""

import re
from datetime import timedelta

from ruamel.yaml.nodes import Node

from kreslo.mapping.drafts import ExchangeDraft, PoolDraft, TicketDraft
from kreslo.mapping.faults import Ref
from kreslo.mapping.keys import KEYS
from kreslo.mapping.nodes import Reader, Section
from kreslo.mapping.visits import read_pool
from kreslo.records.exchange import LONGEST_PLAN

SHORTEST_KEY = 16


def read_exchange_key(reader: Reader, top: Section) -> str:
    """The secret that iDent sends, "" where there is no `exchange:` or the key is wrong."""
    if "exchange" not in top or not reader.is_mapping(top["exchange"]):
        return ""
    for name, node in top["exchange"].value:
        if name.value == "key":
            return _key(reader, node)
    return ""


def _key(reader: Reader, node: Node) -> str:
    faults = len(reader.faults)
    value = reader.plain(node, "`key:`")
    if len(reader.faults) > faults or not reader.filled:
        return ""
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]+", value):
        reader.fault(node, "`key:` of `exchange:` is one word of Latin letters, digits and signs")
        return ""
    if len(value) < SHORTEST_KEY:
        reader.fault(
            node, f"`key:` of `exchange:` has {len(value)} characters; take {SHORTEST_KEY} or more at random"
        )
        return ""
    return value


def read_exchange(reader: Reader, node: Node, title: str) -> ExchangeDraft | None:
    section = reader.section(node, title, KEYS["exchange"])
    if section is None:
        return None
    if "key" not in section:
        reader.fault(section.at, f'{title} needs `key:`, such as "${{IDENT_KEY}}": the word that iDent sends')
    none: TicketDraft | None = None
    return ExchangeDraft(
        tickets=section.read("tickets", lambda each, name: _tickets(reader, each, name), none)
    )


def _tickets(reader: Reader, node: Node, title: str) -> TicketDraft | None:
    section = reader.section(node, title, KEYS["exchange.tickets"])
    if section is None:
        return None
    pool: PoolDraft | None = None
    stages: tuple[Ref, ...] = ()
    if "from" in section:
        pool, stages = read_pool(reader, section["from"], KEYS["exchange.tickets.from"])
    else:
        reader.fault(
            section.at,
            f'{title} needs `from:`, such as {{leads: ["…"]}} or {{funnel: "…", stages: ["…"]}}',
        )
    length = section.duration("length", timedelta(minutes=30))
    if length > LONGEST_PLAN:
        reader.fault(section["length"], "`length:` is at most 12h: iDent takes no longer plan")
    if "length" in section and "time_field" not in section:
        reader.fault(
            section.names["length"].at, "`length:` needs `time_field:`, where the planned time stands"
        )
    if pool is None:
        return None
    return TicketDraft(
        pool=pool,
        stages=stages,
        doctor_field=section.ref("doctor_field"),
        time_field=section.ref("time_field"),
        length=length,
        comment=section.refs("comment"),
    )
