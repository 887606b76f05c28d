"""DESIGN 6 and 7: what a visit's card carries, sentence by sentence, where the scenes of the other files do not look."""

import hashlib
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from kreslo.connectors.model import Card, Entity, FieldType, StageRef
from kreslo.decisions import visits
from kreslo.decisions.case import Answer, Base, Case, OwnCard, Role
from kreslo.decisions.chains import Chain
from kreslo.decisions.desired import Cause, DesiredCard, NoteWish, StageWish, TaskWish
from kreslo.decisions.visit import Visit
from kreslo.mapping.expressions import Expression, Template
from kreslo.mapping.model import AppointmentPlan, Bridge, ClaimPlan, Phase, StageRule, TaskPlan
from kreslo.records import Appointment
from kreslo.records.codec import encode
from tests.unit.decisions.builders import (
    NOW,
    Crm,
    at,
    lead_stage,
    make_appointment,
    make_bridge,
    make_case,
    make_deal,
    make_lead,
    make_plan,
    only_visit,
    own_contact,
    own_visit,
    phase_base,
    stage,
    stage_of,
    visits_of,
)

KEY = "ident/appointment/10"
U, T, C, L, R, W = (
    Phase.UPCOMING,
    Phase.TOMORROW,
    Phase.CONFIRMED,
    Phase.CANCELLED,
    Phase.RESCHEDULED,
    Phase.COMPLETED,
)


def seen(
    *members: Appointment,
    base: Base | None = None,
    now: datetime = NOW,
    case: Case | None = None,
    **plan: Any,
) -> Visit:
    """The visit of one chain; `base`: what was decided for its card, None without a card."""
    cards = (own_visit(members[0].id, base=base),) if base else ()
    chain = Chain(members or (make_appointment(),))
    case = case or make_case(*chain.members, cards=cards)
    return visits.visit_of(chain, cards, case, (), make_bridge(), make_plan(**plan), now)


def decided(visit: Appointment, own: OwnCard | None = None, **changes: Any) -> DesiredCard:
    """The card of a visit; `changes` of the appointment plan."""
    cards = (own_contact(), *((own,) if own else ()))
    bridge = make_bridge(appointment=make_plan(**changes))
    return only_visit(Crm().decide(make_case(visit, cards=cards), bridge=bridge))


# --- primary, history, horizon ----------------------------------------------------------------------------------------

DONE = {"ended_at": NOW}
KINDS: list[tuple[str, list[Appointment], list[str]]] = [
    ("the first one itself", [make_appointment("1", "02.11 10:00", **DONE)], ["первичный"]),
    (
        "the first, and one after it",
        [make_appointment("1", "02.11 10:00", **DONE), make_appointment("2", "05.11 10:00", **DONE)],
        ["первичный", "повторный"],
    ),
    (
        "two at one time",
        [make_appointment("1", "02.11 10:00", **DONE), make_appointment("2", "02.11 10:00", **DONE)],
        ["первичный", "первичный"],
    ),
    (
        "just half a year after the last",
        [make_appointment("1", "04.05 10:00", **DONE), make_appointment("2", "03.11 10:00", **DONE)],
        ["повторный"],
    ),
    (
        "counted from the last, not from the first",
        [
            make_appointment("1", "01.03 10:00", **DONE),
            make_appointment("2", "02.10 10:00", **DONE),
            make_appointment("3", "03.11 10:00", **DONE),
        ],
        ["повторный"],
    ),
]


@pytest.mark.parametrize(("done", "kinds"), [row[1:] for row in KINDS], ids=[row[0] for row in KINDS])
def test_a_visit_is_primary_by_what_was_completed_before_it(
    done: list[Appointment], kinds: list[str]
) -> None:
    """A visit so long after the last one counts as primary again (`primary_after`)."""
    rule = msgspec.structs.replace(
        make_plan().fields[0], value=Expression("appointment.kind"), when=None, type=FieldType.TEXT
    )
    bridge = make_bridge(appointment=make_plan(fields=(rule,), rebook=None))
    desired = Crm().decide(make_case(*done, cards=(own_contact(),)), bridge=bridge)
    assert [card.fields["OPPORTUNITY"].value for card in visits_of(desired)] == kinds


