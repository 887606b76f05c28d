"""Campaigns: when a turn has its time, what its card carries, where it stands, and why there is none, as tables."""

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from kreslo.connectors.model import Card, Entity, FieldType, StageRef
from kreslo.decisions.asking import Asker
from kreslo.decisions.campaigns import campaigns_of
from kreslo.decisions.case import Answer, Base, Case, Facts, OwnCard, Role
from kreslo.decisions.chains import Chain
from kreslo.decisions.desired import CardRef, Cause, Desired, DesiredCard, FieldWish, StageWish
from kreslo.decisions.turns import quiet_until, time_of, turns_of, unlisted
from kreslo.decisions.visit import Visit
from kreslo.mapping.expressions import Expression, Template
from kreslo.mapping.model import Bridge, CampaignPlan, CampaignStage, FieldRule, Occasion, Phase, Quiet
from kreslo.records import RECALL, Appointment, Entry
from tests.unit.decisions.builders import (
    ZONE,
    Crm,
    at,
    make_appointment,
    make_bridge,
    make_case,
    make_patient,
    make_plan,
    own_contact,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SECOND = timedelta(seconds=1)
NIGHT, LUNCH = Quiet(time(21, 0), time(9, 0)), Quiet(time(13, 0), time(14, 0))
ENDED = at("16.11 15:00")
KEY = "ident/nps/10"
OMSK = ZoneInfo("Asia/Omsk")


def rule(
    code: str, when: str = "", after: timedelta = timedelta(0), *, message: bool = False
) -> CampaignStage:
    expression = Expression(when) if when else None
    return CampaignStage(
        stage=StageRef("5", code), name=f"«{code}»", when=expression, after=after, message=message
    )


ASK = rule("ASK", message=True)


def campaign(*rules: CampaignStage, **changes: Any) -> CampaignPlan:
    given: dict[str, Any] = {"name": "nps", "on": Occasion.COMPLETED, "funnel": "5", "title": Template("nps")}
    return CampaignPlan(**{**given, "stages": rules or (ASK,), **changes})


def bridge_of(*plans: CampaignPlan, **changes: Any) -> Bridge:
    ends = frozenset({StageRef("5", "DONE")})
    given: dict[str, Any] = {"appointment": make_plan(claim=None, rebook=None), "terminal": ends, **changes}
    return make_bridge(campaigns=plans or (campaign(),), **given)


def done(number: str = "10", ended: datetime = ENDED, **changes: Any) -> Appointment:
    return make_appointment(number, "16.11 14:00", **{"ended_at": ended, **changes})


def own(code: str | None = "ASK", key: str = KEY, **changes: Any) -> OwnCard:
    base = Base(stage=StageRef("5", code)) if code else None
    given: dict[str, Any] = {"target_id": "88", "base": base, **changes}
    return OwnCard(**{"key": key, "role": Role.CAMPAIGN, "entity": Entity.DEAL, **given})


def invited(desired: Desired) -> list[DesiredCard]:
    return [card for card in desired.cards if card.role is Role.CAMPAIGN]


def decided(
    now: datetime,
    *visits: Appointment,
    bridge: Bridge | None = None,
    cards: tuple[OwnCard, ...] = (),
    crm: tuple[Card, ...] = (),
    **case: Any,
) -> Desired:
    whole = make_case(*visits, cards=(own_contact(), *cards), **case)
    return Crm(*crm, owners=None).decide(whole, now, bridge or bridge_of())


def told(desired: Desired) -> list[str]:
    return [line for line in desired.rules if line.startswith("campaign ")]


# --- times ------------------------------------------------------------------------------------------------------------

QUIETS: list[tuple[Quiet | None, str, str]] = [
    (None, "16.11 23:00", "16.11 23:00"),
    (NIGHT, "16.11 20:59", "16.11 20:59"),
    (NIGHT, "16.11 21:00", "17.11 09:00"),
    (NIGHT, "16.11 23:59", "17.11 09:00"),
    (NIGHT, "17.11 00:00", "17.11 09:00"),
    (NIGHT, "17.11 08:59", "17.11 09:00"),
    (NIGHT, "17.11 09:00", "17.11 09:00"),
    (LUNCH, "16.11 12:59", "16.11 12:59"),
    (LUNCH, "16.11 13:00", "16.11 14:00"),
    (LUNCH, "16.11 13:59", "16.11 14:00"),
    (LUNCH, "16.11 14:00", "16.11 14:00"),
    (LUNCH, "16.11 23:00", "16.11 23:00"),
]


@pytest.mark.parametrize(("quiet", "moment", "until"), QUIETS)
def test_the_end_of_the_quiet_hours(quiet: Quiet | None, moment: str, until: str) -> None:
    """Hours of the clinic's day, over midnight as a rule, in which nothing is begun."""
    found = quiet_until(at(moment), campaign(quiet=quiet), ZONE)
    assert (found, found.tzinfo) == (at(until), at(moment).tzinfo)


TIMES: list[tuple[dict[str, Any], str]] = [
    ({}, "16.11 15:00"),
    ({"after": 2 * DAY}, "18.11 15:00"),
    ({"at": time(16, 0)}, "16.11 16:00"),
    ({"at": time(15, 0)}, "16.11 15:00"),
    ({"at": time(14, 0)}, "17.11 14:00"),
    ({"at": time(14, 0), "after": DAY}, "18.11 14:00"),
    ({"at": time(22, 0), "quiet": NIGHT}, "17.11 09:00"),
]


@pytest.mark.parametrize(("plan", "due"), TIMES)
def test_the_time_of_a_turn(plan: dict[str, Any], due: str) -> None:
    """Its time is the occasion's and `after`, then the first `at` of the clinic's day, out of `quiet`."""
    found = time_of(ENDED, campaign(**plan), ZONE)
    assert (found, found.tzinfo) == (at(due), ENDED.tzinfo)


# --- occasions --------------------------------------------------------------------------------------------------------


def visit(phase: Phase, record: Appointment) -> Visit:
    return Visit(
        chain=Chain((record,)),
        status=phase,
        phase=phase,
        own=None,
        twins=(),
        scope={"id": record.id},
        wake_at=None,
        vanished=False,
        confirmation="",
        void="",
    )


FACTS = make_appointment(
    "10",
    "16.11 14:00",
    created_at=at("10.11 01:00"),
    confirmed_at=at("10.11 02:00"),
    appeared_at=at("10.11 03:00"),
    started_at=at("10.11 04:00"),
    ended_at=at("10.11 05:00"),
    billed_at=at("10.11 06:00"),
    cancelled_at=at("10.11 07:00"),
)
OCCASIONS: list[tuple[Occasion, list[Phase], str]] = [
    (Occasion.BOOKED, [Phase.UPCOMING, Phase.TOMORROW, Phase.TODAY, Phase.CONFIRMED], "10.11 01:00"),
    (Occasion.CONFIRMED, [Phase.CONFIRMED], "10.11 02:00"),
    (Occasion.ARRIVED, [Phase.ARRIVED], "10.11 03:00"),
    (Occasion.COMPLETED, [Phase.COMPLETED], "10.11 05:00"),
    (Occasion.CANCELLED, [Phase.CANCELLED], "10.11 07:00"),
    (Occasion.RESCHEDULED, [Phase.RESCHEDULED], "10.11 07:00"),
    (Occasion.NO_SHOW, [Phase.NO_SHOW], "16.11 17:00"),
    (Occasion.LAST_VISIT, [Phase.COMPLETED], "10.11 05:00"),
]


@pytest.mark.parametrize(("on", "phases", "when"), OCCASIONS, ids=[row[0].value for row in OCCASIONS])
def test_a_fact_is_an_occasion_while_it_stands(on: Occasion, phases: list[Phase], when: str) -> None:
    """None where it is not a fact (any more)."""
    bridge = bridge_of(campaign(on=on))
    for phase in Phase:
        found = turns_of(make_case(FACTS), [visit(phase, FACTS)], [FACTS], bridge, ENDED)
        assert [turn.time for turn in found] == ([at(when)] if phase in phases else []), phase


def test_a_turn_in_full() -> None:
    """`ref`: the record whose occasion it is; `past_at`: from when on it is not made any more; hours are the branch's."""
    far = msgspec.structs.replace(FACTS.branch, timezone="Asia/Omsk")  # type: ignore[type-var]
    record = msgspec.structs.replace(FACTS, branch=far)
    plan = campaign(after=DAY, late=2 * DAY)
    [turn] = turns_of(make_case(record), [visit(Phase.COMPLETED, record)], [record], bridge_of(plan), ENDED)
    assert (turn.plan, turn.key("ident"), turn.name) == (plan, KEY, "campaign nps, appointment 10")
    assert (turn.time, turn.past_at) == (at("11.11 05:00"), at("13.11 05:00"))
    assert (turn.zone, turn.scope, turn.turns_at) == (OMSK, {"appointment": {"id": "10"}}, None)


ONES: list[tuple[str, Occasion, Phase, dict[str, Any], str | None]] = [
    ("started, nobody saw them come", Occasion.ARRIVED, Phase.ARRIVED, {"appeared_at": None}, "10.11 04:00"),
    ("billed, not ended", Occasion.COMPLETED, Phase.COMPLETED, {"ended_at": None}, "10.11 06:00"),
    ("the MIS does not say when", Occasion.BOOKED, Phase.UPCOMING, {"created_at": None}, None),
]


@pytest.mark.parametrize(("on", "phase", "facts", "when"), [r[1:] for r in ONES], ids=[r[0] for r in ONES])
def test_when_a_fact_was(on: Occasion, phase: Phase, facts: dict[str, Any], when: str | None) -> None:
    """None where the MIS does not say when."""
    record = msgspec.structs.replace(FACTS, **facts)
    other = make_appointment("9", "01.11 10:00")
    found = turns_of(
        make_case(record), [visit(phase, other), visit(phase, record)], [], bridge_of(campaign(on=on)), ENDED
    )
    times = [turn.time for turn in found if turn.ref.id == "10"]
    assert times == ([at(when)] if when else [])


def test_the_last_visit_is_one() -> None:
    """`last_visit` is the latest visit that took place."""
    older = make_appointment("9", "01.11 10:00", ended_at=at("01.11 11:00"))
    visits = [visit(Phase.COMPLETED, older), visit(Phase.COMPLETED, FACTS)]
    bridge = bridge_of(campaign(on=Occasion.LAST_VISIT))
    found = turns_of(make_case(), visits, [older, FACTS], bridge, ENDED)
    assert [turn.ref.id for turn in found] == ["10"]
    assert turns_of(make_case(), visits, [], bridge, ENDED) == []
    assert turns_of(make_case(), visits, [older], bridge_of(campaign(), appointment=None), ENDED) == []


def entry(**changes: Any) -> Entry:
    given: dict[str, Any] = {"patient_id": "1", "campaign": "nps", "created_at": at("16.11 09:00")}
    return Entry(**{"id": "77", **given, **changes})


SPEAKS: list[tuple[dict[str, Any], str, str | None, bool]] = [
    ({}, "17.11 09:00", None, False),
    ({"starts_at": at("20.11 10:00")}, "17.11 09:00", "20.11 10:00", True),
    ({"starts_at": at("10.11 10:00")}, "11.11 10:00", "10.11 10:00", False),
    ({"starts_at": at("16.11 14:00"), "ends_at": at("16.11 15:00")}, "17.11 09:00", "16.11 15:00", False),
    ({"starts_at": at("16.11 14:00"), "ends_at": at("16.11 15:01")}, "17.11 09:00", "16.11 15:01", True),
]


@pytest.mark.parametrize(("facts", "past_at", "turns_at", "ahead"), SPEAKS)
def test_a_line_of_a_list_is_as_old_as_the_visit_that_it_speaks_of(
    facts: dict[str, Any], past_at: str, turns_at: str | None, ahead: bool
) -> None:
    """A list may be written long after the visits that it speaks of; the clock turns before into after."""
    case = make_case(entries=(entry(**facts),))
    [turn] = turns_of(case, [], [], bridge_of(campaign(on=Occasion.ENTRY)), ENDED)
    assert (turn.time, turn.past_at) == (at("16.11 09:00"), at(past_at))
    assert (turn.turns_at, turn.scope["entry"]["ahead"]) == (at(turns_at) if turns_at else None, ahead)
    assert (turn.name, turn.key("ident"), turn.zone) == ("campaign nps, entry 77", "ident/nps/77", ZONE)


def test_each_campaign_reads_its_own_list() -> None:
    """`entry` is a row of the list of the campaign's own name, `recall` an invitation planned in the MIS."""
    case = make_case(entries=(entry(), entry(id="78", campaign=RECALL), entry(id="79", campaign="checkup")))
    bridge = bridge_of(
        campaign(on=Occasion.ENTRY), campaign(on=Occasion.RECALL, name="back"), campaign(name="checkup")
    )
    assert [turn.key("ident") for turn in turns_of(case, [], [], bridge, ENDED)] == [
        "ident/nps/77",
        "ident/back/78",
    ]
    assert unlisted(case, bridge) == {"79": 'the mapping has no campaign for the list "checkup"'}


# --- the card ---------------------------------------------------------------------------------------------------------


def test_a_campaigns_card_in_full() -> None:
    """One card an occasion, linked to the patient's contact; what it says is told to `explain`."""
    field = FieldRule(
        code="UF", title="UF", type=FieldType.TEXT, value=Expression("patient.name + appointment.id")
    )
    plan = campaign(ASK, fields=(field,), title=Template("{patient.name}, {appointment.id}"))
    desired = decided(ENDED, done(), bridge=bridge_of(plan))
    ask = StageRef("5", "ASK")
    assert invited(desired) == [
        DesiredCard(
            key=KEY,
            role=Role.CAMPAIGN,
            entity=Entity.DEAL,
            members=("ident/appointment/10",),
            fields={"UF": FieldWish(value="Мария10", title="UF"), "TITLE": FieldWish(value="Мария, 10")},
            stage=StageWish(stage=ask, initial=ask, cause=Cause.MIS, occasion="nps:10:ASK"),
            contacts=(CardRef(key="ident/patient/1"),),
        )
    ]
    assert told(desired) == ["campaign nps, appointment 10: «ASK»"]


LATER = rule("LATER", after=DAY)
LAST = rule("LAST", after=3 * DAY)
SILENT = rule("SILENT")
LIFE = (LAST, LATER, ASK)
STAYS = None
STANDS: list[tuple[str, tuple[CampaignStage, ...], OwnCard | None, timedelta, dict[str, Any], str | None, Cause, str]] = [
    ("at once", LIFE, None, 0 * DAY, {}, "ASK", Cause.MIS, "nps:10:ASK"),
    ("by the clock", LIFE, own(), DAY, {}, "LATER", Cause.CLOCK, ""),
    ("as it stands", LIFE, own("LATER"), DAY, {}, "LATER", Cause.CLOCK, ""),
    ("to the last", LIFE, own("LATER"), 3 * DAY, {}, "LAST", Cause.CLOCK, ""),
    ("never down the list", LIFE, own("LAST"), DAY, {}, STAYS, Cause.MIS, ""),
    ("from a stage that the mapping has no more", LIFE, own("OLD"), DAY, {}, "LATER", Cause.CLOCK, ""),
    ("none holds", (rule("X", "false"), rule("Y", "false")), own(), HOUR, {}, STAYS, Cause.MIS, ""),
    ("found, to the last but not the first", (rule("BOOKED"), LATER, ASK), own(None), HOUR, {}, "BOOKED", Cause.MIS, ""),
    ("found, a message is not said", LIFE, own(None), HOUR, {}, STAYS, Cause.MIS, ""),
    ("found, the clock moves nothing", LIFE, own(None), DAY, {}, STAYS, Cause.MIS, ""),
    ("found, the first stage is where it began", (SILENT,), own(None), HOUR, {}, STAYS, Cause.MIS, ""),
    ("found, a message on the way is not said", (rule("B", message=True), SILENT), own(None), HOUR, {}, STAYS, Cause.MIS, ""),
    ("a message that a fact brought is said whenever", (rule("B", message=True), SILENT), own("SILENT"), 2 * DAY, {}, "B", Cause.MIS, "nps:10:B"),
    ("on a stage of two rules, the higher counts", (rule("S", "false"), rule("T"), rule("S")), own("S"), HOUR, {}, STAYS, Cause.MIS, ""),
    ("not sent yet", (SILENT,), own(None, target_id="", busy=True), HOUR, {}, "SILENT", Cause.MIS, ""),
    ("a message is not wanted", (rule("B", message=True), SILENT), own("SILENT"), HOUR, {"messages_refused": True}, STAYS, Cause.MIS, ""),
    ("a message that stands is not entered", (ASK,), own(), HOUR, {"messages_refused": True}, "ASK", Cause.MIS, "nps:10:ASK"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "card", "later", "patient", "code", "cause", "occasion"),
    [r[1:] for r in STANDS],
    ids=[r[0] for r in STANDS],
)
def test_where_a_card_stands(
    rules: tuple[CampaignStage, ...],
    card: OwnCard | None,
    later: timedelta,
    patient: dict[str, Any],
    code: str | None,
    cause: Cause,
    occasion: str,
) -> None:
    """The first rule that holds; a card moves up the list only; what stood before this journal is left alone."""
    desired = decided(
        ENDED + later,
        done(),
        bridge=bridge_of(campaign(*rules)),
        cards=(card,) if card else (),
        patient=make_patient(**patient),
    )
    [found] = invited(desired)
    assert found.stage is not None
    assert found.stage.stage == (StageRef("5", code) if code else None)
    assert (found.stage.cause, found.stage.occasion) == (cause, occasion)


def test_what_stays_is_told() -> None:
    """`explain`: no rule holds."""
    desired = decided(ENDED, done(), bridge=bridge_of(campaign(rule("X", "false"))), cards=(own(),))
    assert told(desired) == ["campaign nps, appointment 10: stays where it stands"]


def test_a_message_that_the_clock_brought_is_said_until_it_is_late() -> None:
    """What the clock has brought is not long past, and an hour to write at."""
    second = rule("SECOND", after=7 * DAY, message=True)
    plan = campaign(second, ASK, quiet=NIGHT)
    for later, code in ((8 * DAY - SECOND, "SECOND"), (8 * DAY, None), (7 * DAY + 6 * HOUR, None)):
        [card] = invited(decided(ENDED + later, done(), bridge=bridge_of(plan), cards=(own(),)))
        assert card.stage is not None
        assert (card.stage.stage.stage if card.stage.stage else None) == code


FOUND = Card(entity=Entity.DEAL, id="88", key=KEY, stage=StageRef("5", "ASK"))


def test_a_card_of_a_journal_that_was_lost_is_taken() -> None:
    """A card that stands in the CRM with this key: the first made, and none that another case owns."""
    other = msgspec.structs.replace(FOUND, id="87")
    assert [card.take for card in invited(decided(ENDED, done(), crm=(FOUND, other)))] == ["87"]
    crm = Crm(FOUND, other, owners={(Entity.DEAL, "87"): "patient:2"})
    desired = crm.decide(make_case(done(), cards=(own_contact(),)), ENDED, bridge_of())
    assert [card.take for card in invited(desired)] == ["88"]


def test_a_card_that_stands_needs_no_contact() -> None:
    """Without one no card is made; what stands goes on, in silence, with whoever is on it."""
    bare = bridge_of(contact=None)
    new = Crm().decide(make_case(done()), ENDED, bare)
    assert (invited(new), told(new)) == (
        [],
        ["campaign nps, appointment 10: no card yet, the patient has no contact"],
    )
    for how in ({"cards": (own("WAIT"),)}, {"crm": (FOUND,)}):
        [card] = invited(decided(ENDED, done(), bridge=bare, **how))
        assert card.contacts is None
        assert card.stage is not None
        assert card.stage.occasion == ""


# --- why there is none ------------------------------------------------------------------------------------------------

REASONS: list[tuple[str, dict[str, Any], dict[str, Any], timedelta, str]] = [
    ("merged away", {}, {"patient": make_patient(merged_into="2", messages_refused=True)}, 0 * DAY, "no card, the patient was merged into another"),
    ("refused messages", {}, {"patient": make_patient(messages_refused=True)}, 0 * DAY, "no card, the patient refused messages"),
    ("its time is to come", {"after": DAY}, {}, 0 * DAY, "waits until 17.11 12:00 UTC"),
    ("its time is past", {}, {}, DAY, "no card, its time was past at 17.11 12:00 UTC"),
    ("`when:` does not hold", {"when": Expression("patient.visits > 5")}, {}, 0 * DAY, "no card, `when: patient.visits > 5` does not hold"),
    ("`unless:` holds", {"unless": Expression("patient.visits > 0")}, {}, 0 * DAY, "no card, `unless: patient.visits > 0` holds"),
    ("quiet hours", {"quiet": NIGHT}, {}, 7 * HOUR, "waits for the end of the quiet hours"),
    ("no stage holds", {"stages": (rule("X", "false"),)}, {}, 0 * DAY, "no card, none of its stages holds"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("plan", "case", "later", "why"), [r[1:] for r in REASONS], ids=[r[0] for r in REASONS]
)
def test_why_there_is_no_card(plan: dict[str, Any], case: dict[str, Any], later: timedelta, why: str) -> None:
    """Nothing is dropped in silence."""
    desired = decided(ENDED + later, done(), bridge=bridge_of(campaign(**plan)), **case)
    assert invited(desired) == []
    assert told(desired) == [f"campaign nps, appointment 10: {why}"]


HOLDS: list[dict[str, Any]] = [
    {"when": Expression("patient.visits > 0")},
    {"unless": Expression("patient.visits > 5")},
    {"quiet": LUNCH},
    {},
]


@pytest.mark.parametrize("plan", HOLDS)
def test_when_there_is_one(plan: dict[str, Any]) -> None:
    """`when`, `unless`: what must (not) hold for a card to be made."""
    assert len(invited(decided(ENDED, done(), bridge=bridge_of(campaign(**plan))))) == 1


def test_a_line_that_the_mis_closed_gives_no_card() -> None:
    """`closed_at`: when the MIS called it done."""
    bridge = bridge_of(campaign(on=Occasion.ENTRY))
    desired = decided(at("16.11 09:00"), bridge=bridge, entries=(entry(closed_at=at("16.11 08:00")),))
    assert told(desired) == ["campaign nps, entry 77: no card, the MIS has closed it"]


PASTS: list[tuple[timedelta, list[str]]] = [
    (DAY - SECOND, ["campaign nps, appointment 10: «ASK»"]),
    (DAY, ["campaign nps, appointment 10: no card, its time was past at 17.11 12:00 UTC"]),
    (31 * DAY - SECOND, ["campaign nps, appointment 10: no card, its time was past at 17.11 12:00 UTC"]),
    (31 * DAY, []),
]


@pytest.mark.parametrize(("later", "lines"), PASTS)
def test_what_is_past_is_told_for_as_long_as_the_horizon(later: timedelta, lines: list[str]) -> None:
    """Later than `late` past its time no card is made; an import of years tells nothing of each."""
    assert told(decided(ENDED + later, done())) == lines


OVERS: list[tuple[str, OwnCard, timedelta, bool]] = [
    ("it stands on an end", own("DONE"), HOUR, True),
    ("nothing decided yet", own(None), HOUR, False),
    ("to the second", own(), 34 * DAY + DAY - SECOND, False),
    ("nothing can come any more", own(), 34 * DAY + DAY, True),
]


@pytest.mark.parametrize(("card", "later", "over"), [r[1:] for r in OVERS], ids=[r[0] for r in OVERS])
def test_when_a_cards_story_has_ended(card: OwnCard, later: timedelta, over: bool) -> None:
    """The card stands on a stage that closes it, or nothing can come any more."""
    plan = campaign(rule("LAST", after=4 * DAY), ASK)
    assert (invited(decided(ENDED + later, done(), bridge=bridge_of(plan), cards=(card,))) == []) is over


def test_a_story_lasts_as_long_as_its_visit_is_to_come() -> None:
    """A line of a list speaks of a visit: until that is over, and as long again as anything else."""
    bridge = bridge_of(campaign(on=Occasion.ENTRY))
    line = entry(starts_at=at("20.11 10:00"))
    card = own(key="ident/nps/77")
    over = at("20.11 10:00") + 31 * DAY
    for now, number in ((over - SECOND, 1), (over, 0)):
        assert len(invited(decided(now, bridge=bridge, cards=(card,), entries=(line,)))) == number


PAUSES: list[tuple[str, OwnCard, timedelta, int]] = [
    ("within the pause", own(), 3 * DAY - SECOND, 0),
    ("after the pause", own(), 3 * DAY, 1),
    ("it was never sent", own(target_id=""), 3 * HOUR, 1),
    ("it is being sent", own(target_id="", busy=True), 3 * HOUR, 0),
    ("it was deleted", own(target_id="", gone=True), 3 * HOUR, 0),
    ("another campaign's", own(key="ident/other/10"), 3 * HOUR, 1),
    ("a visit's card", own(role=Role.VISIT), 3 * HOUR, 1),
]


@pytest.mark.parametrize(("card", "later", "number"), [r[1:] for r in PAUSES], ids=[r[0] for r in PAUSES])
def test_the_pause_between_two_cards(card: OwnCard, later: timedelta, number: int) -> None:
    """`pause`: who had a card of this campaign gets no other one so soon."""
    second = done("11", ENDED + later, starts_at=ENDED + later - HOUR)
    bridge = bridge_of(
        campaign(pause=3 * DAY, late=0 * DAY + 2 * HOUR), campaign(name="other", unless=Expression("true"))
    )
    desired = decided(ENDED + later, done(), second, bridge=bridge, cards=(card,))
    fresh = [each for each in invited(desired) if each.key == "ident/nps/11"]
    assert len(fresh) == number
    if not number:
        line = (
            "campaign nps, appointment 11: no card, the patient had one of this campaign within its `pause:`"
        )
        assert line in told(desired)


def test_of_two_visits_within_the_pause_the_earlier_has_the_card() -> None:
    """By the time of the visits, in whatever order they were booked."""
    plan = bridge_of(campaign(pause=3 * DAY))
    later = done("11", ENDED + HOUR, created_at=at("01.11 10:00"))
    assert [card.key for card in invited(decided(ENDED + 2 * HOUR, done(), later, bridge=plan))] == [KEY]


def test_a_pause_takes_no_card_away() -> None:
    """It is for cards to come; what stands goes on."""
    cards = (own(), own(key="ident/nps/11", target_id="89"))
    desired = decided(
        ENDED + HOUR,
        done(),
        done("11", ENDED + HOUR),
        bridge=bridge_of(campaign(pause=3 * DAY)),
        cards=cards,
    )
    assert [card.key for card in invited(desired)] == [KEY, "ident/nps/11"]


def test_a_card_whose_story_has_ended_does_not_end_the_next() -> None:
    """Each visit has its own."""
    desired = decided(ENDED + 2 * HOUR, done(), done("11", ENDED + HOUR), cards=(own("DONE"),))
    assert [card.key for card in invited(desired)] == ["ident/nps/11"]


def test_one_card_without_a_contact_does_not_hold_the_other() -> None:
    """What is to come waits for a contact, what stands goes on."""
    desired = Crm().decide(
        make_case(done(), done("11", ENDED + HOUR), cards=(own(key="ident/nps/11"),)),
        ENDED + 2 * HOUR,
        bridge_of(contact=None),
    )
    assert [card.key for card in invited(desired)] == ["ident/nps/11"]


def test_whom_a_person_left_without_a_contact_is_not_waited_for() -> None:
    """`explain` says of whom a person is asked, and who has none."""
    never = (Answer(question="contact:1", choice="never"),)
    desired = Crm().decide(make_case(done(), answers=never), ENDED, bridge_of())
    assert told(desired) == ["campaign nps, appointment 10: no card yet, the patient has no contact"]


def test_the_clock_wakes_for_each_thing_that_it_may_change() -> None:
    """Its time, each stage that comes `after`, the end of the visit that a line speaks of, the end of the quiet hours."""
    bridge = bridge_of(campaign(LAST, LATER, ASK, on=Occasion.ENTRY, quiet=NIGHT))
    line = entry(starts_at=at("20.11 10:00"))
    now = at("16.11 22:00")
    case: Case = make_case(entries=(line,), cards=(own_contact(),))
    assert case.patient is not None
    turns = turns_of(case, [], [], bridge, now)
    found = campaigns_of(turns, case, case.patient, {"patient": {}}, bridge, Asker(case, Facts()), now)
    assert sorted(found.wakes) == [
        at("16.11 09:00"),
        at("17.11 09:00"),
        at("17.11 09:00"),
        at("19.11 09:00"),
        at("20.11 10:00"),
    ]
