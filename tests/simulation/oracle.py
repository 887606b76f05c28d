"""What must come of a history: which cards stand in the CRM, and where. Written from the plan, apart from the engine.

Of a history it sees what the clinic's tables held and when staff did what. The world is judged whenever it is at rest:
between two rests the engine may have seen events in any order and any number at once, so the answer is a set of
stages; where only one thing happened, it is one stage.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from kreslo.records import Appointment, Enquiry, RecordKind
from tests.simulation.mis import Version
from tests.simulation.rules import (
    POLL_HOURS,
    PROTECTED,
    RESCHEDULE_REASON,
    STALE_DAYS,
    WINDOW_HOURS,
    Rules,
)
from tests.simulation.staff import StaffAct

ENDS = frozenset({"completed", "cancelled", "rescheduled", "no_show"})
BY_CLOCK = frozenset({"upcoming", "tomorrow", "today"})
_WINDOW = timedelta(hours=WINDOW_HOURS)
RANK = {"upcoming": 0, "tomorrow": 1, "today": 2, "confirmed": 3, "arrived": 4, **dict.fromkeys(ENDS, 5)}


class Line(msgspec.Struct, frozen=True):
    """A chain of appointments: one visit, however often it was moved. From the first to the last. `vanished`: the last
    one's row is gone.
    """

    visits: tuple[Appointment, ...]
    vanished: bool = False

    @property
    def members(self) -> tuple[str, ...]:
        """Their ids."""
        return tuple(each.id for each in self.visits)

    @property
    def last(self) -> Appointment:
        return self.visits[-1]


def lines(appointments: Iterable[Appointment], gone: Collection[str] = ()) -> list[Line]:
    """The chains of one patient (`gone`: ids of deleted rows): by the MIS's own links, then by "cancelled and booked anew within a day at the same
    doctor", the closest pairs first.
    """
    known = {each.id: each for each in appointments}
    after: dict[str, str] = {}

    def alive(one: Appointment) -> bool:
        return one.cancelled_at is None and one.id not in gone

    for each in sorted(known.values(), key=lambda one: (alive(one), _entered(one))):
        old = known.get(each.predecessor_id)
        if old is not None and not (each.id in gone and alive(old)):
            after[old.id] = each.id
    pairs = []
    for old in known.values():
        for new in known.values():
            gap = None if new.id in gone else _apart(old, new)
            if gap is not None and gap <= _WINDOW:
                pairs.append((gap, _entered(old), _entered(new), old.id, new.id))
    for *_, old_id, new_id in sorted(pairs):
        if old_id not in after and new_id not in after.values():
            after[old_id] = new_id
    found = []
    for start in sorted(known.values(), key=_entered):
        if start.id in after.values():
            continue
        members = [start.id]
        while members[-1] in after:
            members.append(after[members[-1]])
        found.append(Line(tuple(known[each] for each in members), members[-1] in gone))
    return found


def ambiguous(appointments: Iterable[Appointment], unsure: timedelta) -> bool:
    """Whether a cancelled visit may be taken for more than one new one, or the other way round, or for one that was
    booked about a window away: where the cancellation is known `unsure` after it happened, nobody can say.
    """
    every = list(appointments)
    olds: Counter[str] = Counter()
    news: Counter[str] = Counter()
    for old in every:
        for new in every:
            gap = _apart(old, new)
            if gap is None:
                continue
            if abs(gap - _WINDOW) < unsure:
                return True
            olds[old.id] += 1
            news[new.id] += 1
    return max(olds.values(), default=0) > 1 or max(news.values(), default=0) > 1


def _apart(old: Appointment, new: Appointment) -> timedelta | None:
    """How far the cancellation of one and the booking of the other are apart; None where they cannot be one visit."""
    if old.cancelled_at is None or _entered(new) <= _entered(old) or old.doctor != new.doctor:
        return None
    return abs((new.created_at or new.starts_at) - old.cancelled_at)


def _entered(appointment: Appointment) -> tuple[datetime, int]:
    return (appointment.created_at or appointment.starts_at, int(appointment.id))


def phase(visit: Appointment, now: datetime, rules: Rules) -> str:
    """What a visit is at this moment."""
    if visit.cancelled_at:
        return "rescheduled" if visit.cancel_reason == RESCHEDULE_REASON else "cancelled"
    if visit.billed_at or visit.ended_at:
        return "completed"
    if visit.started_at or visit.appeared_at:
        return "arrived"
    if now >= (visit.ends_at or visit.starts_at) + timedelta(hours=2):
        return "no_show"
    if visit.confirmed_at:
        return "confirmed"
    zone = ZoneInfo(rules.zone)
    day = visit.starts_at.astimezone(zone).date()
    if now >= datetime.combine(day, time(), zone):
        return "today"
    if now >= datetime.combine(
        day - timedelta(days=1), time(rules.tomorrow_at if "tomorrow" in rules.stages else 0), zone
    ):
        return "tomorrow"
    return "upcoming"


def moved_by_clock(
    visits: Iterable[Appointment],
    enquiries: Iterable[Enquiry],
    since: datetime,
    until: datetime,
    rules: Rules,
) -> bool:
    """Whether the clock alone brings any card anywhere in that time."""
    visits = list(visits)
    ended = [visit.ended_at for visit in visits if visit.ended_at]
    due = [end + timedelta(hours=hours) for end in ended for hours in POLL_HOURS.values()]
    due += [enquiry.created_at + timedelta(days=STALE_DAYS) for enquiry in enquiries]
    return any(since < moment <= until for moment in due) or any(
        phase(visit, since, rules) != phase(visit, until, rules) for visit in visits
    )


class Stand(msgspec.Struct, frozen=True, kw_only=True):
    """A visit card as it stood at the last rest: `phase` and `starts_at` of its visit then."""

    stage: str
    phase: str
    starts_at: datetime


class Between(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to one visit since the last rest: its phases, in order and without repeats, those first that held
    then; whether its time moved; where staff dragged its card; whether it was silenced (a patient who refuses messages,
    or whom nobody can be sure of); whether it may have been taken for another one's new time meanwhile.
    """

    phases: tuple[str, ...]
    changes: int
    moved: bool
    drags: tuple[str, ...]
    silenced: bool
    late: bool
    taken: bool = False


