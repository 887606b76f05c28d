"""One card a campaign's occasion, at its time, never for what is past, and no message twice."""

from datetime import datetime, time, timedelta
from typing import Any

import msgspec
import pytest

from kreslo.connectors.model import Card, Entity, Semantic, StageRef
from kreslo.decisions.case import Case, Role
from kreslo.decisions.desired import Desired, DesiredCard
from kreslo.mapping.expressions import Expression, Template
from kreslo.mapping.model import Bridge, CampaignPlan, CampaignStage, Occasion, Quiet
from kreslo.records import RECALL, Entry
from tests.unit.decisions.builders import (
    Crm,
    at,
    make_appointment,
    make_bridge,
    make_case,
    make_patient,
    make_plan,
    own_contact,
    own_visit,
    stage_of,
)
from tests.unit.decisions.world import World

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NIGHT = Quiet(time(21, 0), time(9, 0))
KEY = "ident/nps/10"
ENDED = at("16.11 15:00")


def rule(
    code: str, when: str = "", after: timedelta = timedelta(0), *, message: bool = False
) -> CampaignStage:
    return CampaignStage(
        stage=StageRef("5", code),
        name=code,
        when=Expression(when) if when else None,
        after=after,
        message=message,
    )


def campaign(*rules: CampaignStage, **changes: Any) -> CampaignPlan:
    plan = CampaignPlan(
        name="nps",
        on=Occasion.COMPLETED,
        funnel="5",
        stages=rules or (rule("ASK", message=True),),
        title=Template("nps: {patient.short_name}"),
    )
    return msgspec.structs.replace(plan, **changes)


def with_campaigns(*plans: CampaignPlan, **changes: Any) -> Bridge:
    ends = {StageRef("5", "DONE"), StageRef("5", "LOST")}
    bridge = make_bridge(appointment=make_plan(claim=None), campaigns=plans or (campaign(),))
    return msgspec.structs.replace(bridge, terminal=bridge.terminal | ends, **changes)


def done(visit: str = "10", ended: datetime = ENDED, **changes: Any) -> Any:
    """A visit that took place."""
    return make_appointment(visit, "16.11 14:00", **({"ended_at": ended} | changes))


def entry(id_: str = "77", created: str = "16.11 09:00", **changes: Any) -> Entry:
    given: dict[str, Any] = {"patient_id": "1", "campaign": "nps", "created_at": at(created)}
    return Entry(id=id_, **{**given, **changes})


def invited(desired: Desired) -> list[DesiredCard]:
    return [card for card in desired.cards if card.role is Role.CAMPAIGN]


def only(desired: Desired) -> DesiredCard:
    cards = invited(desired)
    assert len(cards) == 1, [card.key for card in cards]
    return cards[0]


def why(desired: Desired, about: str) -> str:
    """What `explain` says of a turn."""
    lines = [line for line in desired.rules if line.startswith(f"campaign nps, {about}: ")]
    assert len(lines) == 1, desired.rules
    return lines[0].partition(": ")[2]


def decided(now: datetime, *visits: Any, bridge: Bridge | None = None, **case: Any) -> Desired:
    return Crm().decide(make_case(*visits, **case), now, bridge or with_campaigns())


# --- the card ---------------------------------------------------------------------------------------------------------


def test_one_card_an_occasion_linked_to_the_patients_contact() -> None:
    """Key `<source id>/<campaign>/<id>`; the card hangs on the contact and links to its record."""
    card = only(decided(ENDED, done()))
    assert (card.key, card.members) == (KEY, ("ident/appointment/10",))
    assert card.contacts is not None
    assert [ref.key for ref in card.contacts] == ["ident/patient/1"]
    assert (stage_of(card), card.fields["TITLE"].value) == ("ASK", "nps: Иванова М. П.")