ARCHIVE = StageRule(stage=StageRef("5", "ARCHIVE"), name="Архив")
HISTORY: list[tuple[str, str, OwnCard | None, str]] = [
    ("older than the horizon", "17.10 08:59", None, "ARCHIVE"),
    ("just in the horizon", "17.10 09:00", None, "WON"),
    ("in the horizon", "10.11 09:00", None, "WON"),
    ("older, with a card", "17.10 08:59", own_visit(base=phase_base(Phase.ARRIVED)), "WON"),
]


@pytest.mark.parametrize(("starts", "own", "code"), [r[1:] for r in HISTORY], ids=[r[0] for r in HISTORY])
def test_history_is_for_new_cards_of_older_visits(starts: str, own: OwnCard | None, code: str) -> None:
    """Older ones feed the contact only, unless `history:` names a funnel and stage without robots."""
    visit = make_appointment(starts=starts, ended_at=at(starts))
    card = decided(visit, own, history=ARCHIVE)
    assert card.stage is not None
    assert (stage_of(card), card.stage.initial.stage, card.stage.phase) == (code, code, W)


EDGES: list[tuple[datetime, str]] = [
    (NOW - timedelta(days=30), ""),
    (NOW - timedelta(days=30, seconds=1), "older than the horizon"),
    (NOW + timedelta(days=365), ""),
    (NOW + timedelta(days=365, seconds=1), "beyond the horizon"),
]


@pytest.mark.parametrize(("starts_at", "why"), EDGES)
def test_the_horizon_holds_its_own_edges(starts_at: datetime, why: str) -> None:
    """horizon: {past: 30d, future: 365d}."""
    visit = msgspec.structs.replace(make_appointment(), starts_at=starts_at, ended_at=None)
    desired = Crm().decide(make_case(visit, cards=(own_contact(),)))
    assert desired.filtered == ({"10": why} if why else {})


def test_a_card_beyond_the_horizon_wakes_by_its_phase() -> None:
    """Only a visit without a card is waited for at the horizon's edge."""
    far = msgspec.structs.replace(make_appointment(), starts_at=NOW + timedelta(days=400), ends_at=None)
    base = phase_base(U, starts_at=far.starts_at)
    desired = Crm().decide(make_case(far, cards=(own_contact(), own_visit(base=base))))
    assert desired.wake_at is not None
    assert desired.wake_at > NOW + timedelta(days=398)


def test_one_that_was_cancelled_when_first_seen_and_stands_again_gets_a_card() -> None:
    """An appointment cancelled before we ever saw it makes no card unless asked."""
    case = make_case(make_appointment(), cards=(own_contact(),), unseen=frozenset({"10"}))
    assert only_visit(Crm().decide(case)).key == KEY


RESTS: list[tuple[str, timedelta, bool, bool]] = [
    ("outside, nothing new", timedelta(days=30, seconds=1), True, True),
    ("on the edge, nothing new", timedelta(days=30), True, False),
    ("outside, never written", timedelta(days=30, seconds=1), False, False),
]


@pytest.mark.parametrize(("ago", "written", "rests"), [r[1:] for r in RESTS], ids=[r[0] for r in RESTS])
def test_what_left_the_horizon_rests(ago: timedelta, written: bool, rests: bool) -> None:
    """A visit that leaves the horizon keeps its card as it is, and moves again only if its facts change."""
    visit = seen(make_appointment(), base=phase_base(U))
    own = own_visit(base=phase_base(U, facts=visits.facts_of(visit)) if written else None)
    visit = msgspec.structs.replace(visit, own=own)
    assert visits.at_rest(visit, make_bridge(), visit.last.starts_at + ago) is rests
    assert not visits.at_rest(msgspec.structs.replace(visit, own=None), make_bridge(), NOW)


