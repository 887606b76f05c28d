"""DESIGN 7, the stage of a visit card: of which phase, why, and with which message, as one table."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from kreslo.decisions.case import OwnCard
from kreslo.decisions.chains import Chain
from kreslo.decisions.desired import Cause
from kreslo.decisions.stages import speaks, stage_wish
from kreslo.decisions.visit import Visit
from kreslo.mapping.model import AppointmentPlan, Phase, StageRule
from tests.unit.decisions.builders import (
    NOW,
    STAGES,
    at,
    make_appointment,
    make_plan,
    own_visit,
    phase_base,
    stage,
)

U, T, TODAY, C, A = Phase.UPCOMING, Phase.TOMORROW, Phase.TODAY, Phase.CONFIRMED, Phase.ARRIVED
W, L, R, N = Phase.COMPLETED, Phase.CANCELLED, Phase.RESCHEDULED, Phase.NO_SHOW
MIS, CLOCK, MOVED, BACK = Cause.MIS, Cause.CLOCK, Cause.RESCHEDULE, Cause.REVERSAL
TIME = "20261120T0700"
SAID_T, SAID_U = f"10:{TIME}:TOMORROW", f"10:{TIME}:UPCOMING"


def plan_of(
    *messages: Phase, without: tuple[Phase, ...] = (), also: tuple[Phase, ...] = ()
) -> AppointmentPlan:
    """A stage for each phase but today's; `messages`: those whose robots write to the patient; `also`: further ones."""
    rules = dict(make_plan().stages) | {
        each: StageRule(stage=stage(each.value), name=each.value) for each in also
    }
    rules = {each: rule for each, rule in rules.items() if each not in without}
    stages = {each: msgspec.structs.replace(rule, message=each in messages) for each, rule in rules.items()}
    return make_plan(stages=stages)


@dataclass(frozen=True)
class Row:
    """A visit of `phase` whose card was decided for `before` (None: it has no card). Expected: the stage's code, None for
    no opinion; where a new card starts; the cause; the occasion.
    """

    name: str
    phase: Phase
    before: Phase | None
    stage: str | None
    starts: str
    cause: Cause = MIS
    occasion: str = ""
    plan: AppointmentPlan = field(default_factory=plan_of)
    said: tuple[str, ...] = ()
    own: dict[str, Any] = field(default_factory=dict)
    base: dict[str, Any] = field(default_factory=dict)
    moved: bool = False
    may_message: bool = True
    now: datetime = NOW


CAUSES = [
    Row("new", U, None, "UPCOMING", "UPCOMING"),
    Row("the clock", T, U, "TOMORROW", "TOMORROW", CLOCK),
    Row("the clock, and nothing new", T, T, "TOMORROW", "TOMORROW", CLOCK),
    Row("today has no stage of its own", TODAY, T, None, "UPCOMING", CLOCK),
    Row("today has one", TODAY, T, "today", "today", CLOCK, plan=plan_of(also=(TODAY,))),
    Row("confirmed", C, T, "CONFIRMED", "CONFIRMED"),
    Row("confirmed still", C, C, "CONFIRMED", "CONFIRMED"),
    Row("the confirmation is withdrawn", T, C, "TOMORROW", "TOMORROW", BACK),
    Row("they did not come in after all", U, A, "UPCOMING", "UPCOMING", BACK),
    Row("they did not come in, and are confirmed", C, A, "CONFIRMED", "CONFIRMED", BACK),
    Row("arrived", A, C, "ARRIVED", "ARRIVED"),
    Row("completed", W, A, "WON", "WON"),
    Row("completed still", W, W, "WON", "WON"),
    Row("completed turns out to be cancelled", L, W, "LOSE", "LOSE", BACK),
    Row("cancelled turns out to stand", U, L, "UPCOMING", "UPCOMING", BACK),
    Row("moved", U, C, "UPCOMING", "UPCOMING", MOVED, moved=True),
    Row("moved, and cancelled there", L, C, "LOSE", "LOSE", MIS, moved=True),
    Row("moved after it was cancelled", U, L, "UPCOMING", "UPCOMING", MOVED, moved=True),
]

NO_STAGE = [
    Row("arrived moves nothing", A, T, None, "UPCOMING", plan=plan_of(without=(A,))),
    Row("an unmapped no-show does not cancel", N, T, None, "UPCOMING", plan=plan_of(without=(N,))),
    Row("from one end to an unmapped one", N, L, None, "UPCOMING", BACK, plan=plan_of(without=(N,))),
    Row("alive again after its end", TODAY, L, "UPCOMING", "UPCOMING", BACK),
    Row("moved from confirmed to today", TODAY, C, "UPCOMING", "UPCOMING", MOVED, moved=True),
    Row("moved, and arrived there", A, C, None, "UPCOMING", MOVED, plan=plan_of(without=(A,)), moved=True),
]

SPEAKING = plan_of(T)
LATE = at("20.11 10:01")
MESSAGES = [
    Row("the message of this time", T, U, "TOMORROW", "TOMORROW", CLOCK, SAID_T, plan=SPEAKING),
    Row("a silent stage is no occasion", C, T, "CONFIRMED", "CONFIRMED", plan=SPEAKING, may_message=False),
    Row("no messages wanted", T, U, None, "UPCOMING", CLOCK, plan=SPEAKING, may_message=False),
    Row("no messages wanted, new", T, None, None, "UPCOMING", plan=SPEAKING, may_message=False),
    Row("no messages, alive again", T, L, "UPCOMING", "UPCOMING", BACK, plan=SPEAKING, may_message=False),
    Row(
        "no messages, moved",
        T,
        C,
        "UPCOMING",
        "UPCOMING",
        MOVED,
        plan=SPEAKING,
        moved=True,
        may_message=False,
    ),
    Row(
        "it begins just now",
        T,
        U,
        "TOMORROW",
        "TOMORROW",
        CLOCK,
        SAID_T,
        plan=SPEAKING,
        now=at("20.11 10:00"),
    ),
    Row("it is past", T, U, None, "UPCOMING", CLOCK, plan=SPEAKING, now=LATE),
    Row("thanks come after it", W, A, "WON", "WON", MIS, f"10:{TIME}:WON", plan=plan_of(W), now=LATE),
    Row("no thanks wanted", W, A, None, "UPCOMING", plan=plan_of(W), now=LATE, may_message=False),
]

