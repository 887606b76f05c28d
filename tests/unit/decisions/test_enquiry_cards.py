"""DESIGN 7.5: the card of an enquiry in full, its clock, and whose it is, as tables."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from kreslo.connectors.model import ById, Card, Entity, FieldType, Semantic
from kreslo.decisions.case import Answer, Base, Caller, OwnCard, Role
from kreslo.decisions.desired import Cause, Desired, DesiredCard, FieldWish, ReviewWish, StageWish, TaskWish
from kreslo.mapping.expressions import Expression, Template
from kreslo.mapping.model import Bridge, FieldRule, TaskPlan
from tests.unit.decisions.builders import (
    NOW,
    PHONE,
    Crm,
    at,
    lead_stage,
    make_bridge,
    make_enquiry,
    make_lead,
    make_plan,
    phone_case,
)

KEY, SECOND, THIRD = "ident/enquiry/5", "ident/enquiry/6", "ident/enquiry/7"
STALE_AT = at("18.11 12:00")
TASK = TaskPlan(text=Template("Перезвонить {enquiry.phone}"), after=timedelta(hours=3), user="17")
AT_WORK = {"stage": lead_stage("WORK")}


def asking(**changes: Any) -> Bridge:
    """The builders' bridge with another enquiry plan."""
    bridge = make_bridge()
    assert bridge.enquiry is not None
    return make_bridge(enquiry=msgspec.structs.replace(bridge.enquiry, **changes))


def own(*members: str, code: str = "NEW", **changes: Any) -> OwnCard:
    given: dict[str, Any] = {"target_id": "900", "base": Base(stage=lead_stage(code)), **changes}
    members = members or (KEY,)
    return OwnCard(
        **{"key": members[0], "role": Role.ENQUIRY, "entity": Entity.LEAD, "members": members, **given}
    )


def wish(code: str, cause: Cause = Cause.CLOCK) -> StageWish:
    return StageWish(stage=lead_stage(code), initial=lead_stage(code), cause=cause)


def no_opinion(code: str) -> StageWish:
    return StageWish(stage=None, initial=lead_stage(code))


def cards_of(desired: Desired, role: Role = Role.ENQUIRY) -> list[DesiredCard]:
    return [card for card in desired.cards if card.role is role]


def stage_wish(desired: Desired) -> StageWish | None:
    [card] = cards_of(desired)
    return card.stage


FIRST, AGAIN = make_enquiry("5", "15.11 12:00", name="Ольга"), make_enquiry("6", "16.11 08:00")
LAST = make_enquiry("7", "16.11 08:30")


# --- the whole card ---------------------------------------------------------------------------------------------------


def test_a_new_enquiry_in_full() -> None:
    """Create in the enquiry funnel; ages to `stale` with a task: the clock is set for that."""
    rule = FieldRule(code="UF_N", title="Раз", type=FieldType.NUMBER, value=Expression("enquiry.count"))
    desired = Crm().decide(phone_case(FIRST), bridge=asking(fields=(rule,)))
    assert desired == Desired(
        cards=(
            DesiredCard(
                key=KEY,
                role=Role.ENQUIRY,
                entity=Entity.LEAD,
                members=(KEY,),
                fields={"UF_N": FieldWish(value=1, title="Раз"), "TITLE": FieldWish(value="Обращение Ольга")},
                stage=wish("NEW"),
            ),
        ),
        wake_at=STALE_AT,
        rules=("enquiry",),
    )


STALES: list[tuple[str, OwnCard | None, dict[str, Any], bool]] = [
    ("it grows stale", own(), {}, True),
    ("it is made stale", None, {}, True),
    ("taken over, not written yet", own(base=None), {}, True),
    ("stale already", own(code="STALE"), {}, False),
    ("no task in the mapping", own(), {"stale_task": None}, False),
]


@pytest.mark.parametrize(("card", "plan", "task"), [r[1:] for r in STALES], ids=[r[0] for r in STALES])
def test_a_stale_enquiry_has_its_task_once(card: OwnCard | None, plan: dict[str, Any], task: bool) -> None:
    """Ages to `stale` with a task, which belongs to the stage."""
    case = phone_case(FIRST, cards=(card,) if card else ())
    desired = Crm(make_lead()).decide(case, STALE_AT, asking(**{"stale_task": TASK, **plan}))
    [aged] = cards_of(desired)
    due = STALE_AT + timedelta(hours=3)
    assert aged.stage == wish("STALE")
    assert aged.tasks == (
        (TaskWish("task:stale:5", f"Перезвонить {PHONE}", due, "17", with_stage=True),) if task else ()
    )
    assert desired.wake_at is None


