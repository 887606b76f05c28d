"""The CRM of a world: the Bitrix24 sandbox, what staff do in it, and its cards in the oracle's words."""

import copy
import re
from collections.abc import Callable, Iterable
from random import Random
from typing import Any
from urllib.parse import urlencode

import httpx
from starlette.types import ASGIApp

from connectors.bitrix24.sandbox import sandbox, staff
from connectors.bitrix24.sandbox.app import build_app
from connectors.bitrix24.sandbox.arrivals import arrive
from connectors.bitrix24.sandbox.cards import Card, Kind
from connectors.bitrix24.sandbox.happenings import Happenings
from connectors.bitrix24.sandbox.oauth import APPLICATION_TOKEN, CLIENT_SECRET, TECHNICAL_USER
from connectors.bitrix24.sandbox.portal import Portal, Robot
from connectors.bitrix24.sandbox.staff import Order
from kreslo.connectors.sandboxes import Lead
from kreslo.connectors.seams import Clock
from tests.simulation.rules import FUNNEL, POLL_HOURS, POLLS, Rules
from tests.simulation.views import CardView, Message, is_poll, visit_of

KEY_FIELD = "UF_CRM_KRESLO_KEY"
WRITES = re.compile(rb"\.(?:add|update|import|batchImport|set|delete)\b")
"""In a method's name; `crm.settings.mode.get` is none."""
WEBHOOK = sandbox.settings("http://127.0.0.1:1")["webhook"]