OCCASIONS: list[tuple[Occasion, dict[str, Any], datetime]] = [
    (Occasion.BOOKED, {"created_at": at("16.11 08:00")}, at("16.11 08:00")),
    (Occasion.CONFIRMED, {"confirmed_at": at("17.11 10:00")}, at("17.11 10:00")),
    (Occasion.ARRIVED, {"appeared_at": at("20.11 09:55")}, at("20.11 09:55")),
    (Occasion.ARRIVED, {"started_at": at("20.11 10:05")}, at("20.11 10:05")),
    (Occasion.COMPLETED, {"ended_at": at("20.11 11:00")}, at("20.11 11:00")),
    (Occasion.COMPLETED, {"billed_at": at("20.11 12:00")}, at("20.11 12:00")),
    (Occasion.CANCELLED, {"cancelled_at": at("19.11 12:00")}, at("19.11 12:00")),
    (
        Occasion.RESCHEDULED,
        {"cancelled_at": at("19.11 12:00"), "cancel_reason": "Перенос"},
        at("19.11 12:00"),
    ),
    (Occasion.NO_SHOW, {}, at("20.11 13:00")),  # ends at 11:00, and two hours of grace
    (Occasion.LAST_VISIT, {"ended_at": at("20.11 11:00")}, at("20.11 11:00")),
]


@pytest.mark.parametrize(("on", "facts", "when"), OCCASIONS, ids=[f"{row[0]}-{row[1]}" for row in OCCASIONS])
def test_each_fact_of_a_visit_can_be_an_occasion(on: Occasion, facts: dict[str, Any], when: datetime) -> None:
    bridge = with_campaigns(campaign(on=on))
    visit = make_appointment("10", "20.11 10:00", **facts)
    seen = make_case(visit, cards=(own_contact(), own_visit()))
    assert only(Crm().decide(seen, when, bridge)).key == KEY
    if on is not Occasion.NO_SHOW:
        others = {each for each in Occasion if each is not on} - {Occasion.LAST_VISIT, Occasion.COMPLETED}
        for other in others:
            wrong = with_campaigns(campaign(on=other))
            assert invited(Crm().decide(seen, when, wrong)) == [], other


def test_the_last_visit_is_the_latest_that_took_place() -> None:
    """A check-up for those last seen five months ago: an older visit gives none, and a newer one puts it off."""
    bridge = with_campaigns(campaign(on=Occasion.LAST_VISIT, after=150 * DAY, late=30 * DAY))
    old, new = done("9", ENDED - 200 * DAY, starts_at=ENDED - 200 * DAY), done()
    assert invited(decided(ENDED + 149 * DAY, old, new, bridge=bridge)) == []
    assert only(decided(ENDED + 151 * DAY, old, new, bridge=bridge)).key == KEY
    assert invited(decided(ENDED + 181 * DAY, old, new, bridge=bridge)) == []


def test_a_completed_visit_that_turns_out_cancelled_gives_no_card() -> None:
    corrected = done(cancelled_at=ENDED + HOUR)
    assert invited(decided(ENDED + 2 * HOUR, corrected)) == []


def test_two_campaigns_on_one_visit_are_two_cards() -> None:
    bridge = with_campaigns(campaign(), campaign(rule("WARM"), name="warm"))
    assert [card.key for card in invited(decided(ENDED, done(), bridge=bridge))] == [KEY, "ident/warm/10"]


# --- its time ---------------------------------------------------------------------------------------------------------

TIMES: list[tuple[dict[str, Any], str, str]] = [
    ({}, "16.11 15:00", "16.11 15:00"),
    ({"after": 3 * HOUR}, "16.11 15:00", "16.11 18:00"),
    ({"at": time(10, 0)}, "16.11 15:00", "17.11 10:00"),
    ({"at": time(10, 0)}, "16.11 10:00", "16.11 10:00"),
    ({"at": time(16, 0)}, "16.11 15:00", "16.11 16:00"),
    ({"after": 12 * HOUR, "at": time(10, 0)}, "16.11 15:00", "17.11 10:00"),
    ({"quiet": NIGHT}, "16.11 20:59", "16.11 20:59"),
    ({"quiet": NIGHT}, "16.11 21:00", "17.11 09:00"),
    ({"quiet": NIGHT}, "16.11 08:59", "16.11 09:00"),
    ({"quiet": NIGHT}, "16.11 09:00", "16.11 09:00"),
    ({"quiet": NIGHT, "after": 3 * HOUR}, "16.11 19:30", "17.11 09:00"),
    ({"quiet": Quiet(time(13, 0), time(14, 0))}, "16.11 13:30", "16.11 14:00"),
]