def test_facts_are_the_records_of_the_chain_as_they_are_stored() -> None:
    """Hash of the records that the decision stood on: another form of it would wake every visit that rests."""
    members = make_appointment("1"), make_appointment("2", predecessor_id="1")
    visit = seen(*members)
    stored = b"".join(map(encode, members))
    assert visits.facts_of(visit) == hashlib.sha256(stored).hexdigest()[:16]
    gone = msgspec.structs.replace(visit, vanished=True)
    assert visits.facts_of(gone) == hashlib.sha256(stored + b"vanished").hexdigest()[:16]


# --- confirmations and what was said ----------------------------------------------------------------------------------

AT_NINE = {"confirmed_at": at("16.11 09:00")}
TOKEN = f"10:{at('16.11 09:00').isoformat()}"
CONFIRMATIONS: list[tuple[str, dict[str, Any], Base | None, str, str]] = [
    ("none", {}, phase_base(U), "", ""),
    ("confirmed, no card yet", AT_NINE, None, TOKEN, ""),
    ("confirmed", AT_NINE, phase_base(U), TOKEN, ""),
    ("confirmed and known", AT_NINE, phase_base(C, confirmation=TOKEN), TOKEN, ""),
    ("of the earlier time", AT_NINE, phase_base(C, "21.11 10:00", confirmation=TOKEN), TOKEN, TOKEN),
    ("anew at the new time", AT_NINE, phase_base(C, "21.11 10:00", confirmation="older"), TOKEN, ""),
    ("void since the move", AT_NINE, phase_base(U, confirmation=TOKEN, void=TOKEN), TOKEN, TOKEN),
    ("void was another", AT_NINE, phase_base(U, void="older"), TOKEN, ""),
    ("of no time that we know", AT_NINE, phase_base(C, starts_at=None, confirmation=TOKEN), TOKEN, ""),
    ("none, and moved", {}, phase_base(U, "21.11 10:00"), "", ""),
]


@pytest.mark.parametrize(
    ("facts", "base", "token", "void"), [r[1:] for r in CONFIRMATIONS], ids=[r[0] for r in CONFIRMATIONS]
)
def test_a_confirmation_is_of_its_time(
    facts: dict[str, Any], base: Base | None, token: str, void: str
) -> None:
    """The stage is that of the new time's phase, even from confirmed, since the confirmation was of the old time."""
    visit = seen(make_appointment(**facts), base=base)
    assert (visit.confirmation, visit.void) == (token, void)
    assert (visit.phase is C) is (bool(token) and not void)


def test_a_flag_is_a_confirmation_without_a_time() -> None:
    """Confirmed only by a mapped column or a reply."""
    status = msgspec.structs.replace(make_plan().status, confirmed=Expression('appointment.comment == "да"'))
    visit = seen(make_appointment(comment="да"), base=phase_base(U), status=status)
    assert (visit.confirmation, visit.phase) == ("10:said", C)


SAYS: list[tuple[str, tuple[str, ...], bool]] = [
    ("its own, of this time", ("10:20261120T0700:TOMORROW",), True),
    ("its own, of another time", ("10:20261121T0700:TOMORROW",), False),
    ("of another visit at this time", ("11:20261120T0700:TOMORROW",), False),
    ("of a visit that is at another time now", ("12:20261120T0700:TOMORROW",), True),
    ("of a visit that is out of sight", ("99:20261120T0700:TOMORROW",), True),
    ("a note", ("moved:10:20261120T0700:1",), False),
    ("of a minute that begins so", ("10:20261120T07001:TOMORROW",), False),
]


@pytest.mark.parametrize(("markers", "said"), [row[1:] for row in SAYS], ids=[row[0] for row in SAYS])
def test_what_was_said_of_this_time_stays_said(markers: tuple[str, ...], said: bool) -> None:
    """Entering a message stage is journalled per occasion (this visit at this time); links come and go."""
    mine = make_appointment("10")
    others = make_appointment("11"), make_appointment("12", "22.11 10:00")
    cards = (own_contact(), own_visit("9", base=None), own_visit("12", base=phase_base(U, markers=markers)))
    visit = seen(mine, case=make_case(mine, *others, cards=cards))
    assert visit.said == (frozenset(markers) if said else frozenset())


