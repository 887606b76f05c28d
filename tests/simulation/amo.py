"""The CRM of a world that has amoCRM: its sandbox account, what staff do in it, and its cards in the oracle's words."""

import copy
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

import httpx
from starlette.types import ASGIApp

from connectors.amocrm.sandbox import sandbox, staff
from connectors.amocrm.sandbox.account import Account, Robot
from connectors.amocrm.sandbox.app import build_app
from connectors.amocrm.sandbox.arrivals import arrive
from connectors.amocrm.sandbox.cards import Card, Kind
from connectors.amocrm.sandbox.fields import Field
from connectors.amocrm.sandbox.people import INTEGRATION_USER
from connectors.amocrm.sandbox.staff import Order
from connectors.amocrm.sandbox.tokens import CLIENT_SECRET
from kreslo.connectors.sandboxes import Lead
from kreslo.connectors.sandboxing.faults import Fault
from kreslo.connectors.seams import Clock
from tests.simulation.blocks import WRITES_ONLY
from tests.simulation.rules import FUNNEL, POLL_HOURS, POLLS, Rules
from tests.simulation.views import CardView, Message, is_poll, visit_of

KEY_FIELD = "KRESLO_KEY"
MOST_A_SECOND = 7
SETTINGS = sandbox.settings("http://127.0.0.1:1")
_KINDS = (Kind.CONTACT, Kind.LEAD)
LAGS = (2.0, 2.0, 25.0, 120.0, 5400.0)
"""Seconds after which the search knows of a card. Kreslo is told 30 (`index_lag`): what is not found then may be there."""
_OWN_FIELD = "COMMENTS"
"""Staff's own, which no mapping names."""


