"""The portal's whole state, in memory."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from connectors.bitrix24.sandbox.cards import Card, CardStore, Kind
from connectors.bitrix24.sandbox.dictionaries import Dictionaries
from connectors.bitrix24.sandbox.fields import CONTACT_FIELDS, DEAL_FIELDS, LEAD_FIELDS, Field
from connectors.bitrix24.sandbox.happenings import Happenings
from connectors.bitrix24.sandbox.limits import Bucket, Operating, Stats
from connectors.bitrix24.sandbox.oauth import APPLICATION_TOKEN, Tokens
from connectors.bitrix24.sandbox.switches import Switches
from kreslo.connectors.sandboxing.faults import Faults
from kreslo.connectors.seams import Clock

ROBOT_USER = 2
"""Robots and site forms act as the portal's chief administrator, never as the integration."""


FAULTS = ("timeout", "cut", "lose", "slow", "500", "502html", "503", "429", "504html")


class Person(msgspec.Struct, frozen=True):
    id: int
    name: str
    last_name: str
    position: str
    admin: bool = False


PEOPLE = (
    Person(1, "Интеграция", "Kreslo", "Технический пользователь", admin=True),
    Person(2, "Ольга", "Управляющая", "Управляющая клиникой", admin=True),
    Person(3, "Анна", "Первая", "Администратор"),
    Person(4, "Мария", "Вторая", "Администратор"),
    Person(5, "Пётр", "Звонков", "Оператор колл-центра"),
)


class Robot(msgspec.Struct, frozen=True, kw_only=True):
    """What the portal does by itself when a card enters a stage: a message to the client, or a field that it sets."""

    entity: Kind
    stage: str
    funnel: str = ""
    action: str = "message"
    field: str = ""
    value: Any = None
    user_id: int = ROBOT_USER


class Portal:
    def __init__(self, switches: Switches, clock: Clock) -> None:
        self.switches = switches
        self.clock = clock
        self.zone = ZoneInfo(switches.timezone)
        self.dictionaries = Dictionaries()
        self.people = {person.id: person for person in PEOPLE}
        self.stores = {kind: CardStore(kind) for kind in Kind}
        self.comments: list[dict[str, Any]] = []
        self.activities: list[dict[str, Any]] = []
        self.tasks: list[dict[str, Any]] = []
        self.products: dict[tuple[Kind, int], list[dict[str, Any]]] = {}
        self.history: dict[Kind, list[dict[str, Any]]] = {Kind.DEAL: [], Kind.LEAD: []}
        self.messages: list[dict[str, Any]] = []
        self.deleted: list[dict[str, Any]] = []
        self.robots: list[Robot] = []
        self.faults = Faults(FAULTS)
        self.stats = Stats()
        self.bucket = Bucket(switches.rate, switches.burst)
        self.operating = Operating(switches.operating_limit, switches.operating_threshold)
        self.happenings = Happenings()
        self.application_token = APPLICATION_TOKEN
        self.tokens = Tokens(self)
        self._fields = {Kind.CONTACT: CONTACT_FIELDS, Kind.DEAL: DEAL_FIELDS, Kind.LEAD: LEAD_FIELDS}
        self._fields = {kind: dict(fields) for kind, fields in self._fields.items()}
        self._item_names: dict[Kind, dict[str, Field]] = {}
        self._counters: dict[str, int] = {}

    def now(self) -> datetime:
        """To the second, as the portal's database keeps it."""
        return self.clock.now().astimezone(UTC).replace(microsecond=0)

    def today(self) -> date:
        return self.clock.now().astimezone(self.zone).date()

    def next_id(self, counter: str) -> int:
        self._counters[counter] = self._counters.get(counter, 0) + 1
        return self._counters[counter]

    def tell(self, event: str, **fields: Any) -> None:
        """An event of a card, by its name without `ONCRM`."""
        self.happenings.tell(f"ONCRM{event}", fields, self.now(), int(self.clock.now().timestamp()))

    def store(self, kind: Kind) -> CardStore:
        return self.stores[kind]

    def card(self, kind: Kind, card_id: int) -> Card | None:
        return self.stores[kind].get(card_id)

    def fields(self, kind: Kind) -> dict[str, Field]:
        """All fields of the kind by legacy code, user fields last."""
        return self._fields[kind]

    def item_fields(self, kind: Kind) -> dict[str, Field]:
        """The same by the names of crm.item.*; on a clash of names a user field keeps its upper-case one."""
        if kind not in self._item_names:
            names: dict[str, Field] = {}
            for field in self._fields[kind].values():
                if field.item_name:
                    names[field.code if field.item_name in names else field.item_name] = field
            self._item_names[kind] = names
        return self._item_names[kind]

    def add_field(self, kind: Kind, field: Field) -> None:
        self._fields[kind][field.code] = field
        self._item_names.pop(kind, None)