class BitrixCrm:
    """See `Crm`."""

    struck: tuple[tuple[str, int], ...] = (
        ("refused", 3),
        ("before", 3),
        ("after", 6),
        ("late", 4),
        ("part", 4),
        ("503", 2),
        ("429", 1),
        ("slow", 1),
        ("500", 1),
        ("502html", 2),
        ("504html", 1),
    )
    latest = 58.0
    """A portal cuts a request off at 60 seconds: what it has not done by then it never does."""
    blocks: tuple[str, ...] = ("closed", "overload", "no subscription", "no scope", "login")
    cannot: frozenset[str] = frozenset()
    secrets = ("s4ndb0xkreslo0code", CLIENT_SECRET, APPLICATION_TOKEN)

    def __init__(self, portal: Portal, rules: Rules) -> None:
        self.portal = portal
        if rules.login == "app":
            self.struck = (*self.struck, ("stale", 3))
            self.blocks = tuple(kind for kind in self.blocks if kind != "login")  # it has no webhook
        self._scopes = portal.switches.scopes
        self.faults = portal.faults
        self.tell_hooks: Callable[[bytes], None] | None = None
        if rules.login == "key":  # an application hears through its queue
            portal.happenings = _Happenings(self)
        self.messages: list[Message] = []
        portal.messages = _Messages(self)
        for phase in rules.messages:
            stage = rules.stages[phase]
            portal.robots.append(Robot(entity=Kind.DEAL, stage=stage, funnel=FUNNEL))
        for stage in POLL_HOURS if rules.polls else ():
            portal.robots.append(Robot(entity=Kind.DEAL, stage=stage, funnel=POLLS))
        self._codes = {
            kind: {field.code: field.title for field in portal.fields(kind).values() if field.dynamic}
            for kind in Kind
        }
        self._when = next(
            (code for code, title in self._codes[Kind.DEAL].items() if title == "Дата и время визита"), ""
        )

    @classmethod
    def copied(cls, template: Portal, clock: Clock, rules: Rules) -> "BitrixCrm":
        """The portal as `setup` left it, with a clock of this world."""
        return cls(copy.deepcopy(template, {id(template.clock): clock}), rules)

    def app(self) -> ASGIApp:
        return build_app(self.portal)

    def writes(self, request: httpx.Request, body: bytes) -> bool:
        said = body if request.url.path.endswith("/batch") else request.url.path.encode()
        return WRITES.search(said) is not None

    def excess(self, most_a_second: int) -> str:
        stats = self.portal.stats
        if not (stats.violations or stats.operating_refusals):
            return ""
        return (
            f"{stats.violations} requests and {stats.operating_refusals} commands above the portal's limits"
        )

    def cards(self) -> list[CardView]:
        notes: dict[tuple[str, int], list[str]] = {}
        for row in self.portal.comments:
            notes.setdefault((row["ENTITY_TYPE"], int(row["ENTITY_ID"])), []).append(row["COMMENT"])
        return [
            self._view(card, tuple(notes.get((kind.word, card.id), ())))
            for kind in Kind
            for card in self.portal.store(kind)
        ]

    def _view(self, card: Card, notes: tuple[str, ...]) -> CardView:
        kind = card.kind
        stage = None if kind is Kind.CONTACT else self.portal.dictionaries.stage_of(kind, card.fields)
        return CardView(
            entity="poll" if is_poll(card.fields.get(KEY_FIELD) or "") else kind.word,
            id=str(card.id),
            key=card.fields.get(KEY_FIELD) or "",
            visit=visit_of(card.fields.get(KEY_FIELD) or ""),
            stage=stage.name if stage else "",
            semantic=stage.semantic if stage else "",
            contacts=tuple(str(link.contact_id) for link in card.contacts),
            lead=str(card.fields.get("LEAD_ID") or "") if kind is Kind.DEAL else "",
            phones=tuple(row.value for row in card.multi if row.type == "PHONE"),
            fields={self._codes[kind].get(code, code): value for code, value in card.fields.items()},
            notes=notes,
            ours=card.fields["CREATED_BY_ID"] == TECHNICAL_USER,
        )

    def said(self, row: dict[str, Any]) -> None:
        card = self.portal.card(Kind.DEAL, row["deal"])
        if card is None:
            return
        self.messages.append(
            Message(
                card=str(card.id),
                stage=row["stage"],
                at=self.portal.now(),
                starts_at=card.fields.get(self._when),
                ours=card.fields["MOVED_BY_ID"] == TECHNICAL_USER,
                contacts=tuple(str(link.contact_id) for link in card.contacts),
            )
        )

    def vary(self, chance: Random) -> str:
        """Nothing: its lists and its search by phone know of a card at once."""
        return ""

    def block(self, kind: str) -> None:
        switches = self.portal.switches
        switches.closed = kind == "closed"
        switches.overloaded = kind == "overload"
        switches.rest_by_plan = kind != "no subscription"
        switches.scopes = () if kind == "no scope" else self._scopes
        switches.webhook_expired = kind == "login"

    def unblock(self) -> None:
        self.block("")

    def expire(self) -> None:
        self.portal.tokens.expire()

    def new_secret(self) -> str:
        made: str = self.portal.tokens.install("http://127.0.0.1:1")["auth"]["refresh_token"]
        return made

    # --- what people do -----------------------------------------------------------------------------------------

    def lead(self, name: str, phone: str, stage: str) -> str:
        lead = Lead(name=name, phone=phone, created_at=self.portal.now(), stage=stage)
        return str(arrive(self.portal, lead).id)

    def contact(self, surname: str, name: str, phone: str) -> str:
        """A contact that staff type in by hand; its id."""
        values = {"LAST_NAME": surname, "NAME": name, "PHONE": [phone]}
        card = staff.act(self.portal, "create", Order(entity="contact", fields=values))
        return str(card.id) if card else ""

    def drag(self, entity: str, card_id: str, stage: str) -> None:
        self._act("move", entity=entity, id=int(card_id), stage=stage)

    def edit(self, entity: str, card_id: str, values: dict[str, Any]) -> None:
        self._act("edit", entity=entity, id=int(card_id), fields=values)

    def relink(self, card_id: str, contacts: Iterable[str]) -> None:
        self._act("edit", entity="deal", id=int(card_id), contact_ids=[int(each) for each in contacts])

    def delete(self, entity: str, card_id: str) -> None:
        self._act("delete", entity=entity, id=int(card_id))

    def merge(self, entity: str, loser: str, survivor: str) -> None:
        self._act("merge", entity=entity, id=int(loser), into=int(survivor))

    def _act(self, action: str, **order: Any) -> None:
        staff.act(self.portal, action, Order(**order))


class _Messages(list[dict[str, Any]]):
    """The portal's list, which tells the world of each message as it goes out."""

    def __init__(self, crm: BitrixCrm) -> None:
        super().__init__()
        self._crm = crm

    def append(self, row: dict[str, Any]) -> None:
        super().append(row)
        self._crm.said(row)


class _Happenings(Happenings):
    """The portal's own, which tells the world of each hook as an outgoing webhook would send it."""

    def __init__(self, crm: BitrixCrm) -> None:
        super().__init__()
        self._crm = crm

    def tell(self, name: str, fields: dict[str, Any], at: Any, now: int) -> None:
        super().tell(name, fields, at, now)
        if self._crm.tell_hooks is not None:
            form = {"event": name, "ts": str(now), "auth[application_token]": APPLICATION_TOKEN}
            form |= {f"data[FIELDS][{code}]": str(value) for code, value in fields.items()}
            self._crm.tell_hooks(urlencode(form).encode())