@pytest.mark.parametrize(("plan", "ended", "due"), TIMES)
def test_a_card_is_made_at_its_time_and_the_clock_wakes_it(
    plan: dict[str, Any], ended: str, due: str
) -> None:
    """`after`, then the next `at` of the clinic's day, out of the quiet hours."""
    bridge, visit = with_campaigns(campaign(**plan)), done(ended=at(ended))
    before = at(due) - timedelta(seconds=1)
    if at(ended) <= before:
        waiting = decided(before, visit, bridge=bridge)
        assert invited(waiting) == []
        assert waiting.wake_at == at(due)
        assert why(waiting, "appointment 10").startswith("waits until ")
    assert only(decided(at(due), visit, bridge=bridge)).key == KEY


def test_what_is_read_in_the_quiet_hours_waits_for_their_end() -> None:
    bridge = with_campaigns(campaign(quiet=NIGHT))
    late_news = decided(at("16.11 23:00"), done(ended=at("16.11 20:00")), bridge=bridge)
    assert invited(late_news) == []
    assert late_news.wake_at == at("17.11 09:00")
    assert why(late_news, "appointment 10") == "waits for the end of the quiet hours"
    assert only(decided(at("17.11 09:00"), done(ended=at("16.11 20:00")), bridge=bridge))


def test_hours_are_those_of_the_visits_branch() -> None:
    visit = done(ended=at("16.11 20:30"))
    far = msgspec.structs.replace(visit.branch, timezone="Asia/Novosibirsk")
    bridge = with_campaigns(campaign(quiet=NIGHT))
    moved = msgspec.structs.replace(visit, branch=far)
    assert len(invited(decided(at("16.11 20:30"), visit, bridge=bridge))) == 1
    assert invited(decided(at("16.11 20:30"), moved, bridge=bridge)) == []


def test_an_import_of_eight_years_asks_nobody_about_an_old_visit() -> None:
    """Never for what is past: later than `late` after its time no card is made."""
    visits = [
        done(str(number), ENDED - number * 10 * DAY, starts_at=ENDED - number * 10 * DAY - HOUR)
        for number in range(1, 290)
    ]
    assert invited(decided(ENDED, *visits)) == []


def test_a_card_is_made_until_late_has_passed_and_not_after() -> None:
    assert len(invited(decided(ENDED + DAY - timedelta(seconds=1), done()))) == 1
    too_late = decided(ENDED + DAY, done())
    assert invited(too_late) == []
    assert why(too_late, "appointment 10") == "no card, its time was past at 17.11 12:00 UTC"


# --- who gets one -----------------------------------------------------------------------------------------------------


def test_who_refused_messages_is_not_asked_and_explain_says_so() -> None:
    refused = decided(ENDED, done(), patient=make_patient(messages_refused=True))
    assert invited(refused) == []
    assert why(refused, "appointment 10") == "no card, the patient refused messages"


def test_a_campaign_that_writes_to_nobody_takes_those_too() -> None:
    """A curator's funnel is work for staff, not a message."""
    bridge = with_campaigns(campaign(rule("CURATOR")))
    assert only(decided(ENDED, done(), bridge=bridge, patient=make_patient(messages_refused=True)))


CONDITIONS: list[tuple[dict[str, str], str]] = [
    ({"when": 'appointment.doctor.specialty == "терапевт"'}, ""),
    ({"when": 'appointment.doctor.specialty == "хирург"'}, "`when:"),
    ({"unless": "patient.visits > 5"}, ""),
    ({"unless": "patient.visits > 0"}, "`unless:"),
    ({"unless": "next_visit != null"}, ""),
]


@pytest.mark.parametrize(("conditions", "reason"), CONDITIONS)
def test_conditions_say_who_gets_a_card(conditions: dict[str, str], reason: str) -> None:
    plan = campaign(**{name: Expression(text) for name, text in conditions.items()})
    desired = decided(ENDED, done(), bridge=with_campaigns(plan))
    assert bool(invited(desired)) is not bool(reason)
    assert reason in why(desired, "appointment 10")


def test_a_condition_that_comes_true_in_time_gives_the_card() -> None:
    """The doctor's mark may come after the visit has ended."""
    plan = campaign(when=Expression('"Имплант" in appointment.services'))
    bridge = with_campaigns(plan)
    assert invited(decided(ENDED, done(), bridge=bridge)) == []
    assert only(decided(ENDED + HOUR, done(services=("Имплант",)), bridge=bridge))