def test_an_insurance_of_nobody_is_none() -> None:
    """Zero sum and a policy: a case without a patient has no policy."""
    rule = Expression('patient.policy == "" && appointment.insured == false')
    case = make_case(make_appointment(), patient=None)
    plan = make_plan(insured=rule)
    visit = visits.visit_of(Chain((make_appointment(),)), (), case, (), make_bridge(), plan, NOW)
    assert visit.scope["insured"] is True


# --- claims -----------------------------------------------------------------------------------------------------------


def linking(**changes: Any) -> Bridge:
    claim = msgspec.structs.replace(
        make_plan().claim or ClaimPlan(entity=Entity.LEAD, stages=frozenset()), **changes
    )
    return make_bridge(appointment=make_plan(claim=claim))


def moving(**changes: Any) -> Bridge:
    stages = frozenset({StageRef("9", "BOOKED")})
    return make_bridge(
        appointment=make_plan(claim=ClaimPlan(entity=Entity.DEAL, stages=stages, mode="move", **changes))
    )


def claimable(**changes: Any) -> Card:
    return msgspec.structs.replace(make_lead(), entity=Entity.DEAL, stage=StageRef("9", "BOOKED"), **changes)


def test_only_what_a_lead_holds_is_copied() -> None:
    """Copies source and UTM: an empty one is none."""
    for fields in ({"SOURCE_ID": "", "UTM_SOURCE": None}, {}):
        card = only_visit(Crm(make_lead(fields=fields)).decide(make_case(make_appointment())))
        assert not {"SOURCE_ID", "UTM_SOURCE"} & set(card.fields)


def test_a_relation_field_is_for_a_deal_that_exists() -> None:
    """Linking to a deal that exists is unproved: a relation field stands in; a new deal is linked as it is made."""
    bridge = linking(relation_field="UF_LEAD")
    lead = make_lead(created="10.11 13:00")
    new = only_visit(Crm(lead).decide(make_case(make_appointment()), bridge=bridge))
    assert (new.lead, new.claimed_lead, "UF_LEAD" in new.fields) == ("900", "900", False)
    again = frozenset({"leads"})
    for own, there in ((own_visit(base=phase_base(U)), True), (own_visit(target_id=""), False)):
        case = make_case(make_appointment(), cards=(own_contact(), own), look_again=again)
        card = only_visit(Crm(lead).decide(case, bridge=bridge))
        assert card.claimed_lead == "900"
        assert (card.lead, "UF_LEAD" in card.fields) == (("", True) if there else ("900", False))


WRITTEN: list[tuple[str, str, Base | None, bool, str]] = [
    ("no lead", "", None, True, ""),
    ("no lead, another stands on it", "", Base(lead="800"), True, ""),
    ("not written", "900", None, False, "900"),
    ("written as the lead", "900", Base(lead="900"), True, "900"),
    ("another is written", "900", Base(lead="800"), False, "900"),
    ("written in the relation field", "900", Base(decided={"UF_LEAD": "900"}), True, ""),
    ("another in the relation field", "900", Base(decided={"UF_LEAD": "800"}), False, "900"),
]


@pytest.mark.parametrize(
    ("claimed", "base", "written", "lead"), [r[1:] for r in WRITTEN], ids=[r[0] for r in WRITTEN]
)
def test_whether_the_lead_of_a_visit_is_written(
    claimed: str, base: Base | None, written: bool, lead: str
) -> None:
    """A crash or a timeout can delay that: a claim that is not confirmed is made again whole."""
    own = own_visit(base=base, claimed_lead=claimed)
    plan = linking(relation_field="UF_LEAD").appointment
    assert plan is not None
    assert visits.lead_is_written(own, plan) is written
    crm = Crm(make_lead(semantic="open"))
    bridge = make_bridge(appointment=plan)
    card = only_visit(crm.decide(make_case(make_appointment(), cards=(own_contact(), own)), bridge=bridge))
    if written:
        assert (card.lead, card.claimed_lead) == (lead, claimed)
    without = make_plan(claim=None)
    assert visits.lead_is_written(own_visit(base=Base(), claimed_lead="900"), without) is False