def stages(before: Stand | None, between: Between, rules: Rules) -> set[str]:
    """Where the card may stand now."""
    if between.taken and before is not None:
        return _stages(before, between, rules) | _opened_again(before, between, rules)
    return _stages(before, between, rules)


def _opened_again(before: Stand, between: Between, rules: Rules) -> set[str]:
    """The same where its card was closed meanwhile for the card of the visit that it was taken for: it stood at an end
    then, of a visit that was not at one. Where its messages have gone out and no stage is silent, it stays there.
    """
    anew = msgspec.structs.replace(
        between, phases=("rescheduled", *between.phases), changes=between.changes + 1
    )
    ends = {_stage(each, rules) for each in ("rescheduled", "cancelled")} - {""}
    return {
        stage
        for end in ends
        for stage in _stages(Stand(stage=end, phase="rescheduled", starts_at=before.starts_at), anew, rules)
    }


def _stages(before: Stand | None, between: Between, rules: Rules) -> set[str]:
    last = between.phases[-1]
    if before is not None and not between.drags and between.changes == 0:
        return {before.stage}
    if between.drags and between.changes == 0 and before is not None:
        return {between.drags[-1]}
    told = {_stage(each, rules) for each in between.phases} - {""}
    here = _stage(last, rules)
    allowed = {here} if here else set(told)
    quiet = next(
        (
            rules.stages[each]
            for each in ("upcoming", "today", "tomorrow")
            if each in rules.stages and each not in rules.messages
        ),
        "",
    )
    speaks = last in rules.messages
    if not here or (speaks and (between.silenced or between.late)):
        # No opinion: it stays, or starts where visits start; so does what may not speak.
        allowed |= {rules.stages["upcoming"], quiet} - {""}
        allowed |= told
        if before is not None:
            allowed.add(before.stage)
    ended = {_stage(each, rules) for each in between.phases if each in ENDS}
    if speaks and before is not None and (between.moved or before.phase in ENDS or ended):
        # Its message for this time may have gone out already: it waits where none does, or stays at the end where it was.
        allowed |= ({quiet, before.stage} | (set() if quiet else ended)) - {""}
    if between.drags:
        return allowed | set(between.drags) | told | ({before.stage} if before else set())
    if before is None:
        return allowed
    held = _held(before, between, rules)
    if held is True:
        return {before.stage}
    return allowed if held is False else allowed | {before.stage}