HERE: dict[str, Any] = {"markers": (SAID_T,)}
TOLD = [
    Row(
        "told, and it stands there",
        T,
        T,
        "TOMORROW",
        "TOMORROW",
        CLOCK,
        SAID_T,
        SPEAKING,
        (SAID_T,),
        base=HERE,
    ),
    Row("told by another card", T, U, None, "UPCOMING", CLOCK, plan=SPEAKING, said=(SAID_T,)),
    Row(
        "told, not on the stage where it stands", T, T, None, "UPCOMING", CLOCK, plan=SPEAKING, said=(SAID_T,)
    ),
    Row("told, and it stands elsewhere", T, U, None, "UPCOMING", CLOCK, "", SPEAKING, (SAID_T,), base=HERE),
    Row("told, a new card", T, None, "UPCOMING", "UPCOMING", MIS, plan=SPEAKING, said=(SAID_T,)),
    Row(
        "told, made again", T, T, "UPCOMING", "UPCOMING", CLOCK, "", SPEAKING, (SAID_T,), {"gone": True}, HERE
    ),
    Row("told, alive again", T, L, "UPCOMING", "UPCOMING", BACK, plan=SPEAKING, said=(SAID_T,)),
    Row("told, alive again, all speak", T, L, None, "UPCOMING", BACK, plan=plan_of(U, T), said=(SAID_T,)),
    Row("told, moved back", T, C, "UPCOMING", "UPCOMING", MOVED, plan=SPEAKING, said=(SAID_T,), moved=True),
    Row("told of another stage", T, U, "TOMORROW", "TOMORROW", CLOCK, SAID_T, SPEAKING, (SAID_U,)),
    Row(
        "told under two numbers, on the stage",
        T,
        T,
        "TOMORROW",
        "TOMORROW",
        CLOCK,
        SAID_T,
        SPEAKING,
        (f"11:{TIME}:TOMORROW", SAID_T, f"12:{TIME}:TOMORROW"),
        base=HERE,
    ),
]

START = [
    Row("upcoming speaks", U, None, "UPCOMING", "UPCOMING", MIS, SAID_U, plan_of(U)),
    Row("upcoming speaks, none wanted", U, None, None, "TOMORROW", plan=plan_of(U), may_message=False),
    Row("today is silent", U, None, None, "today", plan=plan_of(U, also=(TODAY,)), may_message=False),
    Row("all speak", U, None, None, "UPCOMING", plan=plan_of(U, T), may_message=False),
    Row(
        "upcoming speaks, none wanted, arrived",
        A,
        None,
        "ARRIVED",
        "ARRIVED",
        plan=plan_of(U),
        may_message=False,
    ),
    Row("upcoming speaks, today has no stage", TODAY, None, None, "UPCOMING", plan=plan_of(U)),
    Row("told, all speak", T, None, None, "UPCOMING", plan=plan_of(U, T), said=(SAID_T,)),
]

ROWS = [*CAUSES, *NO_STAGE, *MESSAGES, *TOLD, *START]


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_the_stage_of_a_visit(row: Row) -> None:
    """Stage of the phase; a phase without a stage of its own has no opinion, a new card that would have none starts at
    `upcoming`; a move leaves even confirmed, and a reversal is told; entering a message stage is an occasion (this visit
    at this time), never entered a second time, and never for what is past.
    """
    own = _own(row)
    visit = Visit(
        chain=Chain((make_appointment(),)),
        status=row.phase,
        phase=row.phase,
        own=own,
        twins=(),
        scope={},
        wake_at=None,
        vanished=False,
        confirmation="",
        void="",
        said=frozenset(row.said),
    )
    base = own.base if own else None
    wish = stage_wish(visit, row.plan, base, moved=row.moved, may_message=row.may_message, now=row.now)
    assert wish.stage == (stage(row.stage) if row.stage else None)
    assert wish.initial == stage(row.starts)
    assert (wish.phase, wish.cause, wish.occasion) == (row.phase, row.cause, row.occasion)


def _own(row: Row) -> OwnCard | None:
    if row.before is None:
        return None
    return own_visit(**row.own, base=phase_base(row.before, **row.base))


def test_only_a_message_stage_speaks() -> None:
    """A message stage is one on which the CRM's robots write to the patient."""
    plan = plan_of(T)
    assert [code for code in STAGES.values() if speaks(stage(code), plan)] == ["TOMORROW"]


def test_a_stage_is_entered_for_a_time_by_the_minute() -> None:
    """Per occasion: this visit at this time; a visit that is moved by a minute has an occasion of its own."""
    later = make_appointment(starts="20.11 10:01")
    visit = Visit(
        chain=Chain((make_appointment("9"), later)),
        status=T,
        phase=T,
        own=None,
        twins=(),
        scope={},
        wake_at=None,
        vanished=False,
        confirmation="",
        void="",
        said=frozenset({SAID_T}),
    )
    wish = stage_wish(visit, SPEAKING, None, moved=False, may_message=True, now=NOW + timedelta(hours=1))
    assert wish.occasion == "9:20261120T0701:TOMORROW"
