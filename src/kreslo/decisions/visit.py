"""A visit as decisions see it: one chain with its status, its phase and its cards."""

from datetime import datetime
from typing import Any

import msgspec

from kreslo.decisions.case import OwnCard
from kreslo.decisions.chains import Chain
from kreslo.mapping.model import CLOCK_PHASES, Bridge, Phase
from kreslo.records import Appointment, RecordKind, RecordRef


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One chain with what the clock and the journal say of it. `own`: its card, the older one where it has two;
    `twins`: its other cards. `scope`: `appointment.…` for expressions. `vanished`: it is gone from the MIS.
    `confirmation`, `void`: as in `Base`. `said`: message occasions of this time that were entered already, on whichever
    of the patient's cards: links come and go, and what was said stays said.
    """

    chain: Chain
    status: Phase
    phase: Phase
    own: OwnCard | None
    twins: tuple[OwnCard, ...]
    scope: dict[str, Any]
    wake_at: datetime | None
    vanished: bool
    confirmation: str
    void: str
    said: frozenset[str] = frozenset()

    @property
    def last(self) -> Appointment:
        return self.chain.last

    @property
    def ahead(self) -> bool:
        """Whether the patient is still awaited."""
        return self.phase in CLOCK_PHASES or self.phase is Phase.CONFIRMED


def key_of(appointment: Appointment, bridge: Bridge) -> str:
    return RecordRef(RecordKind.APPOINTMENT, appointment.id).key(bridge.source_id)


def minute(appointment: Appointment) -> str:
    """When it starts, as it stands in markers."""
    return f"{appointment.starts_at:%Y%m%dT%H%M}"