RETURNS: list[tuple[str, OwnCard | None, bool, Appointment, str, Cause]] = [
    (
        "claimed",
        own_visit(claimed_from=StageRef("9", "BOOKED"), base=phase_base(U)),
        True,
        make_appointment(cancelled_at=NOW),
        "BOOKED",
        Cause.REVERSAL,
    ),
    (
        "not claimed",
        own_visit(base=phase_base(U)),
        True,
        make_appointment(cancelled_at=NOW),
        "LOSE",
        Cause.MIS,
    ),
    (
        "claimed, not back",
        own_visit(claimed_from=StageRef("9", "BOOKED"), base=phase_base(U)),
        False,
        make_appointment(cancelled_at=NOW),
        "LOSE",
        Cause.MIS,
    ),
    (
        "claimed, and stands",
        own_visit(claimed_from=StageRef("9", "BOOKED"), base=phase_base(U)),
        True,
        make_appointment(),
        "UPCOMING",
        Cause.CLOCK,
    ),
]


@pytest.mark.parametrize(
    ("own", "back", "visit", "code", "cause"), [r[1:] for r in RETURNS], ids=[r[0] for r in RETURNS]
)
def test_a_card_that_began_as_a_claim_goes_back_to_its_funnel(
    own: OwnCard, back: bool, visit: Appointment, code: str, cause: Cause
) -> None:
    """A card that began as a claim goes back to its funnel only if `claim.return` says so."""
    card = only_visit(Crm().decide(make_case(visit, cards=(own_contact(), own)), bridge=moving(back=back)))
    assert card.stage is not None
    assert (stage_of(card), card.stage.initial.stage, card.stage.cause) == (code, code, cause)
    assert card.stage.phase is (L if visit.cancelled_at else U)


KEYS: list[tuple[str, Bridge, Card, dict[tuple[Entity, str], str], str]] = [
    (
        "an enquiry card of ours that moves",
        moving(),
        claimable(key="ident/enquiry/5"),
        {(Entity.DEAL, "900"): "phone:ab12"},
        "ident/enquiry/5",
    ),
    (
        "an enquiry card of ours without a key",
        moving(),
        claimable(),
        {(Entity.DEAL, "900"): "phone:ab12"},
        KEY,
    ),
    ("somebody else's key", moving(), claimable(key="other/5"), {}, KEY),
    (
        "an enquiry card of ours that is linked",
        make_bridge(),
        make_lead(key="ident/enquiry/5"),
        {(Entity.LEAD, "900"): "phone:ab12"},
        KEY,
    ),
]


@pytest.mark.parametrize(("bridge", "lead", "owners", "key"), [r[1:] for r in KEYS], ids=[r[0] for r in KEYS])
def test_which_key_a_visit_that_claims_has(
    bridge: Bridge, lead: Card, owners: dict[tuple[Entity, str], str], key: str
) -> None:
    """A card's key is of the record that it was made for; it is written once and never rewritten."""
    assert (
        only_visit(Crm(lead, owners=owners).decide(make_case(make_appointment()), bridge=bridge)).key == key
    )


def test_an_adopted_card_keeps_a_key_of_the_chain() -> None:
    """All members of a chain link to its card: one found by a later member's key goes on under it."""
    chain = make_appointment("1", cancelled_at=NOW), make_appointment("2", predecessor_id="1")
    found = Crm(make_deal("701", key="ident/appointment/2")).decide(make_case(*chain, cards=(own_contact(),)))
    assert (only_visit(found).key, only_visit(found).take) == ("ident/appointment/2", "701")


def test_a_deleted_card_keeps_its_key_when_another_of_the_chain_is_found() -> None:
    """Written once and never rewritten: what stands under a later member's key goes on under ours."""
    chain = make_appointment("1", cancelled_at=NOW), make_appointment("2", predecessor_id="1")
    gone = own_visit("1", gone=True, base=phase_base(U))
    crm = Crm(make_deal("701", key="ident/appointment/2"))
    card = only_visit(crm.decide(make_case(*chain, cards=(own_contact(), gone))))
    assert (card.key, card.take) == ("ident/appointment/1", "701")


