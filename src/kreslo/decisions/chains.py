"""Chains: appointments linked by reschedules. One chain is one card."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

import msgspec

from kreslo.mapping.model import RebookPlan
from kreslo.records import Appointment


class Chain(msgspec.Struct, frozen=True):
    """`members` from the first to the last; `inferred`: ids whose link to the one before was inferred from a
    cancellation and a new entry, not told by the MIS.
    """

    members: tuple[Appointment, ...]
    inferred: frozenset[str] = frozenset()

    @property
    def first(self) -> Appointment:
        return self.members[0]

    @property
    def last(self) -> Appointment:
        return self.members[-1]


def chains_of(
    appointments: Iterable[Appointment], rebook: RebookPlan | None, vanished: Collection[str] = frozenset()
) -> list[Chain]:
    """All chains of one patient's appointments, by the entry time of their first member.

    The MIS's own links come first; then, within `rebook.window` between a cancellation and a new entry (in either
    order), the same patient's new booking is taken as the reschedule. Each appointment has at most one predecessor
    and one successor: of several successors that the MIS names, the living and latest is the chain's, the others
    stand for themselves. `vanished`: ids that are gone from the MIS; one of them succeeds only what is cancelled itself,
    so that a visit which still stands is not lost with it.
    """
    by_id = {each.id: each for each in appointments}
    successor = _told(by_id, vanished)
    inferred = frozenset(_infer(by_id, successor, rebook, vanished) if rebook else ())
    has_predecessor = set(successor.values())
    chains = []
    seen: set[str] = set()
    # A circle of links (a MIS's mistake) has no start; its earliest entry is taken as one.
    starts = [a for a in by_id.values() if a.id not in has_predecessor]
    for start in (*starts, *sorted(by_id.values(), key=_entered)):
        members = []
        current: str | None = start.id
        while current is not None and current not in seen:
            seen.add(current)
            members.append(by_id[current])
            current = successor.get(current)
        if members:
            chains.append(Chain(tuple(members), inferred & {member.id for member in members}))
    return sorted(chains, key=lambda chain: _entered(chain.first))


def _told(by_id: dict[str, Appointment], vanished: Collection[str]) -> dict[str, str]:
    successor: dict[str, str] = {}

    def alive(each: Appointment) -> bool:
        return each.cancelled_at is None and each.id not in vanished

    for each in sorted(by_id.values(), key=lambda a: (alive(a), _entered(a))):
        old = by_id.get(each.predecessor_id)
        if old is not None and old.id != each.id and not (each.id in vanished and alive(old)):
            successor[old.id] = each.id
    return successor


def _infer(
    by_id: dict[str, Appointment],
    successor: dict[str, str],
    rebook: RebookPlan,
    vanished: Collection[str],
) -> list[str]:
    """Adds the inferred links to `successor`; the ids that were linked."""
    taken = set(successor.values())
    # The nearest pairs first, so that one new booking is not claimed by an older cancellation.
    pairs = [
        (gap, old, new)
        for old in by_id.values()
        if old.cancelled_at is not None
        for new in by_id.values()
        if new.id not in vanished and (gap := _rebooked(old, old.cancelled_at, new, rebook)) is not None
    ]
    linked: list[str] = []
    for _, old, new in sorted(pairs, key=lambda pair: (pair[0], _entered(pair[1]), _entered(pair[2]))):
        if old.id not in successor and new.id not in taken:
            successor[old.id] = new.id
            taken.add(new.id)
            linked.append(new.id)
    return linked


def _rebooked(
    old: Appointment, cancelled_at: datetime, new: Appointment, rebook: RebookPlan
) -> timedelta | None:
    """How far apart cancellation and new entry are, if that makes a reschedule."""
    if new.created_at is None or _entered(new) <= _entered(old) or not _same(old, new, rebook):
        return None
    gap = abs(new.created_at - cancelled_at)
    return gap if gap <= rebook.window else None


def _same(old: Appointment, new: Appointment, rebook: RebookPlan) -> bool:
    if rebook.same == "any":
        return True
    if old.doctor is None or new.doctor is None:
        return False
    if rebook.same == "doctor":
        return old.doctor.id == new.doctor.id
    return bool(old.doctor.specialty) and old.doctor.specialty == new.doctor.specialty


def _entered(appointment: Appointment) -> tuple[datetime, str]:
    return (appointment.created_at or appointment.starts_at, appointment.id.rjust(20, "0"))