class AmoCrm:
    """See `Crm`. A deal in the visits' funnel is a visit's, any other an enquiry's."""

    struck: tuple[tuple[str, int], ...] = (
        ("refused", 3),
        ("before", 3),
        ("after", 6),
        ("late", 4),
        ("503", 2),
        ("429", 1),
        ("slow", 1),
        ("401", 1),
        ("402", 1),
        ("500", 1),
        ("502html", 2),
        ("504html", 1),
    )
    latest = 28.0
    blocks = ("closed", "unpaid", WRITES_ONLY, "login", "rights")
    cannot = frozenset({"relink"})
    secrets = (SETTINGS["token"], CLIENT_SECRET)

    def __init__(self, account: Account, rules: Rules) -> None:
        self.account = account
        self.faults = account.faults
        self.tell_hooks: Callable[[bytes], None] | None = None
        self.messages: list[Message] = []
        account.messages = _Messages(self)
        if rules.login == "oauth":
            self.struck = (*self.struck, ("stale", 3))
        for phase in rules.messages:
            account.robots.append(Robot(stage=rules.stages[phase], funnel=FUNNEL))
        for stage in POLL_HOURS if rules.polls else ():
            account.robots.append(Robot(stage=stage, funnel=POLLS))
        for kind in _KINDS:
            account.fields.add(Field(kind=kind, id=account.fields.new_id(), name=_OWN_FIELD, type="text"))
        self._fields = {kind: {field.id: field for field in account.fields.of(kind)} for kind in _KINDS}

    @classmethod
    def copied(cls, template: Account, clock: Clock, rules: Rules) -> "AmoCrm":
        """The account as `setup` left it, with a clock of this world."""
        return cls(copy.deepcopy(template, {id(template.clock): clock}), rules)

    def app(self) -> ASGIApp:
        return build_app(self.account)

    def writes(self, request: httpx.Request, body: bytes) -> bool:
        return request.method != "GET"

    def excess(self, most_a_second: int) -> str:
        # As they were sent: the network may hold some back and bring them together with later ones.
        return f"{most_a_second} requests were sent in a second" if most_a_second > MOST_A_SECOND else ""

    def cards(self) -> list[CardView]:
        return [self._view(card) for kind in _KINDS for card in self.account.stores[kind]]

    def _view(self, card: Card) -> CardView:
        fields = {
            self._fields[card.kind][id_].name: _shown(self._fields[card.kind][id_], cells)
            for id_, cells in card.custom.items()
        }
        codes = {field.code: id_ for id_, field in self._fields[card.kind].items() if field.code}
        key = "".join(str(cell.value) for cell in card.custom.get(codes[KEY_FIELD], ()))
        notes = tuple(str(note.params.get("text", "")) for note in self.account.notes.of(card.kind, card.id))
        if card.kind is Kind.CONTACT:
            return CardView(
                entity="contact",
                id=str(card.id),
                key=key,
                phones=self._phones(card),
                fields=fields,
                notes=notes,
            )
        pipeline = self.account.pipelines.all[card.pipeline_id]
        people = [self.account.card(Kind.CONTACT, link.contact_id) for link in card.contacts]
        visits = pipeline.name == FUNNEL
        return CardView(
            entity="poll" if is_poll(key) else "deal" if visits else "lead",
            id=str(card.id),
            key=key,
            visit=(visit_of(key) or str(fields.get("Номер записи") or "")) if visits else "",
            stage=pipeline.statuses[card.status_id].name,
            semantic="S" if card.closed else "P",
            contacts=tuple(str(link.contact_id) for link in card.contacts),
            phones=tuple(phone for person in people if person for phone in self._phones(person)),
            fields={**fields, "OPPORTUNITY": Decimal(card.price)},
            notes=notes,
            ours=card.created_by == INTEGRATION_USER,
        )

    def _phones(self, contact: Card) -> tuple[str, ...]:
        field = self.account.fields.coded(Kind.CONTACT, "PHONE")
        return tuple(str(cell.value) for cell in contact.custom.get(field.id, ())) if field else ()

    def said(self, row: dict[str, Any]) -> None:
        card = self.account.card(Kind.LEAD, row["deal"])
        if card is None:
            return
        view = self._view(card)
        self.messages.append(
            Message(
                card=view.id,
                stage=row["stage"],
                at=self.account.clock.now(),
                starts_at=view.fields.get("Дата и время визита"),
                ours=card.updated_by == INTEGRATION_USER,
                contacts=view.contacts,
            )
        )

    def vary(self, chance: Random) -> str:
        lag = self.account.switches.search_lag = chance.choice(LAGS)
        return f"CRM: the search learns of a card {lag:.0f} s later" if lag > LAGS[0] else ""

    def block(self, kind: str) -> None:
        account, forever = self.account, 10**9
        if kind == "closed":
            account.limits.blocked = True
        elif kind in {"unpaid", WRITES_ONLY}:
            account.unpaid.until, account.unpaid.reads = forever, kind == "unpaid"
        else:
            self.faults.add(Fault(kind={"login": "401", "rights": "403"}[kind], times=forever))

    def unblock(self) -> None:
        self.account.limits.unblock()
        self.account.unpaid.until = 0.0
        self.faults.clear()

    def expire(self) -> None:
        self.account.tokens.expire()

    def new_secret(self) -> str:
        return self.account.tokens.code(self.account.clock.now().timestamp())

    # --- what people do -----------------------------------------------------------------------------------------

    def lead(self, name: str, phone: str, stage: str) -> str:
        made = Lead(name=name, phone=phone, created_at=self.account.clock.now(), stage=stage)
        return str(arrive(self.account, made).id)

    def contact(self, surname: str, name: str, phone: str) -> str:
        values = {"name": f"{surname} {name}", "PHONE": [phone]}
        card = staff.act(self.account, "create", Order(entity="contact", fields=values))
        return str(card.id) if card else ""

    def drag(self, entity: str, card_id: str, stage: str) -> None:
        funnel = FUNNEL if entity == "deal" else "Лиды"
        self._act("move", entity=entity, id=int(card_id), stage=stage, funnel=funnel)

    def edit(self, entity: str, card_id: str, values: dict[str, Any]) -> None:
        self._act("edit", entity=entity, id=int(card_id), fields=values)

    def relink(self, card_id: str, contacts: Iterable[str]) -> None:
        raise NotImplementedError("contacts of a deal are added one by one in amoCRM, not replaced")

    def delete(self, entity: str, card_id: str) -> None:
        self._act("delete", entity=entity, id=int(card_id))

    def merge(self, entity: str, loser: str, survivor: str) -> None:
        self._act("merge", entity=entity, id=int(loser), into=int(survivor))

    def _act(self, action: str, **order: Any) -> None:
        staff.act(self.account, action, Order(**order))


def _shown(field: Field, cells: Iterable[Any]) -> Any:
    """One value, as staff see it; empty is None."""
    value = next((cell.value for cell in cells), None)
    return datetime.fromtimestamp(value, UTC) if field.type == "date_time" and value is not None else value


class _Messages(list[dict[str, Any]]):
    """The account's list, which tells the world of each message as it goes out."""

    def __init__(self, crm: AmoCrm) -> None:
        super().__init__()
        self._crm = crm

    def append(self, row: dict[str, Any]) -> None:
        super().append(row)
        self._crm.said(row)