def test_a_card_of_a_lost_journal_is_taken_back_beyond_the_horizon() -> None:
    """A CRM that already holds cards: without `history:` the card goes on at the visit's own stage."""
    old = make_appointment(starts="01.10 10:00", ended_at=at("01.10 11:00"))
    case = make_case(old, cards=(own_contact(),), look_again=frozenset({"701"}))
    card = only_visit(Crm(make_deal("701", key=KEY)).decide(case))
    assert (card.take, stage_of(card)) == ("701", "WON")


def test_a_claimed_card_stays_where_the_mapping_claims_no_more() -> None:
    """A card that began as a claim goes back to its funnel only if `claim.return` says so."""
    own = own_visit(claimed_from=StageRef("9", "BOOKED"), base=phase_base(U))
    assert stage_of(decided(make_appointment(cancelled_at=NOW), own, claim=None)) == "LOSE"


def test_a_base_of_no_time_is_no_move() -> None:
    """A reschedule arms the stage again: what has no time was not moved."""
    card = decided(make_appointment(), own_visit(base=phase_base(U, starts_at=None)))
    assert card.stage is not None
    assert card.stage.cause is Cause.CLOCK


def test_a_card_that_a_person_names_for_a_deleted_one_takes_its_place() -> None:
    """Card deleted: review; a link to another card keeps our key."""
    own = own_visit(gone=True, base=phase_base(U))
    answers = (Answer(question=f"deleted:{KEY}:700", choice="link", target_id="701"),)
    crm = Crm(make_deal("701", key="ident/appointment/11"), make_deal("702", key=""))
    card = only_visit(crm.decide(make_case(make_appointment(), cards=(own_contact(), own), answers=answers)))
    assert (card.key, card.take) == (KEY, "701")


def test_a_visit_that_has_its_card_is_not_overruled_by_a_late_lead() -> None:
    """Of a card that is taken over the MIS's values stand at once; of one that was ours before, they do not."""
    lead = make_lead(created="10.11 13:00")
    fresh = only_visit(Crm(lead).decide(make_case(make_appointment())))
    case = make_case(
        make_appointment(),
        cards=(own_contact(), own_visit(base=phase_base(U))),
        look_again=frozenset({"leads"}),
    )
    late = only_visit(Crm(lead).decide(case))
    assert (fresh.overrule, fresh.transfer) == (True, True)
    assert (late.overrule, late.transfer) == (False, True)
    assert not only_visit(Crm().decide(make_case(make_appointment()))).transfer


def test_a_linked_lead_is_converted_with_a_note_under_its_own_key() -> None:
    """The lead is linked and converted; a note says to which visit."""
    keyed = make_lead(key="ident/enquiry/5")
    owners = {(Entity.LEAD, "900"): "phone:ab12"}
    for lead, key in ((make_lead(), "lead:900"), (keyed, "ident/enquiry/5")):
        crm = Crm(lead, owners=owners if lead.key else {})
        [claim] = [
            each for each in crm.decide(make_case(make_appointment())).cards if each.role is Role.CLAIM
        ]
        assert claim == DesiredCard(
            key=key,
            role=Role.CLAIM,
            entity=Entity.LEAD,
            take="900",
            stage=StageWish(stage=lead_stage("CONVERTED"), initial=lead_stage("CONVERTED")),
            notes=(NoteWish("linked:900", "Заявка привязана к визиту 20.11.2026 10:00"),),
            transfer=True,
        )


# --- quiet, closing ---------------------------------------------------------------------------------------------------


def speaking(*phases: Phase) -> dict[Phase, StageRule]:
    return {
        each: msgspec.structs.replace(rule, message=each in phases)
        for each, rule in make_plan().stages.items()
    }


QUIET: list[tuple[str, dict[Phase, StageRule], datetime, bool, bool]] = [
    ("to come", speaking(), NOW, True, False),
    ("begins now", speaking(), at("20.11 10:00"), True, False),
    ("past", speaking(), at("20.11 10:01"), True, True),
    ("may speak", speaking(U, T), NOW, True, False),
    ("may not, and all speak", speaking(U, T), NOW, False, True),
    ("may not, and starts in silence", speaking(U), NOW, False, False),
]