def test_a_condition_that_ceases_to_hold_takes_no_card_away() -> None:
    bridge = with_campaigns(campaign(unless=Expression("next_visit != null")))
    world = World(bridge=bridge)
    world.step(make_case(done()), ENDED)
    world.step(make_case(done(), make_appointment("11", "25.11 10:00")), ENDED + HOUR)
    assert world.card(KEY).stage == StageRef("5", "ASK")


def test_a_patient_is_not_asked_again_within_the_pause() -> None:
    """Two visits of one day give one poll, and one of a week later gives none; after the pause they are asked again."""
    world = World(bridge=with_campaigns(campaign(pause=30 * DAY)))
    first = done(), done("12", ENDED + HOUR, starts_at=at("16.11 15:00"))
    world.step(make_case(*first), ENDED + HOUR)
    soon = done("13", ENDED + 7 * DAY, starts_at=ENDED + 7 * DAY - HOUR)
    silent = world.step(make_case(*first, soon), ENDED + 7 * DAY)
    assert (
        why(silent, "appointment 13") == "no card, the patient had one of this campaign within its `pause:`"
    )
    later = done("14", ENDED + 30 * DAY, starts_at=ENDED + 30 * DAY - HOUR)
    world.step(make_case(*first, soon, later), ENDED + 30 * DAY)
    assert sorted(key for key, own in world.own.items() if own.role is Role.CAMPAIGN) == [KEY, "ident/nps/14"]


def test_while_a_person_must_say_whose_contact_it_is_nothing_is_asked() -> None:
    twins = [
        Card(entity=Entity.CONTACT, id=id_, name="Иванова Мария", phones=make_patient().phones)
        for id_ in "12"
    ]
    desired = Crm(*twins).decide(make_case(done()), ENDED, with_campaigns())
    assert invited(desired) == []
    assert why(desired, "appointment 10") == "no card yet, a person must say whose contact it is"


def test_a_patient_who_was_merged_into_another_is_not_asked() -> None:
    assert invited(decided(ENDED, done(), patient=make_patient(merged_into="2"))) == []


def test_who_refused_the_processing_of_their_data_has_no_campaign() -> None:
    assert decided(ENDED, done(), patient=make_patient(processing_refused=True)).cards == ()


# --- entries and recalls ----------------------------------------------------------------------------------------------


def test_a_row_of_the_campaigns_list_is_an_occasion() -> None:
    bridge = with_campaigns(campaign(on=Occasion.ENTRY))
    card = only(decided(at("16.11 09:00"), bridge=bridge, entries=(entry(),)))
    assert (card.key, card.members) == ("ident/nps/77", ("ident/entry/77",))


def test_an_invitation_of_the_mis_is_an_occasion() -> None:
    bridge = with_campaigns(campaign(on=Occasion.RECALL))
    mine = entry(campaign=RECALL)
    assert only(decided(at("16.11 09:00"), bridge=bridge, entries=(mine,)))
    closed = entry(campaign=RECALL, closed_at=at("16.11 08:00"))
    answered = decided(at("16.11 09:00"), bridge=bridge, entries=(closed,))
    assert invited(answered) == []
    assert why(answered, "entry 77") == "no card, the MIS has closed it"


def test_a_list_that_no_campaign_is_for_is_told() -> None:
    desired = decided(at("16.11 09:00"), entries=(entry(campaign="checkup"),))
    assert desired.filtered["77"] == 'the mapping has no campaign for the list "checkup"'


def test_a_list_that_speaks_of_old_visits_is_as_old_as_they_are() -> None:
    """A file of eight years of visits, written today, is history."""
    bridge = with_campaigns(campaign(on=Occasion.ENTRY))
    old = entry(starts_at=at("10.11 10:00"))
    assert invited(decided(at("16.11 09:00"), bridge=bridge, entries=(old,))) == []


def test_a_list_of_last_visits_gives_its_card_and_the_rules_count_from_the_list() -> None:
    """A check-up list speaks of visits of five months ago on purpose: `late` says how old they may be."""
    bridge = with_campaigns(campaign(*LIFE, on=Occasion.ENTRY, late=200 * DAY))
    row = entry(starts_at=at("16.11 10:00") - 160 * DAY)
    assert stage_of(only(decided(at("16.11 09:00"), bridge=bridge, entries=(row,)))) == "ASK"
    older = entry(starts_at=at("16.11 10:00") - 201 * DAY)
    assert invited(decided(at("16.11 09:00"), bridge=bridge, entries=(older,))) == []


