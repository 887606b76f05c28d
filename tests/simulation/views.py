"""What the oracle and the staff of a world know of a CRM, whichever it is."""

from collections.abc import Callable, Iterable
from datetime import datetime
from random import Random
from typing import Any, Protocol

import httpx
import msgspec
from starlette.types import ASGIApp

from kreslo.connectors.sandboxing.faults import Faults


class CardView(msgspec.Struct, frozen=True, kw_only=True):
    """A card as staff see it. `entity`: "deal" (of a visit), "lead" (of an enquiry), "poll" (of a campaign) or "contact", whatever the CRM calls
    them. `visit`: id of the appointment that it shows. `named`: fields by title, and by code where they have none of
    their own. `semantic`: "P" where it is open.
    """

    entity: str
    id: str
    key: str
    visit: str = ""
    stage: str = ""
    semantic: str = ""
    contacts: tuple[str, ...] = ()
    lead: str = ""
    phones: tuple[str, ...] = ()
    fields: dict[str, Any] = {}
    notes: tuple[str, ...] = ()
    ours: bool = False


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What the CRM's robot wrote to a patient: of which visit time, and whose act made it."""

    card: str
    stage: str
    at: datetime
    starts_at: datetime | None
    ours: bool
    contacts: tuple[str, ...]


class Crm(Protocol):
    """`messages`: see Message. `tell_hooks`: takes the body of each hook that it sends, where it sends any. `faults`:
    strikes requests. `struck`: kinds of faults and how often each. `latest`: seconds after which the CRM has given up a
    request. `blocks`: ways in which it refuses everything for a while. `cannot`: what staff cannot do in it. `secrets`:
    what no log may show.
    """

    messages: list[Message]
    tell_hooks: Callable[[bytes], None] | None
    faults: Faults
    struck: tuple[tuple[str, int], ...]
    latest: float
    blocks: tuple[str, ...]
    cannot: frozenset[str]
    secrets: tuple[str, ...]

    def app(self) -> ASGIApp: ...

    def cards(self) -> list[CardView]: ...

    def writes(self, request: httpx.Request, body: bytes) -> bool:
        """Whether the request could change something."""
        ...

    def excess(self, most_a_second: int) -> str:
        """In which way the CRM's limits were exceeded, "" if they were not. `most_a_second`: of requests that we sent."""
        ...

    def vary(self, chance: Random) -> str:
        """Take on what differs from one account to another; in words, "" where there is nothing to say."""
        ...

    def block(self, kind: str) -> None: ...

    def unblock(self) -> None: ...

    def expire(self) -> None:
        """All access tokens end now."""
        ...

    def new_secret(self) -> str:
        """What a person takes from the CRM to let Kreslo in anew: see `Prepared.target`."""
        ...

    def lead(self, name: str, phone: str, stage: str) -> str: ...

    def contact(self, surname: str, name: str, phone: str) -> str: ...

    def drag(self, entity: str, card_id: str, stage: str) -> None: ...

    def edit(self, entity: str, card_id: str, values: dict[str, Any]) -> None: ...

    def relink(self, card_id: str, contacts: Iterable[str]) -> None: ...

    def delete(self, entity: str, card_id: str) -> None: ...

    def merge(self, entity: str, loser: str, survivor: str) -> None: ...


def is_poll(key: str) -> bool:
    """Whether a card with this key is a campaign's."""
    return key.startswith("ident/poll/")


def visit_of(key: str) -> str:
    """The appointment that a card was made for."""
    kind, _, number = key.removeprefix("ident/").partition("/")
    return number if kind == "appointment" else ""
