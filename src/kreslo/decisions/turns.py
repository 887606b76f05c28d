"""A campaign's turns: which facts of a case are its occasions, and when each has its time."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from kreslo.decisions.case import Case
from kreslo.decisions.scope import entry_scope, zone_of
from kreslo.decisions.status import no_show_at
from kreslo.decisions.visit import Visit
from kreslo.mapping.model import (
    ENTRY_OCCASIONS,
    AppointmentPlan,
    Bridge,
    CampaignPlan,
    Occasion,
    Phase,
    Quiet,
)
from kreslo.records import RECALL, Appointment, Entry, RecordKind, RecordRef


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One occasion of one campaign. `ref`: the record whose occasion it is. `time`: when its card is due, `past_at`: from
    when on it is not made any more; `zone`: the clinic's. `scope`: `appointment.…` or `entry.…` for expressions. `turns_at`: when the clock changes that scope.
    """

    plan: CampaignPlan
    ref: RecordRef
    time: datetime
    past_at: datetime
    zone: ZoneInfo
    scope: dict[str, Any]
    turns_at: datetime | None = None

    def key(self, source_id: str) -> str:
        """Of its card in the CRM: `<source id>/<campaign>/<id>`."""
        return f"{source_id}/{self.plan.name}/{self.ref.id}"

    @property
    def name(self) -> str:
        """As `explain` shows it."""
        return f"campaign {self.plan.name}, {self.ref.kind} {self.ref.id}"


def turns_of(
    case: Case, visits: Sequence[Visit], completed: Sequence[Appointment], bridge: Bridge, now: datetime
) -> list[Turn]:
    """All turns of all campaigns, past ones too. `visits`: every chain; `completed`: visits that took place, by time."""
    last = completed[-1].id if completed else None
    found = []
    for plan in bridge.campaigns:
        if plan.on in ENTRY_OCCASIONS:
            found += [_of_entry(each, plan, bridge, now) for each in _entries(case, plan)]
        elif bridge.appointment:
            found += list(_of_visits(visits, last, plan, bridge.appointment, bridge))
    return found


def unlisted(case: Case, bridge: Bridge) -> dict[str, str]:
    """Entries of which the mapping has no campaign, with the reason."""
    names = {_list_of(plan) for plan in bridge.campaigns if plan.on in ENTRY_OCCASIONS}
    return {
        each.id: f'the mapping has no campaign for the list "{each.campaign}"'
        for each in case.entries
        if each.campaign not in names
    }


def quiet_until(moment: datetime, plan: CampaignPlan, zone: ZoneInfo) -> datetime:
    """The moment itself, or the end of the quiet hours that it falls into."""
    if plan.quiet is None:
        return moment
    return _out_of(plan.quiet, moment.astimezone(zone)).astimezone(moment.tzinfo)


def time_of(occasion: datetime, plan: CampaignPlan, zone: ZoneInfo) -> datetime:
    """When the card of an occasion is due."""
    local = (occasion + plan.after).astimezone(zone)
    if plan.at is not None:
        same_day = datetime.combine(local.date(), plan.at, zone)
        next_day = datetime.combine(local.date() + timedelta(days=1), plan.at, zone)
        local = same_day if same_day >= local else next_day
    return quiet_until(local.astimezone(occasion.tzinfo), plan, zone)


def _out_of(quiet: Quiet, local: datetime) -> datetime:
    over_midnight = quiet.since > quiet.until
    clock = local.time()
    inside = quiet.since <= clock < quiet.until
    if over_midnight:
        inside = clock >= quiet.since or clock < quiet.until
    if not inside:
        return local
    tomorrow = over_midnight and clock >= quiet.since
    day = local.date() + timedelta(days=1) if tomorrow else local.date()
    return datetime.combine(day, quiet.until, local.tzinfo)


def _list_of(plan: CampaignPlan) -> str:
    return RECALL if plan.on is Occasion.RECALL else plan.name


def _entries(case: Case, plan: CampaignPlan) -> Iterator[Entry]:
    return (each for each in case.entries if each.campaign == _list_of(plan))


def _of_entry(entry: Entry, plan: CampaignPlan, bridge: Bridge, now: datetime) -> Turn:
    zone = zone_of(entry, bridge)
    ends_at = entry.ends_at or entry.starts_at
    # A list may be written long after the visits that it speaks of: those are as old as they are.
    oldest = min(entry.created_at, entry.starts_at or entry.created_at)
    return Turn(
        plan=plan,
        ref=RecordRef(RecordKind.ENTRY, entry.id),
        time=time_of(entry.created_at, plan, zone),
        past_at=time_of(oldest, plan, zone) + plan.late,
        zone=zone,
        scope={"entry": entry_scope(entry, bridge, ahead=ends_at is not None and now < ends_at)},
        turns_at=ends_at,
    )


def _of_visits(
    visits: Sequence[Visit], last: str | None, plan: CampaignPlan, rules: AppointmentPlan, bridge: Bridge
) -> Iterator[Turn]:
    for visit in visits:
        occasion = _occasion(visit, plan.on, last, rules)
        if occasion is None:
            continue
        zone = zone_of(visit.last, bridge)
        time = time_of(occasion, plan, zone)
        yield Turn(
            plan=plan,
            ref=RecordRef(RecordKind.APPOINTMENT, visit.last.id),
            time=time,
            past_at=time + plan.late,
            zone=zone,
            scope={"appointment": visit.scope},
        )


def _occasion(visit: Visit, on: Occasion, last: str | None, rules: AppointmentPlan) -> datetime | None:
    """When the fact was, None where it is not a fact (any more) or the MIS does not say when."""
    record, phase = visit.last, visit.phase
    match on:
        case Occasion.BOOKED:
            return record.created_at if visit.ahead else None
        case Occasion.CONFIRMED:
            return record.confirmed_at if phase is Phase.CONFIRMED else None
        case Occasion.ARRIVED:
            return (record.appeared_at or record.started_at) if phase is Phase.ARRIVED else None
        case Occasion.COMPLETED:
            return _took_place(record) if phase is Phase.COMPLETED else None
        case Occasion.CANCELLED:
            return record.cancelled_at if phase is Phase.CANCELLED else None
        case Occasion.RESCHEDULED:
            return record.cancelled_at if phase is Phase.RESCHEDULED else None
        case Occasion.NO_SHOW:
            return no_show_at(record, rules.status) if phase is Phase.NO_SHOW else None
        case Occasion.LAST_VISIT:
            return _took_place(record) if phase is Phase.COMPLETED and record.id == last else None
        case _:
            return None


def _took_place(record: Appointment) -> datetime | None:
    return record.ended_at or record.billed_at