ROUTES = (
    rule("AFTER", 'entry.doctor.specialty == "хирург" && !entry.ahead', message=True),
    rule("BEFORE", 'entry.doctor.specialty == "хирург" && entry.ahead', message=True),
    rule("OTHER", message=True),
)


@pytest.mark.parametrize(
    ("specialty", "now", "expected"),
    [
        ("хирург", "16.11 09:00", "BEFORE"),
        ("хирург", "16.11 12:00", "AFTER"),
        ("терапевт", "16.11 09:00", "OTHER"),
    ],
)
def test_a_list_of_conditions_routes_by_specialty_and_to_before_or_after(
    specialty: str, now: str, expected: str
) -> None:
    """Recommendations: what to do before the treatment, and what after it."""
    bridge = with_campaigns(campaign(*ROUTES, on=Occasion.ENTRY))
    doctor = msgspec.structs.replace(make_appointment().doctor, specialty=specialty)
    mine = entry(doctor=doctor, starts_at=at("16.11 10:00"), ends_at=at("16.11 11:00"))
    assert stage_of(only(decided(at(now), bridge=bridge, entries=(mine,)))) == expected


def test_the_clock_leads_a_card_from_before_the_treatment_to_after_it() -> None:
    bridge = with_campaigns(campaign(*ROUTES, on=Occasion.ENTRY))
    surgeon = msgspec.structs.replace(make_appointment().doctor, specialty="хирург")
    mine = entry(doctor=surgeon, starts_at=at("16.11 10:00"), ends_at=at("16.11 11:00"))
    world = World(bridge=bridge)
    first = world.step(make_case(entries=(mine,)), at("16.11 09:00"))
    assert first.wake_at == at("16.11 11:00")
    world.step(make_case(entries=(mine,)), at("16.11 11:00"))
    world.step(make_case(entries=(mine,)), at("16.11 12:00"))
    assert [code for key, code in world.stages if key == "ident/nps/77"] == ["BEFORE", "AFTER"]


# --- its life ---------------------------------------------------------------------------------------------------------

LIFE = (
    rule("DONE", "next_visit != null"),
    rule("LOST", after=14 * DAY),
    rule("SECOND", after=7 * DAY, message=True),
    rule("ASK", message=True),
)


def lived(*steps: tuple[datetime, Case]) -> list[str]:
    world = World(bridge=with_campaigns(campaign(*LIFE)))
    for now, case in steps:
        world.step(case, now)
    return [code for key, code in world.stages if key == KEY]


def test_a_card_goes_up_its_list_by_the_clock() -> None:
    case = make_case(done())
    days = [(ENDED + number * DAY, case) for number in range(20)]
    assert lived(*days) == ["ASK", "SECOND", "LOST"]


def test_a_card_ends_when_the_patient_is_booked_and_stays_ended() -> None:
    booked = make_case(done(), make_appointment("11", "19.11 10:00"))
    cancelled = make_case(done(), make_appointment("11", "19.11 10:00", cancelled_at=at("18.11 10:00")))
    days = [(ENDED + number * DAY, cancelled) for number in range(2, 20)]
    assert lived((ENDED, make_case(done())), (ENDED + DAY, booked), *days) == ["ASK", "DONE"]


def test_a_message_that_the_clock_brought_too_late_is_not_sent() -> None:
    """After an outage of days the second letter is not sent for a day long past; the end still comes."""
    case = make_case(done())
    assert lived((ENDED, case), (ENDED + 8 * DAY, case), (ENDED + 15 * DAY, case)) == ["ASK", "LOST"]


def test_a_message_stage_is_not_entered_in_the_quiet_hours() -> None:
    rules = (rule("THANKS", "patient.visits > 1", message=True), rule("ASK", message=True))
    world = World(bridge=with_campaigns(campaign(*rules, quiet=NIGHT)))
    world.step(make_case(done()), ENDED)
    again = make_case(done(), done("12", at("16.11 22:00"), starts_at=at("16.11 21:30")))
    night = world.step(again, at("16.11 22:30"))
    assert world.card(KEY).stage == StageRef("5", "ASK")
    assert night.wake_at == at("17.11 09:00")
    world.step(again, at("17.11 09:00"))
    assert world.card(KEY).stage == StageRef("5", "THANKS")