def _held(before: Stand, between: Between, rules: Rules) -> bool | None:
    """Whether a guard keeps the card where it stood; None where that hangs on what the engine saw first."""
    last = between.phases[-1]
    stands = _rank(before.stage, rules)
    undisturbed = before.stage == _stage(before.phase, rules)
    if between.moved and last not in ENDS:
        return False if between.changes == 1 or undisturbed else None
    if undisturbed:
        return False
    if len(between.phases) == 1 and not between.moved:
        return True  # what changed is no other phase (confirmed once more, another doctor): nothing moved on (seed 716)
    if between.changes > 1:
        return None
    if last in BY_CLOCK and before.phase in BY_CLOCK:
        if before.stage in PROTECTED:
            return True
        return stands is not None and RANK[last] < stands
    if before.phase in ENDS or RANK[last] < RANK[before.phase]:
        return None if before.stage in PROTECTED else False  # the clinic took something back
    if before.stage in PROTECTED or stands is None:
        return False
    return RANK[last] < stands


def _stage(phase: str, rules: Rules) -> str:
    return rules.stages.get(phase, "")


def _rank(stage: str, rules: Rules) -> int | None:
    ranks = [RANK[phase] for phase, name in rules.stages.items() if name == stage]
    return max(ranks, default=None)


class Memory:
    """What the oracle remembers from rest to rest. `at`: monotonic instant of the last one; `log`, `acts`: how much of
    the histories it had seen then; `stands`: visit cards by id; `carded`: ids of appointments that had a card;
    `keyed`: of those, whose key it bears.
    """

    def __init__(self) -> None:
        self.at = 0.0
        self.now: datetime | None = None
        self.log = 0
        self.acts = 0
        self.stands: dict[str, Stand] = {}
        self.carded: set[str] = set()
        self.keyed: set[str] = set()


def between(
    line: Line,
    card: str,
    before: Stand | None,
    *,
    changes: Sequence[Version],
    acts: Sequence[StaffAct],
    then: datetime | None,
    now: datetime,
    rules: Rules,
    silenced: bool,
) -> Between:
    """What happened to this visit since the last rest at `then`."""
    own = [
        each for each in changes if each.ref.kind is RecordKind.APPOINTMENT and each.ref.id in line.members
    ]
    versions = [each.record for each in own if isinstance(each.record, Appointment)]
    moments = [moment for moment in (then, now) if moment is not None]
    seen = [before.phase] if before else []
    for version in versions:
        seen += [phase(version, moment, rules) for moment in moments]
    if then is not None:
        step = then
        while step < now:
            seen.append(phase(line.last, step, rules))
            step += timedelta(minutes=15)
    seen.append(phase(line.last, now, rules))
    if line.vanished:
        seen.append("cancelled")
    told = [each for number, each in enumerate(seen) if number == 0 or each != seen[number - 1]]
    moved = before is not None and before.starts_at != line.last.starts_at
    steps = len(own) + (len(told) - 1 if not own else 0)
    return Between(
        phases=tuple(told),
        changes=max(steps, int(moved)),
        moved=moved,
        drags=tuple(
            act.value for act in acts if act.kind == "drag" and act.entity == "deal" and act.id == card
        ),
        silenced=silenced,
        late=line.last.starts_at < now,
        taken=_taken(line, changes),
    )


def _taken(line: Line, changes: Sequence[Version]) -> bool:
    """Whether the visit may have been taken for the new time of one that was cancelled since. In the end that one has
    another new time, or stands again; but a cancellation may be read before the row that it was made for (that is
    committed later, or stands on a later page), and within the window this visit is the only new time in sight then.
    """
    return any(
        isinstance(old, Appointment)
        and old.id not in line.members
        and old.patient_id == new.patient_id
        and (gap := _apart(old, new)) is not None
        and gap <= _WINDOW
        for old in (each.record for each in changes)
        for new in line.visits
    )