@pytest.mark.parametrize(
    ("stages", "now", "may_message", "quiet"), [r[1:] for r in QUIET], ids=[r[0] for r in QUIET]
)
def test_a_card_is_made_without_robots_where_they_would_speak_in_vain(
    stages: dict[Phase, StageRule], now: datetime, may_message: bool, quiet: bool
) -> None:
    """Never for what is past; an import makes cards without starting robots where the CRM allows it."""
    patient = msgspec.structs.replace(make_case().patient, messages_refused=not may_message)  # type: ignore[type-var]
    bridge = make_bridge(appointment=make_plan(stages=stages))
    case = make_case(make_appointment(), patient=patient, cards=(own_contact(),))
    assert only_visit(Crm().decide(case, now, bridge)).quiet is quiet


TERMINAL = frozenset({stage("LOSE")})
CLOSINGS: list[tuple[str, AppointmentPlan, frozenset[StageRef], str]] = [
    ("the one that is closed to the CRM", make_plan(), TERMINAL, "LOSE"),
    ("rescheduled, if that is closed too", make_plan(), TERMINAL | {stage("RESCHEDULED")}, "RESCHEDULED"),
    ("none is closed", make_plan(), frozenset(), "RESCHEDULED"),
    ("one speaks", make_plan(stages=speaking(R)), frozenset(), "LOSE"),
    ("both speak", make_plan(stages=speaking(R, L)), TERMINAL, ""),
    ("none is mapped", make_plan(stages={U: make_plan().stages[U]}), TERMINAL, ""),
]


@pytest.mark.parametrize(
    ("plan", "terminal", "code"), [r[1:] for r in CLOSINGS], ids=[r[0] for r in CLOSINGS]
)
def test_a_superseded_card_is_closed_in_silence(
    plan: AppointmentPlan, terminal: frozenset[StageRef], code: str
) -> None:
    """The older card lives on and the other is closed with a note."""
    bridge = make_bridge(appointment=plan, terminal=terminal)
    there = stage(code)
    wish = StageWish(stage=there, initial=there, phase=R, cause=Cause.REVERSAL) if code else None
    note = NoteWish(f"superseded:{KEY}", "Этот визит продолжается в другой карточке: перенос выяснился позже")
    card = DesiredCard(key=KEY, role=Role.VISIT, entity=Entity.DEAL, stage=wish, notes=(note,), close=True)
    assert visits.superseded(own_visit(), bridge, plan) == card
    found = visits.superseded_found(make_deal("701", key=KEY), bridge, plan)
    assert found == msgspec.structs.replace(card, take="701")


# --- moves, notes, tasks ----------------------------------------------------------------------------------------------

CHAIN = make_appointment("1", "18.11 10:00"), make_appointment("2", "20.11 10:00", predecessor_id="1")
MOVES: list[tuple[str, Base | None, int]] = [
    ("new: by the chain", None, 1),
    ("a base without a time: by the chain", phase_base(U, starts_at=None, moves=7), 1),
    ("as it was", phase_base(U, moves=3), 3),
    ("at another time", phase_base(U, "19.11 10:00", moves=3), 4),
]


@pytest.mark.parametrize(("base", "moves"), [row[1:] for row in MOVES], ids=[row[0] for row in MOVES])
def test_moves_are_counted(base: Base | None, moves: int) -> None:
    """The same card: new date, counter."""
    own = own_visit("1", base=base, members=("ident/appointment/1", "ident/appointment/2"))
    cards = (own_contact(), own) if base else (own_contact(),)
    card = only_visit(Crm().decide(make_case(*CHAIN, cards=cards)))
    assert (card.moves, card.starts_at) == (moves, at("20.11 10:00"))