def test_who_refuses_meanwhile_hears_no_more() -> None:
    world = World(bridge=with_campaigns(campaign(*LIFE)))
    world.step(make_case(done()), ENDED)
    refused = make_case(done(), patient=make_patient(messages_refused=True))
    world.step(refused, ENDED + 7 * DAY)
    assert world.card(KEY).stage == StageRef("5", "ASK")
    world.step(refused, ENDED + 14 * DAY)
    assert world.card(KEY).stage == StageRef("5", "LOST")


def test_what_staff_or_a_robot_moved_on_is_not_taken_back_by_the_clock() -> None:
    world = World(bridge=with_campaigns(campaign(*LIFE)))
    world.step(make_case(done()), ENDED)
    world.edit(KEY, stage=StageRef("5", "ANSWERED"))
    for number in range(1, 20):
        world.step(make_case(done()), ENDED + number * DAY)
    assert world.card(KEY).stage == StageRef("5", "ANSWERED")


def test_a_card_that_staff_closed_stays_closed() -> None:
    world = World(bridge=with_campaigns(campaign(*LIFE)))
    world.step(make_case(done()), ENDED)
    world.edit(KEY, stage=StageRef("5", "LOST"), semantic=Semantic.LOST)
    world.step(make_case(done(), make_appointment("11", "25.11 10:00")), ENDED + DAY)
    assert world.card(KEY).stage == StageRef("5", "LOST")


def test_a_message_stage_is_entered_once_an_occasion() -> None:
    """Deciding again, healing and looking again never enter it a second time."""
    world = World(bridge=with_campaigns())
    for number in range(5):
        world.step(make_case(done()), ENDED + number * HOUR, look=True)
        world.edit(KEY, stage=StageRef("5", "ASKED"))
    assert [code for key, code in world.stages if key == KEY] == ["ASK"]
    assert world.base(KEY).markers == ("nps:10:ASK",)


def test_a_deleted_card_is_not_made_again() -> None:
    world = World(bridge=with_campaigns())
    world.step(make_case(done()), ENDED)
    own = world.own[KEY]
    del world.cards[own.entity, own.target_id]
    world.own[KEY] = msgspec.structs.replace(own, gone=True)
    desired = world.step(make_case(done()), ENDED + HOUR)
    assert invited(desired) == []
    assert why(desired, "appointment 10") == "its card was deleted in the CRM"


def test_a_card_that_was_found_by_its_key_still_ends_when_the_patient_is_booked() -> None:
    there = Card(entity=Entity.DEAL, id="88", key=KEY, stage=StageRef("5", "ASKED"), contacts=("500",))
    world = World(there, bridge=with_campaigns(campaign(*LIFE)))
    world.step(make_case(done()), ENDED)
    world.step(make_case(done(), make_appointment("11", "25.11 10:00")), ENDED + DAY)
    assert world.card(KEY).stage == StageRef("5", "DONE")


def test_after_the_journal_was_lost_the_card_is_known_by_its_key_and_says_nothing_again() -> None:
    there = Card(entity=Entity.DEAL, id="88", key=KEY, stage=StageRef("5", "ASKED"), contacts=("500",))
    world = World(there, bridge=with_campaigns())
    for number in range(3):
        world.step(make_case(done()), ENDED + number * HOUR)
    assert [card.id for card in world.cards.values() if card.key == KEY] == ["88"]
    assert world.card(KEY).stage == StageRef("5", "ASKED")
    assert [code for key, code in world.stages if key == KEY] == []


def test_a_card_that_never_went_out_is_not_sent_when_its_time_is_past() -> None:
    """The CRM was away for days: nobody is asked about a visit of last week."""
    world = World(bridge=with_campaigns())
    world.step(make_case(done()), ENDED, lose=True)
    world.step(make_case(done()), ENDED + 3 * DAY)
    assert KEY not in [planned.card for planned in world.planned]


def test_an_old_campaign_card_rests() -> None:
    """Nothing can come any more: it is not written at each change of the patient for years."""
    world = World(bridge=with_campaigns())
    world.step(make_case(done()), ENDED)
    desired = world.step(make_case(done(), patient=make_patient(surname="Петрова")), ENDED + 31 * DAY)
    assert invited(desired) == []
