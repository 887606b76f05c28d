"""What a connector ships beside its real side: a stand-in of the outside system, for demo, tests and rehearsals."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import msgspec
from starlette.types import ASGIApp

from kreslo.connectors.seams import Clock


class Lead(msgspec.Struct, frozen=True, kw_only=True):
    """A lead as a site form or a call makes it in the CRM, by itself. `stage`: the name of the stage on which staff
    have put it since; `source` is the CRM's dictionary code (CALL, WEB, …).
    """

    name: str
    phone: str
    created_at: datetime
    stage: str = "Новый"
    source: str = "WEB"
    utm_source: str = ""
    utm_campaign: str = ""


LeadSink = Callable[[Lead], Awaitable[None]]
"""Puts a lead into the CRM's sandbox."""


class ChainCensus(msgspec.Struct, frozen=True, kw_only=True):
    """One chain of appointments as the clinic's database tells it: `ids` from the first to the last; `state` of the
    last one: upcoming, arrived, completed, cancelled, rescheduled (moved, no new date), no_show. `refused`: the patient
    wants no messages, so the card must keep off stages on which the CRM writes to them. `ended_at`: when it took place.
    """

    ids: tuple[str, ...]
    patient_id: str
    starts_at: datetime
    state: str
    amount: Decimal | None = None
    refused: bool = False
    ended_at: datetime | None = None


class EntryCensus(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a campaign's list, or an invitation (then `campaign` is `kreslo.records.RECALL`), that is not closed. `at`:
    when it was written; `visit_at`: the start of the visit that it speaks of.
    """

    campaign: str
    patient_id: str
    at: datetime
    visit_at: datetime | None = None
    refused: bool = False


class Census(msgspec.Struct, frozen=True, kw_only=True):
    """What a database holds that must have a card, counted by plain SQL and apart from every piece of the engine.
    `enquiries`: one E.164 phone each, of enquiries whose caller must have an enquiry card. `last_seen`: of each patient the
    chain that took place last, inside the window or before it.
    """

    patients: int
    appointments: int
    enquiries: tuple[str, ...]
    chains: tuple[ChainCensus, ...]
    last_seen: tuple[ChainCensus, ...] = ()
    entries: tuple[EntryCensus, ...] = ()


class SourceSandbox(Protocol):
    """A made-up clinic in the MIS's own schema: `path` is its database file, or the folder that holds all of it."""

    @property
    def place(self) -> str:
        """What the clinic is called in the demo's folder."""
        ...

    @property
    def examples(self) -> tuple[str, ...]:
        """What to try first, as arguments of `commands`."""
        ...

    def create(self, path: Path, *, seed: int, now: datetime, patients: int) -> None:
        """Make the clinic where there is none: eight years of history up to `now` and bookings after it."""
        ...

    def settings(self, path: Path) -> dict[str, Any]:
        """The connector's options that reach it."""
        ...

    def environment(self, path: Path) -> dict[str, str]:
        """The variables by which the demo's mapping reaches it."""
        ...

    def leads(self, path: Path, *, seed: int, now: datetime) -> Sequence[Lead]:
        """The leads that stand in the CRM on the first day: some of them became bookings in the database."""
        ...

    def census(self, path: Path, *, now: datetime, past: timedelta, future: timedelta) -> Census: ...

    async def live(self, path: Path, *, seed: int, clock: Clock, speed: float, leads: LeadSink) -> None:
        """A clinic day that goes on until cancelled; `speed` 1 is real time, 60 an hour a minute."""
        ...

    def commands(self) -> Any:
        """A typer app with what a person can do in the clinic by hand: book, move, cancel, arrive, finish, show. Each
        command takes the clinic's path as `--clinic`.
        """
        ...


class SandboxPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How a sandbox CRM is to behave: `switches` are its own (see its README), `clock` drives limits and tokens."""

    clock: Clock
    switches: dict[str, Any] = {}


class TargetSandbox(Protocol):
    """A made-up CRM behind its real protocol. `/_control/…` drives it (docs/sandboxes.md)."""

    def build(self, plan: SandboxPlan) -> ASGIApp: ...

    def settings(self, base_url: str) -> dict[str, Any]:
        """The connector's options that reach the sandbox at this address."""
        ...
