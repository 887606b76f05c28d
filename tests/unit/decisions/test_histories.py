"""The promise on random histories of one patient: one card a chain, nothing lost, nothing said again."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from kreslo.connectors.model import Card
from kreslo.decisions.case import Case, Role
from kreslo.decisions.chains import chains_of
from kreslo.decisions.desired import Desired
from kreslo.mapping.model import Bridge, Phase
from kreslo.records import Appointment
from tests.unit.decisions.builders import (
    NOW,
    STAGES,
    Crm,
    make_appointment,
    make_bridge,
    make_case,
    make_contact,
    make_deal,
    make_lead,
    make_plan,
    visits_of,
)
from tests.unit.decisions.world import World

PLAN = make_plan()
SPEAKING = make_bridge(
    appointment=make_plan(
        stages={
            phase: msgspec.structs.replace(rule, message=phase is Phase.TOMORROW)
            for phase, rule in PLAN.stages.items()
        }
    )
)
BARE = make_bridge(
    appointment=make_plan(
        stages={
            phase: rule for phase, rule in PLAN.stages.items() if phase not in {Phase.ARRIVED, Phase.NO_SHOW}
        },
        rebook=None,
        claim=None,
        notes=False,
    )
)
BRIDGES = st.sampled_from([make_bridge(), SPEAKING, BARE])
HOURS = st.integers(min_value=-200, max_value=400).map(lambda hours: timedelta(hours=hours))
IDS = st.integers(min_value=1, max_value=4).map(str)

STEPS = st.one_of(
    st.tuples(st.just("book"), IDS, HOURS),
    st.tuples(st.just("move"), IDS, HOURS),
    st.tuples(st.just("follow"), IDS, IDS),
    st.tuples(st.just("cancel"), IDS, st.sampled_from(["", "Перенос", "Заболел"])),
    st.tuples(st.just("restore"), IDS, st.none()),
    st.tuples(
        st.just("mark"), IDS, st.sampled_from(["appeared_at", "started_at", "ended_at", "confirmed_at"])
    ),
    st.tuples(st.just("vanish"), IDS, st.booleans()),
    st.tuples(st.just("stage"), IDS, st.sampled_from([*STAGES.values(), "YES", "STAFFS"])),
    st.tuples(st.just("lose"), st.none(), st.booleans()),
    st.tuples(
        st.just("wait"), st.none(), st.integers(min_value=1, max_value=100).map(lambda h: timedelta(hours=h))
    ),
)
CARDS = st.lists(
    st.sampled_from(
        [
            make_lead(),
            make_lead("901", "08.11 10:00", contacts=("600",)),
            make_contact("600", "Маша"),
            make_contact(),
        ]
    ),
    unique_by=lambda card: (card.entity, card.id),
)


class History:
    """The MIS as it changes, step by step."""

    def __init__(self) -> None:
        self.now = NOW
        self.visits: dict[str, Appointment] = {}
        self.vanished: set[str] = set()
        self.lose = False
        self.staff: tuple[str, str] | None = None

    def take(self, what: str, about: str, value: Any) -> None:
        self.lose, self.staff = False, None
        visit = self.visits.get(about)
        if what == "wait":
            self.now += value
        elif what == "lose":
            self.lose = value
        elif what == "book":
            if visit is None:
                starts = (self.now + value).replace(minute=0, second=0, microsecond=0)
                self.visits[about] = msgspec.structs.replace(
                    make_appointment(about, created_at=self.now),
                    starts_at=starts,
                    ends_at=starts + timedelta(hours=1),
                )
        elif visit is None:
            return
        elif what == "move":
            starts = (self.now + value).replace(minute=0, second=0, microsecond=0)
            self._set(visit, starts_at=starts, ends_at=starts + timedelta(hours=1))
        elif what == "follow":
            self._set(visit, predecessor_id=value)
        elif what == "cancel":
            self._set(visit, cancelled_at=self.now, cancel_reason=value)
        elif what == "restore":
            self._set(visit, cancelled_at=None, cancel_reason="")
        elif what == "mark":
            self._set(visit, **{value: self.now})
        elif what == "vanish":
            (self.vanished.add if value else self.vanished.discard)(about)
        elif what == "stage":
            self.staff = (f"ident/appointment/{about}", value)

    def _set(self, visit: Appointment, **changes: Any) -> None:
        self.visits[visit.id] = msgspec.structs.replace(visit, **changes)

    def case(self) -> Case:
        return make_case(*self.visits.values(), vanished=frozenset(self.vanished))


def check(desired: Desired, case: Case, now: datetime, bridge: Bridge) -> None:
    """One card a chain; every chain is carded or filtered with a reason; the clock is set for later."""
    cards = visits_of(desired)
    keys = [card.key for card in cards]
    assert len(keys) == len(set(keys))
    members = [member for card in cards for member in card.members]
    assert len(members) == len(set(members)), "two cards have a member in common"
    assert bridge.appointment is not None
    for chain in chains_of(case.appointments, bridge.appointment.rebook, case.vanished):
        ids = {f"ident/appointment/{member.id}" for member in chain.members}
        carded = [card for card in cards if set(card.members) & ids]
        resting = [card for card in case.cards if card.role is Role.VISIT and ids & {card.key, *card.members}]
        assert carded or resting or desired.filtered.get(chain.last.id)
        assert all(set(card.members) == ids for card in carded)
    assert desired.wake_at is None or desired.wake_at > now


@settings(max_examples=80, deadline=None)
@given(BRIDGES, CARDS, st.lists(STEPS, max_size=12))
def test_any_history_keeps_the_promise(bridge: Bridge, cards: list[Card], steps: list[Any]) -> None:
    """Every visit in the horizon has exactly one card, and a decision that stands is not sent twice."""
    history, world = History(), World(*cards, bridge=bridge)
    for step in [("book", "1", timedelta(hours=50)), *steps, ("lose", None, False)]:
        history.take(*step)
        if history.staff and history.staff[0] in world.own and world.own[history.staff[0]].target_id:
            key, code = history.staff
            world.edit(key, stage=msgspec.structs.replace(make_deal().stage, stage=code))  # type: ignore[type-var]
        desired = world.step(history.case(), history.now, lose=history.lose)
        check(
            desired,
            msgspec.structs.replace(history.case(), cards=tuple(world.own.values())),
            history.now,
            bridge,
        )
    world.step(history.case(), history.now)
    assert world.planned == [], "the same decision is sent again"
    deals = [card for card in world.own.values() if card.role is Role.VISIT]
    assert len({card.target_id for card in deals}) == len(deals)


@settings(max_examples=40, deadline=None)
@given(BRIDGES, CARDS, st.lists(STEPS, max_size=10), st.randoms(use_true_random=False))
def test_a_decision_is_a_function_of_what_it_is_given(
    bridge: Bridge, cards: list[Card], steps: list[Any], order: Any
) -> None:
    """Pure: the same case gives the same decision, in whatever order its records and the CRM's answers come."""
    history = History()
    for step in [("book", "1", timedelta(hours=50)), *steps]:
        history.take(*step)
    case = history.case()
    first = Crm(*cards).decide(case, history.now, bridge)
    mixed_visits, mixed_cards = list(case.appointments), list(cards)
    order.shuffle(mixed_visits)
    order.shuffle(mixed_cards)
    again = msgspec.structs.replace(case, appointments=tuple(mixed_visits))
    assert Crm(*mixed_cards).decide(again, history.now, bridge) == first


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_no_patient_is_told_twice_of_one_time(steps: list[Any]) -> None:
    """Never sends a patient a message twice: the message stage is entered once for a visit's time."""
    history, world = History(), World(bridge=SPEAKING)
    entered: list[tuple[str, str]] = []
    for step in [("book", "1", timedelta(hours=50)), *steps]:
        history.take(*step)
        desired = world.step(history.case(), history.now)
        visit = {card.key: card.members[-1] for card in visits_of(desired) if card.members}
        entered += [
            (visit[each.card], each.occasion.split(":")[1])
            for each in world.planned
            if each.occasion and getattr(each.action, "stage", None) is not None
        ]
    assert len(entered) == len(set(entered))