def test_where_nothing_is_stale_it_stays_new() -> None:
    """A stage that the mapping does not name is no stage."""
    assert stage_wish(Crm().decide(phone_case(FIRST), STALE_AT, asking(stale=None))) == wish("NEW")


# --- its stage --------------------------------------------------------------------------------------------------------


def caller(visit: str | None = "20.11 10:00", entered: str | None = "10.11 12:00") -> Caller:
    return Caller(
        patient_id="1",
        next_visit_at=at(visit) if visit else None,
        next_visit_created_at=at(entered) if entered else None,
    )


DEALS = make_plan().claim
assert DEALS is not None
CLAIMS_DEALS = make_bridge(appointment=make_plan(claim=msgspec.structs.replace(DEALS, entity=Entity.DEAL)))
SOON = caller(entered="16.11 08:00")
STAGES: list[tuple[str, tuple[Caller, ...], OwnCard | None, Bridge, StageWish]] = [
    ("booked before", (caller(),), own(), make_bridge(), wish("ALREADY", Cause.MIS)),
    ("booked as they asked", (caller(entered="15.11 12:00"),), own(), make_bridge(), wish("ALREADY", Cause.MIS)),
    ("just settled", (caller(entered="16.11 07:00"),), own(), make_bridge(), wish("ALREADY", Cause.MIS)),
    ("not settled", (SOON,), own(), make_bridge(), no_opinion("NEW")),
    ("not settled, another is booked", (SOON, caller()), own(), make_bridge(), wish("ALREADY", Cause.MIS)),
    ("no card is claimed from here", (SOON,), own(), CLAIMS_DEALS, wish("ALREADY", Cause.MIS)),
    ("no appointments in the mapping", (SOON,), own(), make_bridge(appointment=None), wish("ALREADY", Cause.MIS)),
    ("booked, and no stage for it", (caller(),), own(), asking(already_booked=None), no_opinion("NEW")),
    ("the visit begins", (caller("16.11 09:00"),), own(), make_bridge(), wish("NEW")),
    ("no visit", (caller(None),), own(), make_bridge(), wish("NEW")),
    ("answered", (), own(code="ALREADY"), make_bridge(), no_opinion("ALREADY")),
    ("answered, and no stage for it now", (), own(code="ALREADY"), asking(already_booked=None), wish("NEW")),
    ("new, not made yet", (), None, make_bridge(), wish("NEW")),
    ("taken over, not written yet", (), own(base=None), make_bridge(), wish("NEW")),
    ("stale, and nothing else", (), own(code="STALE"), make_bridge(), wish("NEW")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("callers", "card", "bridge", "expected"), [r[1:] for r in STAGES], ids=[r[0] for r in STAGES]
)
def test_the_stage_of_an_enquiry(
    callers: tuple[Caller, ...], card: OwnCard | None, bridge: Bridge, expected: StageWish
) -> None:
    """If the caller already has an upcoming visit: stage "already booked". A visit entered later has its time to claim
    the card first. After the visit the enquiry was answered.
    """
    case = phone_case(FIRST, cards=(card,) if card else (), callers=callers)
    [made] = cards_of(Crm(make_lead()).decide(case, NOW, bridge))
    assert (made.stage, made.tasks) == (expected, ())


ORDERS = [
    ("16.11 07:59", None),
    ("16.11 08:00", lead_stage("ALREADY")),
    ("16.11 08:30", lead_stage("ALREADY")),
]


@pytest.mark.parametrize(("asked", "expected"), ORDERS)
def test_who_was_booked_when_they_asked_claims_nothing(asked: str, expected: Any) -> None:
    """Only a visit that is entered after the enquiry has time to claim its card; one that was there is told at once."""
    desired = Crm().decide(phone_case(make_enquiry("5", asked), callers=(SOON,)))
    found = stage_wish(desired)
    assert found is not None
    assert found.stage == expected


ASKS = [
    ("NEW", Cause.CLOCK),
    ("STALE", Cause.REVERSAL),
    ("ALREADY", Cause.REVERSAL),
    ("WORK", Cause.REVERSAL),
]


@pytest.mark.parametrize(("code", "cause"), ASKS)
def test_who_asks_again_is_new_by_a_reversal(code: str, cause: Cause) -> None:
    """One open card per phone: a newer enquiry brings the card back to the start of its funnel."""
    case = phone_case(FIRST, AGAIN, cards=(own(code=code),))
    [card] = cards_of(Crm(make_lead()).decide(case))
    assert (card.stage, card.tasks) == (wish("NEW", cause), ())


# --- which card -------------------------------------------------------------------------------------------------------

LOST, WON = {"semantic": Semantic.LOST}, {"semantic": Semantic.WON}
CARDS: list[tuple[str, list[Any], list[Card], dict[str, Any], tuple[str, str, tuple[str, ...]]]] = [
    ("our key on another case's card", [FIRST], [make_lead("901", key=KEY, phones=())], {"owners": {(Entity.LEAD, "901"): "patient:2"}}, (KEY, "", (KEY,))),
    ("our key, closed", [FIRST], [make_lead("901", key=KEY, **LOST)], {}, (KEY, "901", (KEY,))),
    ("our key, closed, and they asked again", [FIRST, AGAIN], [make_lead("901", key=KEY, **WON)], {}, (SECOND, "", (SECOND,))),
    ("two closed, and they asked again", [FIRST, AGAIN, LAST], [make_lead("901", key=KEY, **LOST), make_lead("902", key=SECOND, **LOST)], {}, (THIRD, "", (THIRD,))),
    ("closed, and the second's card is open", [FIRST, AGAIN, LAST], [make_lead("901", key=KEY, **LOST), make_lead("902", key=SECOND)], {}, (SECOND, "902", (SECOND, THIRD))),
    ("the second's key", [FIRST, AGAIN], [make_lead("902", key=SECOND)], {}, (SECOND, "902", (KEY, SECOND))),
    ("open, on no stage", [FIRST], [make_lead(stage=None)], {}, (KEY, "", (KEY,))),
    ("open, another system's key", [FIRST], [make_lead(key="other/enquiry/3")], {}, (KEY, "", (KEY,))),
    ("our own, not made yet", [FIRST, AGAIN], [], {"cards": (own(target_id=""),)}, (KEY, "", (KEY, SECOND))),
    ("our own, and nobody asked again", [FIRST], [], {"cards": (own(),)}, (KEY, "", (KEY,))),
    ("our own is not in the CRM", [FIRST, AGAIN], [], {"cards": (own(),)}, (SECOND, "", (SECOND,))),
    ("our own is won", [FIRST, AGAIN], [make_lead(**WON)], {"cards": (own(),)}, (SECOND, "", (SECOND,))),
    ("our own is unsorted", [FIRST, AGAIN], [make_lead(semantic=Semantic.UNSORTED)], {"cards": (own(),)}, (KEY, "", (KEY, SECOND))),
    ("our own, under the key of an older one", [FIRST], [], {"cards": (own(key="ident/enquiry/3"),)}, ("ident/enquiry/3", "", (KEY,))),
    ("our key on two, one of another case", [FIRST], [make_lead("901", key=KEY, phones=()), make_lead("902", key=KEY, phones=())], {"owners": {(Entity.LEAD, "901"): "patient:2"}}, (KEY, "902", (KEY,))),
    ("a lead of the CRM's own that was watched", [FIRST], [make_lead("901")], {"cards": (own(key="lead:901", target_id="901", role=Role.WATCHED),)}, (KEY, "901", (KEY,))),
    ("of two of ours the last", [FIRST, AGAIN, LAST], [make_lead("902")], {"cards": (own(), own(SECOND, target_id="902"))}, (SECOND, "", (SECOND, THIRD))),
    ("a visit's card of the case", [FIRST], [], {"cards": (own(role=Role.VISIT),)}, (KEY, "", (KEY,))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "cards", "how", "expected"), [r[1:] for r in CARDS], ids=[r[0] for r in CARDS]
)
def test_whose_card_an_enquiry_is(
    asked: list[Any], cards: list[Card], how: dict[str, Any], expected: tuple[str, str, tuple[str, ...]]
) -> None:
    """One open card per phone: link to the open one, else create. What came after a card that is closed wants another."""
    crm = Crm(*cards, owners=how.get("owners"))
    [card] = cards_of(crm.decide(phone_case(*asked, cards=how.get("cards", ()))))
    assert (card.key, card.take, card.members) == expected


def test_a_card_of_ours_is_looked_at_only_when_they_ask_again() -> None:
    """Whether staff closed it matters only when a newer enquiry wants a card."""
    for asked, looks in (((FIRST,), 0), ((FIRST, AGAIN), 1)):
        crm = Crm(make_lead())
        crm.decide(phone_case(*asked, cards=(own(),)))
        assert len([each for each in crm.asked if isinstance(each, ById)]) == looks
        assert len(crm.asked) == looks, "and what stands is not looked for by key or phone"


EDGES: list[tuple[str, dict[str, Any], str]] = [
    ("17.10 09:00", {}, ""),
    ("17.10 08:59", {}, "older than the horizon"),
    ("17.10 08:59", {"cards": (own(),)}, ""),
    ("15.11 12:00", {"served": frozenset({KEY})}, "its card became a visit's"),
]


@pytest.mark.parametrize(("created", "given", "why"), EDGES)
def test_which_enquiries_are_in_sight(created: str, given: dict[str, Any], why: str) -> None:
    """The horizon is for what has no card yet."""
    desired = Crm(make_lead()).decide(phone_case(make_enquiry("5", created), **given))
    assert desired.filtered == ({"5": why} if why else {})
    assert bool(desired.cards) is not bool(why)
    assert desired.rules == (() if why else ("enquiry",))


def test_enquiries_of_one_moment_are_told_in_the_order_of_their_numbers() -> None:
    """The last one speaks."""
    twins = make_enquiry("6", "15.11 12:00"), make_enquiry("5", "15.11 12:00")
    [card] = cards_of(Crm().decide(phone_case(*twins)))
    assert card.members == (KEY, SECOND)


def test_the_last_enquiry_is_the_one_that_was_made_last() -> None:
    """Whatever the numbers say."""
    early, late = make_enquiry("6", "14.11 12:00"), make_enquiry("5", "15.11 12:00")
    [card] = cards_of(Crm().decide(phone_case(late, early)))
    assert card.members == (SECOND, KEY)


def test_an_answer_of_old_brings_nothing_back_where_the_card_stands() -> None:
    """Staff took it out of the bin and closed it: it was answered, and only the newer enquiry wants a card."""
    answers = (Answer(question=f"deleted:{KEY}:900", choice="new"),)
    crm = Crm(make_lead(**LOST))
    [card] = cards_of(crm.decide(phone_case(FIRST, AGAIN, cards=(own(),), answers=answers)))
    assert card.members == (SECOND,)


# --- deleted ----------------------------------------------------------------------------------------------------------

QUESTION = ReviewWish(
    question=f"deleted:{KEY}:900",
    rule="deleted_enquiry",
    text="Карточка обращения удалена в CRM. Создать заново?",
)
DELETED = "its card was deleted in the CRM"
OLDER = own("ident/enquiry/1", target_id="890", gone=True)
GONE: list[tuple[str, tuple[OwnCard, ...], tuple[Answer, ...], list[str], tuple[ReviewWish, ...]]] = [
    ("asked", (own(gone=True),), (), [], (QUESTION,)),
    ("behind one of an enquiry out of sight", (OLDER, own(gone=True)), (), [], (QUESTION,)),
    ("behind a lead of the CRM's own", (own(role=Role.WATCHED), own(gone=True)), (), [], (QUESTION,)),
    ("a lead of the CRM's own is gone", (own(role=Role.WATCHED, gone=True),), (), [KEY], ()),
    ("said: again", (own(gone=True),), (Answer(question=QUESTION.question, choice="new"),), [KEY], ()),
    ("said: never", (own(gone=True),), (Answer(question=QUESTION.question, choice="never"),), [], ()),
    ("said on another", (own(gone=True),), (Answer(question="deleted:x:900", choice="new"),), [], (QUESTION,)),
    ("it stands, and somebody once said: again", (own(),), (Answer(question=QUESTION.question, choice="new"),), [KEY], ()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("cards", "answers", "made", "reviews"), [r[1:] for r in GONE], ids=[r[0] for r in GONE]
)
def test_a_deleted_enquiry_card_is_asked_about(
    cards: tuple[OwnCard, ...], answers: tuple[Answer, ...], made: list[str], reviews: tuple[ReviewWish, ...]
) -> None:
    """Card deleted: review, never silently made again."""
    desired = Crm(make_lead("890")).decide(phone_case(FIRST, cards=cards, answers=answers))
    assert [card.key for card in cards_of(desired)] == made
    assert desired.reviews == reviews
    assert desired.filtered == ({} if made else {"5": DELETED})


# --- the CRM's own leads ----------------------------------------------------------------------------------------------

OLD = "13.11 09:00"  # three days before NOW, to the minute
WATCHING: list[tuple[str, Card, dict[str, Any], dict[str, Any], bool]] = [
    ("just three days old", make_lead(created=OLD, code="NEW"), {}, {}, True),
    ("a minute younger", make_lead(created="13.11 09:01", code="NEW"), {}, {}, False),
    ("of no known age", make_lead(created_at=None, code="NEW"), {}, {}, False),
    ("a deal", msgspec.structs.replace(make_lead(created=OLD, code="NEW"), entity=Entity.DEAL), {}, {}, False),
    ("on another stage", make_lead(created=OLD, code="WORK"), {}, {}, False),
    ("watched already", make_lead(created=OLD, code="NEW"), {"cards": (own(role=Role.WATCHED),)}, {}, True),
    ("ours", make_lead(created=OLD, code="NEW"), {"cards": (own(),)}, {}, False),
    ("a deal of ours with its number", make_lead(created=OLD, code="NEW"), {"cards": (own(entity=Entity.DEAL),)}, {}, True),
    ("another lead of ours", make_lead(created=OLD, code="NEW"), {"cards": (own(target_id="901"),)}, {}, True),
    ("nothing is stale", make_lead(created=OLD, code="NEW"), {}, {"stale": None}, False),
    ("booked", make_lead(created=OLD, code="NEW"), {"callers": (caller(),)}, {}, False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("lead", "given", "plan", "ages"), [r[1:] for r in WATCHING], ids=[r[0] for r in WATCHING]
)
def test_which_leads_of_the_crms_own_grow_stale(
    lead: Card, given: dict[str, Any], plan: dict[str, Any], ages: bool
) -> None:
    """Else from the CRM's own open leads: nobody was booked for it, so it ages."""
    desired = Crm(lead).decide(phone_case(observed=(lead,), **given), NOW, asking(**plan))
    assert [card.take for card in cards_of(desired, Role.WATCHED)] == (["900"] if ages else [])


def test_a_stale_lead_in_full() -> None:
    """Its stage and a task that says who to call; the words of a mapping's `enquiry.…` hold for it too."""
    words = "{enquiry.id} {enquiry.name} {enquiry.created_at:%d.%m %H:%M} {enquiry.phone} {enquiry.count}"
    task = TaskPlan(
        text=Template(words + "{enquiry.result}{enquiry.source}"), after=timedelta(hours=3), user="17"
    )
    lead = make_lead(created=OLD, code="NEW", name="Ольга")
    [card] = Crm(lead).decide(phone_case(observed=(lead,)), NOW, asking(stale_task=task)).cards
    said = f"900 Ольга 13.11 09:00 {PHONE} 1"
    assert card == DesiredCard(
        key="lead:900",
        role=Role.WATCHED,
        entity=Entity.LEAD,
        take="900",
        stage=wish("STALE"),
        tasks=(TaskWish("task:stale:900", said, NOW + timedelta(hours=3), "17", with_stage=True),),
    )
    [bare] = Crm(lead).decide(phone_case(observed=(lead,)), NOW, asking(stale_task=None)).cards
    assert bare.tasks == ()


WAKES: list[tuple[str, dict[str, Any], str | None]] = [
    ("a young lead", {"observed": (make_lead(created="14.11 12:00", code="NEW"),)}, "17.11 12:00"),
    ("a lead of no known age", {"observed": (make_lead(created_at=None, code="NEW"),)}, None),
    ("an old lead", {"observed": (make_lead(created=OLD, code="WORK"),)}, None),
    ("the earliest of all", {"observed": (make_lead(created="15.11 12:00"),), "callers": (caller("17.11 10:00"),)}, "17.11 10:00"),
    ("a visit that may still claim", {"callers": (SOON,)}, "16.11 10:00"),
    ("a caller without a visit", {"callers": (caller(None, None),)}, None),
]  # fmt: skip


@pytest.mark.parametrize(("given", "wake"), [r[1:] for r in WAKES], ids=[r[0] for r in WAKES])
def test_when_a_phone_is_decided_again(given: dict[str, Any], wake: str | None) -> None:
    """`wake_at` says when the clock alone would change the answer."""
    assert Crm().decide(phone_case(**given)).wake_at == (at(wake) if wake else None)


def test_without_an_enquiry_section_nobody_waits_for_the_clock() -> None:
    """Nothing is dropped in silence."""
    desired = Crm().decide(phone_case(FIRST, callers=(SOON,)), bridge=make_bridge(enquiry=None))
    assert desired == Desired(filtered={"5": "the mapping has no enquiry section"})
