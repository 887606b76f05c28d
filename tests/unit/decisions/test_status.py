"""DESIGN 7, the ordered rule list: status comes from facts."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from kreslo.decisions.status import next_wake, phase_of, status_of
from kreslo.mapping.expressions import Expression
from kreslo.mapping.model import Phase, StatusPlan
from tests.unit.decisions.builders import (
    NOW,
    STAGES,
    ZONE,
    Crm,
    at,
    make_appointment,
    make_bridge,
    make_case,
    make_plan,
    only_visit,
    own_contact,
    own_visit,
    phase_base,
    stage,
    stage_of,
)

PLAN = StatusPlan(reschedule_reasons=frozenset({"Перенос"}))
LATER = at("20.11 13:00")  # the end of the visit and the grace have passed

FACTS: list[tuple[str, dict[str, Any], datetime, Phase]] = [
    ("nothing said", {}, NOW, Phase.UPCOMING),
    ("cancelled", {"cancelled_at": NOW}, NOW, Phase.CANCELLED),
    ("cancelled to be moved", {"cancelled_at": NOW, "cancel_reason": "Перенос"}, NOW, Phase.RESCHEDULED),
    ("the reason without case", {"cancelled_at": NOW, "cancel_reason": " перенос "}, NOW, Phase.RESCHEDULED),
    ("the reason in the comment", {"cancelled_at": NOW, "cancel_comment": "Перенос"}, NOW, Phase.RESCHEDULED),
    ("the reason and not cancelled", {"cancel_reason": "Перенос"}, NOW, Phase.UPCOMING),
    ("billed", {"billed_at": NOW}, NOW, Phase.COMPLETED),
    ("ended", {"ended_at": NOW}, NOW, Phase.COMPLETED),
    ("cancelled before billed", {"billed_at": NOW, "cancelled_at": NOW}, NOW, Phase.CANCELLED),
    ("completed before started", {"started_at": NOW, "ended_at": NOW}, NOW, Phase.COMPLETED),
    ("started", {"started_at": NOW}, NOW, Phase.ARRIVED),
    ("appeared", {"appeared_at": NOW}, NOW, Phase.ARRIVED),
    ("appeared, and the grace passed", {"appeared_at": NOW}, LATER, Phase.ARRIVED),
    ("nobody came", {}, LATER, Phase.NO_SHOW),
    ("the grace has not passed", {}, LATER - timedelta(seconds=1), Phase.UPCOMING),
    ("confirmed, and nobody came", {"confirmed_at": NOW}, LATER, Phase.NO_SHOW),
    ("confirmed", {"confirmed_at": NOW}, NOW, Phase.CONFIRMED),
    ("notified is not confirmed", {"notified_at": NOW}, NOW, Phase.UPCOMING),
    ("no end known: from the start on", {"ends_at": None}, at("20.11 12:00"), Phase.NO_SHOW),
]


@pytest.mark.parametrize(
    ("facts", "now", "status"), [row[1:] for row in FACTS], ids=[row[0] for row in FACTS]
)
def test_status_comes_from_facts_by_an_ordered_rule_list(
    facts: dict[str, Any], now: datetime, status: Phase
) -> None:
    """has a successor → rescheduled; cancelled …; billed or ended → completed; started or appeared → arrived; end +
    grace passed and nobody came → no_show; confirmed (being notified is not it); else upcoming.
    """
    visit = make_appointment(**facts)
    assert status_of(visit, PLAN, now=now, vanished=False, confirmed=False) is status


def test_the_mapping_can_change_the_order() -> None:
    """an ordered rule list that the mapping can change."""
    visit = make_appointment(cancelled_at=NOW, ended_at=NOW)
    plan = msgspec.structs.replace(PLAN, order=("completed", "cancelled", "upcoming"))
    assert status_of(visit, plan, now=NOW, vanished=False, confirmed=False) is Phase.COMPLETED
    left_out = msgspec.structs.replace(PLAN, order=("cancelled", "upcoming"))
    assert (
        status_of(make_appointment(), left_out, now=LATER, vanished=False, confirmed=False) is Phase.UPCOMING
    )


def test_confirmed_by_a_mapped_column() -> None:
    """confirmed (only by a mapped column or a reply): the mapping's expression says it."""
    status = StatusPlan(confirmed=Expression('appointment.comment == "подтв"'))
    bridge = make_bridge(appointment=make_plan(status=status))
    told = Crm().decide(make_case(make_appointment(comment="подтв"), cards=(own_contact(),)), bridge=bridge)
    silent = Crm().decide(make_case(make_appointment(comment="смс"), cards=(own_contact(),)), bridge=bridge)
    assert stage_of(only_visit(told)) == "CONFIRMED"
    assert stage_of(only_visit(silent)) == "UPCOMING"


