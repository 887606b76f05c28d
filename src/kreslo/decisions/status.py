"""Status from facts: the ordered rule list, and the phase that the clock makes of it."""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from kreslo.mapping.model import AppointmentPlan, Phase, StatusPlan
from kreslo.records import Appointment


def status_of(
    appointment: Appointment,
    plan: StatusPlan,
    *,
    now: datetime,
    vanished: bool,
    confirmed: bool,
) -> Phase:
    """The status of the last appointment of a chain: upcoming, confirmed, arrived or one of the four ends.

    The first rule of `plan.order` that fires decides. That an appointment has a successor is the chain's business
    (`chains`), so the rule "moved" fires here only for "moved, no new date": cancelled for one of the reasons that
    mean it.
    """
    if vanished:
        return Phase.CANCELLED
    rules: dict[str, Callable[[], Phase | None]] = {
        "moved": lambda: Phase.RESCHEDULED if _moved_without_date(appointment, plan) else None,
        "cancelled": lambda: Phase.CANCELLED if appointment.cancelled_at else None,
        "completed": lambda: Phase.COMPLETED if appointment.billed_at or appointment.ended_at else None,
        "arrived": lambda: Phase.ARRIVED if appointment.started_at or appointment.appeared_at else None,
        "no_show": lambda: Phase.NO_SHOW if now >= no_show_at(appointment, plan) else None,
        "confirmed": lambda: Phase.CONFIRMED if appointment.confirmed_at or confirmed else None,
    }
    for name in plan.order:
        rule = rules.get(name)
        phase = rule() if rule else None
        if phase is not None:
            return phase
    return Phase.UPCOMING


def no_show_at(appointment: Appointment, plan: StatusPlan) -> datetime:
    """From when on a visit to which nobody came is a no-show."""
    return (appointment.ends_at or appointment.starts_at) + plan.no_show_after


def phase_of(
    status: Phase, starts_at: datetime, plan: AppointmentPlan, *, now: datetime, zone: ZoneInfo
) -> Phase:
    """What the clock makes of "upcoming": tomorrow from its time of the day before, today from its time."""
    if status is not Phase.UPCOMING:
        return status
    if now >= today_at(starts_at, plan, zone):
        return Phase.TODAY
    if now >= tomorrow_at(starts_at, plan, zone):
        return Phase.TOMORROW
    return Phase.UPCOMING


def tomorrow_at(starts_at: datetime, plan: AppointmentPlan, zone: ZoneInfo) -> datetime:
    return _at(starts_at, -1, plan, Phase.TOMORROW, zone)


def today_at(starts_at: datetime, plan: AppointmentPlan, zone: ZoneInfo) -> datetime:
    return _at(starts_at, 0, plan, Phase.TODAY, zone)


def next_wake(
    appointment: Appointment, status: Phase, plan: AppointmentPlan, *, now: datetime, zone: ZoneInfo
) -> datetime | None:
    """When the clock alone would change the phase, or None."""
    if status not in {Phase.UPCOMING, Phase.CONFIRMED}:
        return None
    moments = [no_show_at(appointment, plan.status)]
    if status is Phase.UPCOMING:
        moments += [
            tomorrow_at(appointment.starts_at, plan, zone),
            today_at(appointment.starts_at, plan, zone),
        ]
    return min((moment for moment in moments if moment > now), default=None)


def _at(starts_at: datetime, days: int, plan: AppointmentPlan, phase: Phase, zone: ZoneInfo) -> datetime:
    rule = plan.stages.get(phase)
    day = starts_at.astimezone(zone).date() + timedelta(days=days)
    return datetime.combine(day, rule.at if rule else time(0, 0), zone).astimezone(starts_at.tzinfo)


def _moved_without_date(appointment: Appointment, plan: StatusPlan) -> bool:
    if not appointment.cancelled_at:
        return False
    said = {text.strip().casefold() for text in (appointment.cancel_reason, appointment.cancel_comment)}
    return any(reason.strip().casefold() in said for reason in plan.reschedule_reasons)