MOVED = NoteWish("moved:10:20261120T0700:1", "Визит перенесён с 19.11.2026 10:00 на 20.11.2026 10:00")
OPEN = NoteWish("moved-open:10", "Визит перенесён, новая дата не назначена")
CANCEL = {"cancelled_at": NOW}
AWAY = {"cancelled_at": NOW, "cancel_reason": "Перенос"}
NOTES: list[tuple[str, dict[str, Any], Base | None, tuple[NoteWish, ...]]] = [
    ("new", {}, None, ()),
    ("as it was", {}, phase_base(U), ()),
    ("of no time that we know", {}, phase_base(U, starts_at=None), ()),
    ("moved", {}, phase_base(U, "19.11 10:00"), (MOVED,)),
    ("moved after it was cancelled", {}, phase_base(L, "19.11 10:00"), (MOVED,)),
    ("moved without a date", AWAY, phase_base(U), (OPEN,)),
    ("moved without a date, told", AWAY, phase_base(R), ()),
    ("cancelled", CANCEL, phase_base(U), ()),
    ("cancelled still", CANCEL, phase_base(L), ()),
    ("never decided, cancelled", CANCEL, Base(starts_at=at("20.11 10:00")), ()),
    (
        "completed turns out to be cancelled",
        CANCEL,
        phase_base(W),
        (
            NoteWish(
                "corrected:10:completed:cancelled",
                "МИС исправила статус визита: было «завершён», стало «отменён»",
            ),
        ),
    ),
]


@pytest.mark.parametrize(("facts", "base", "notes"), [r[1:] for r in NOTES], ids=[r[0] for r in NOTES])
def test_notes_say_what_moved_and_what_was_corrected(
    facts: dict[str, Any], base: Base | None, notes: tuple[NoteWish, ...]
) -> None:
    """A note "moved from … to …"; late corrections by the MIS are followed, with a note. The markers rest in journals."""
    own = own_visit(base=base) if base else None
    visit = make_appointment(**facts)
    assert decided(visit, own).notes == notes
    assert decided(visit, own, notes=False).notes == ()


def test_the_times_of_a_note_are_the_branchs() -> None:
    """Staff read the clock on their wall, in the language that they set."""
    branch = msgspec.structs.replace(make_appointment().branch, timezone="Asia/Omsk")  # type: ignore[type-var]
    own = own_visit(base=phase_base(U, "19.11 10:00"))
    case = make_case(make_appointment(branch=branch), cards=(own_contact(), own))
    [note] = only_visit(Crm().decide(case, bridge=make_bridge(language="en"))).notes
    assert note.text == "The visit was moved from 19.11.2026 13:00 to 20.11.2026 13:00"


TASK = TaskPlan(text=Template("Перезаписать: {patient.short_name}"), after=timedelta(hours=3), user="17")
WISH = TaskWish("task:moved-open:10", "Перезаписать: Иванова М. П.", NOW + timedelta(hours=3), "17")
TASKS: list[tuple[str, dict[str, Any], Base | None, TaskPlan | None, str, tuple[TaskWish, ...]]] = [
    ("moved without a date", AWAY, phase_base(U), TASK, "20.11 10:00", (WISH,)),
    ("known already", AWAY, phase_base(R), TASK, "20.11 10:00", ()),
    ("no task in the mapping", AWAY, phase_base(U), None, "20.11 10:00", ()),
    ("cancelled", CANCEL, phase_base(U), TASK, "20.11 10:00", ()),
    ("new, of a time to come", AWAY, None, TASK, "20.11 10:00", (WISH,)),
    ("new, of just now", AWAY, None, TASK, "16.11 09:00", (WISH,)),
    ("new, of a time long gone", AWAY, None, TASK, "16.11 08:59", ()),
]


@pytest.mark.parametrize(
    ("facts", "base", "task", "starts", "tasks"), [r[1:] for r in TASKS], ids=[r[0] for r in TASKS]
)
def test_a_reschedule_without_a_date_calls_for_staff_once(
    facts: dict[str, Any], base: Base | None, task: TaskPlan | None, starts: str, tasks: tuple[TaskWish, ...]
) -> None:
    """Without a new date: the stage `rescheduled` and a task; nobody is called about history."""
    own = own_visit(base=base) if base else None
    assert decided(make_appointment(starts=starts, **facts), own, rescheduled_task=task).tasks == tasks