@pytest.mark.parametrize(
    ("now", "phase"),
    [
        ("19.11 13:59", Phase.UPCOMING),
        ("19.11 14:00", Phase.TOMORROW),
        ("19.11 23:59", Phase.TOMORROW),
        ("20.11 00:00", Phase.TODAY),
        ("20.11 09:59", Phase.TODAY),
    ],
)
def test_tomorrow_begins_at_its_hour_of_the_day_before(now: str, phase: Phase) -> None:
    """`Desired.wake_at` says when the clock alone would change the answer, e.g. tomorrow 14:00."""
    assert phase_of(Phase.UPCOMING, at("20.11 10:00"), make_plan(), now=at(now), zone=ZONE) is phase


@pytest.mark.parametrize(
    ("now", "wake"),
    [
        ("16.11 09:00", "19.11 14:00"),
        ("19.11 14:00", "20.11 00:00"),
        ("20.11 00:00", "20.11 13:00"),
        ("20.11 13:00", None),
    ],
)
def test_the_clock_wakes_when_the_phase_changes(now: str, wake: str | None) -> None:
    """Each wake is the next change of phase, strictly after now."""
    status = Phase.UPCOMING
    woken = next_wake(make_appointment(), status, make_plan(), now=at(now), zone=ZONE)
    assert woken == (at(wake) if wake else None)


WAKES = [
    (Phase.CONFIRMED, "20.11 13:00"),
    (Phase.ARRIVED, None),
    (Phase.COMPLETED, None),
    (Phase.CANCELLED, None),
    (Phase.RESCHEDULED, None),
    (Phase.NO_SHOW, None),
]


@pytest.mark.parametrize(("status", "wake"), WAKES)
def test_only_a_visit_that_is_awaited_wakes_by_the_clock(status: Phase, wake: str | None) -> None:
    """When the clock alone would change the answer: a confirmed visit turns into a no-show, an ended one into nothing."""
    woken = next_wake(make_appointment(), status, make_plan(), now=NOW, zone=ZONE)
    assert woken == (at(wake) if wake else None)


def test_each_of_the_mappings_reasons_means_a_reschedule() -> None:
    """Cancelled with one of `reschedule_reasons` → rescheduled without a date."""
    plan = StatusPlan(reschedule_reasons=frozenset({"Перенос", "Попросил позже"}))
    for reason in ("Перенос", "попросил позже "):
        visit = make_appointment(cancelled_at=NOW, cancel_reason=reason)
        assert status_of(visit, plan, now=NOW, vanished=False, confirmed=False) is Phase.RESCHEDULED


def test_the_case_wakes_when_the_visit_begins_since_the_next_visit_is_another_then() -> None:
    """The contact's next visit is the earliest upcoming one: at its start it is no more."""
    case = make_case(make_appointment(), cards=(own_contact(), own_visit(base=phase_base(Phase.TODAY))))
    assert Crm().decide(case, at("20.11 09:00")).wake_at == at("20.11 10:00")
    assert Crm().decide(case, at("20.11 10:00")).wake_at == at("20.11 13:00")


NO_OPINION = [
    (Phase.TODAY, {}, "20.11 08:00", Phase.TOMORROW),
    (Phase.ARRIVED, {"appeared_at": at("20.11 09:50")}, "20.11 09:55", Phase.CONFIRMED),
    (Phase.NO_SHOW, {}, "20.11 13:00", Phase.TODAY),
]


@pytest.mark.parametrize(
    ("phase", "facts", "now", "before"), NO_OPINION, ids=[row[0].value for row in NO_OPINION]
)
def test_a_phase_without_a_stage_has_no_opinion(
    phase: Phase, facts: dict[str, Any], now: str, before: Phase
) -> None:
    """an unmapped `today` or `arrived` moves nothing, an unmapped `no_show` does not cancel; a new card that would have
    none starts at `upcoming`.
    """
    stages = {each: rule for each, rule in make_plan().stages.items() if each is not phase}
    bridge = make_bridge(appointment=make_plan(stages=stages))
    visit = make_appointment(**facts)
    stands = make_case(visit, cards=(own_contact(), own_visit(base=phase_base(before))))
    assert stage_of(only_visit(Crm().decide(stands, at(now), bridge))) is None
    new = only_visit(Crm().decide(make_case(visit, cards=(own_contact(),)), at(now), bridge))
    assert new.stage is not None
    assert (new.stage.stage, new.stage.initial) == (None, stage("UPCOMING"))


