"""The account's whole state, in memory."""

from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from connectors.amocrm.sandbox.cards import Card, Kind, Store, Tag
from connectors.amocrm.sandbox.events import Events
from connectors.amocrm.sandbox.fields import Fields
from connectors.amocrm.sandbox.hooks import Hooks
from connectors.amocrm.sandbox.limits import Limits
from connectors.amocrm.sandbox.people import PEOPLE, ROBOT_USER
from connectors.amocrm.sandbox.pipelines import Pipelines
from connectors.amocrm.sandbox.records import Hung, Note, Task, UnsortedItem
from connectors.amocrm.sandbox.searching import Index
from connectors.amocrm.sandbox.switches import Switches
from connectors.amocrm.sandbox.tokens import Tokens
from connectors.amocrm.sandbox.values import Reader
from kreslo.connectors.sandboxing.counting import RequestCount
from kreslo.connectors.sandboxing.faults import Faults
from kreslo.connectors.seams import Clock

FAULTS = (
    *("timeout", "cut", "lose", "500", "502html", "503", "429", "504html"),
    *("slow", "400system", "401", "402", "403html", "403", "226", "244"),
)


class Robot(msgspec.Struct, frozen=True, kw_only=True):
    """What the digital pipeline does when a lead enters a stage: a message to the client, or a field that it sets."""

    stage: str
    funnel: str = ""
    action: str = "message"
    field: str = ""
    value: Any = None
    user_id: int = ROBOT_USER


class Unpaid(msgspec.Struct):
    """Until when the account counts as unpaid, by the monotonic clock; `reads`: those are refused too."""

    until: float = 0.0
    reads: bool = False


class Account:
    def __init__(self, switches: Switches, clock: Clock) -> None:
        self.switches = switches
        self.clock = clock
        self.zone = ZoneInfo(switches.timezone)
        self.base = "http://127.0.0.1"
        self.people = {person.id: person for person in PEOPLE}
        self.created_at = self.now()
        self.pipelines = Pipelines(self.created_at)
        self.fields = Fields()
        bare: tzinfo = UTC if switches.date_cut == "utc" else self.zone
        self.reader = Reader(self.fields, self.zone, bare)
        self.stores = {kind: Store(kind) for kind in Kind}
        self.indexes = {kind: Index(switches) for kind in Kind}
        self.tasks: Hung[Task] = Hung()
        self.notes: Hung[Note] = Hung()
        self.unsorted: dict[str, UnsortedItem] = {}
        self.tags: dict[tuple[Kind, str], Tag] = {}
        self.events = Events()
        self.hooks = Hooks(switches, clock)
        self.messages: list[dict[str, Any]] = []
        self.history: list[dict[str, Any]] = []
        self.deleted: list[dict[str, Any]] = []
        self.robots: list[Robot] = []
        self.tokens = Tokens(switches.refresh_grace)
        self.limits = Limits(switches)
        self.stats = RequestCount()
        self.faults = Faults(FAULTS)
        self.unpaid = Unpaid()
        self._counters: dict[str, int] = {
            "leads": 20_000_000,
            "contacts": 40_000_000,
            "companies": 60_000_000,
        }

    def now(self) -> int:
        """Unix seconds, as the account's database keeps them."""
        return int(self.clock.now().timestamp())

    def next_id(self, counter: str) -> int:
        self._counters[counter] = self._counters.get(counter, 1_000_000) + 2
        return self._counters[counter]

    def card(self, kind: Kind, card_id: int) -> Card | None:
        return self.stores[kind].get(card_id)

    def tag(self, kind: Kind, name: str) -> Tag:
        """The tag of that name; made where there is none."""
        if (kind, name) not in self.tags:
            self.tags[kind, name] = Tag(self.next_id("tags"), name)
        return self.tags[kind, name]