def test_every_mapped_phase_has_its_stage() -> None:
    """The phase's stage is the wish, phase by phase."""
    facts: dict[Phase, tuple[dict[str, Any], str]] = {
        Phase.UPCOMING: ({}, "16.11 09:00"),
        Phase.TOMORROW: ({}, "19.11 15:00"),
        Phase.CONFIRMED: ({"confirmed_at": NOW}, "16.11 09:00"),
        Phase.ARRIVED: ({"started_at": NOW}, "20.11 10:05"),
        Phase.COMPLETED: ({"ended_at": NOW}, "20.11 11:00"),
        Phase.NO_SHOW: ({}, "20.11 14:00"),
        Phase.CANCELLED: ({"cancelled_at": NOW}, "16.11 10:00"),
        Phase.RESCHEDULED: ({"cancelled_at": NOW, "cancel_reason": "Перенос"}, "16.11 10:00"),
    }
    for phase, (said, now) in facts.items():
        card = only_visit(Crm().decide(make_case(make_appointment(**said), cards=(own_contact(),)), at(now)))
        assert stage_of(card) == STAGES[phase], phase


HORIZON = [
    ("17.10 09:01", True, ""),
    ("17.10 08:59", False, "older than the horizon"),
    ("16.11 08:59", True, ""),
]


@pytest.mark.parametrize(("starts", "carded", "why"), HORIZON)
def test_the_horizon_says_which_visits_get_cards(starts: str, carded: bool, why: str) -> None:
    """horizon: which visits get cards; older ones feed the contact only, unless `history:` names a stage."""
    desired = Crm().decide(
        make_case(make_appointment(starts=starts, ended_at=at(starts)), cards=(own_contact(),))
    )
    assert bool([card for card in desired.cards if card.entity == "deal"]) is carded
    assert desired.filtered == ({} if carded else {"10": why})


def test_a_visit_beyond_the_horizon_waits_for_it() -> None:
    """A card comes when the visit enters the horizon, and the clock is set for that."""
    visit = make_appointment(starts="20.11 10:00")
    far = msgspec.structs.replace(visit, starts_at=NOW + timedelta(days=400))
    desired = Crm().decide(make_case(far, cards=(own_contact(),)))
    assert desired.filtered == {"10": "beyond the horizon"}
    assert desired.wake_at == far.starts_at - timedelta(days=365) + timedelta(minutes=1)
    there = Crm().decide(make_case(far, cards=(own_contact(),)), desired.wake_at)
    assert only_visit(there).key == "ident/appointment/10"


def test_history_names_a_stage_for_older_visits() -> None:
    """older ones feed the contact only, unless `history:` names a funnel and stage without robots."""
    plan = make_plan()
    history = plan.stages[Phase.COMPLETED]
    bridge = make_bridge(appointment=make_plan(history=history))
    old = make_appointment(starts="01.09 10:00", ended_at=at("01.09 11:00"))
    card = only_visit(Crm().decide(make_case(old, cards=(own_contact(),)), bridge=bridge))
    assert (stage_of(card), card.quiet) == (history.stage.stage, True)


def test_a_visit_that_leaves_the_horizon_keeps_its_card_until_its_facts_change() -> None:
    """A visit that leaves the horizon keeps its card as it is, and moves again only if its facts change: being gone
    from the MIS is such a change.
    """
    visit = make_appointment(starts="20.11 10:00")
    case = make_case(visit, cards=(own_contact(), own_visit(base=phase_base(Phase.UPCOMING))))
    facts = only_visit(Crm().decide(case)).facts
    kept = msgspec.structs.replace(
        case, cards=(own_contact(), own_visit(base=phase_base(Phase.UPCOMING, facts=facts)))
    )
    later = at("21.12 10:00")
    assert [card.entity for card in Crm().decide(kept, later).cards] == ["contact"]
    completed = msgspec.structs.replace(kept, appointments=(make_appointment(ended_at=at("20.11 11:00")),))
    assert stage_of(only_visit(Crm().decide(completed, later))) == "WON"
    vanished = msgspec.structs.replace(kept, vanished=frozenset({"10"}))
    assert stage_of(only_visit(Crm().decide(vanished, later))) == "LOSE"
