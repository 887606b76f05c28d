"""DESIGN 2, 7 and 8: desired, base and actual of a whole card: all that is sent, and all that is remembered."""

from typing import Any

import msgspec
import pytest

from kreslo.connectors.model import AddNote, AddTask, Card, CreateCard, MultiChange, UpdateCard, Value
from kreslo.decisions.case import Base, OwnCard, Role
from kreslo.decisions.desired import CardRef, Cause, DesiredCard, FieldWish, NoteWish, StageWish, TaskWish
from kreslo.mapping.model import FieldMode, Phase
from kreslo.merging import merge
from kreslo.merging.merge import with_marker
from kreslo.merging.plan import Merged, Overwrite, Planned
from tests.unit.decisions.builders import (
    NOW,
    STAGES,
    lead_stage,
    make_bridge,
    make_deal,
    make_lead,
    own_visit,
    phase_base,
    stage,
)
from tests.unit.decisions.world import same

KEY = "ident/appointment/10"
DEAL = make_deal().entity
U, T, C = Phase.UPCOMING, Phase.TOMORROW, Phase.CONFIRMED
OCCASION = "10:20261120T0700:TOMORROW"


def wished(phase: Phase | None = U, **changes: Any) -> DesiredCard:
    """A visit's card; `phase` None: no opinion on the stage."""
    wish = StageWish(stage=None, initial=stage("UPCOMING"), phase=Phase.TODAY)
    if phase is not None:
        there = stage(STAGES[phase])
        occasion = OCCASION if phase is T else ""
        wish = StageWish(stage=there, initial=there, phase=phase, cause=Cause.CLOCK, occasion=occasion)
    return DesiredCard(**{"key": KEY, "role": Role.VISIT, "entity": DEAL, "stage": wish, **changes})


def merged(card: DesiredCard, own: OwnCard | None, actual: Card | None, **how: Any) -> Merged:
    given: dict[str, Any] = {"asked": True, "look": True, **how}
    return merge(
        card, own, actual, canonical=same, resolve=lambda ref: ref.target_id, bridge=make_bridge(), **given
    )


def standing(base: Base | None, **changes: Any) -> OwnCard:
    return own_visit(base=base, **changes)


def base_of(done: Merged) -> Base:
    """What is remembered, at once or with the first change."""
    base = done.base or done.planned[0].after
    assert base is not None
    return base


NOTE, TASK = NoteWish("n1", "записка"), TaskWish("t1", "дело", NOW, "7")
STAGE_TASK = TaskWish("t2", "перезвонить", NOW, with_stage=True)


# --- an update --------------------------------------------------------------------------------------------------------


def test_an_update_sends_what_differs_and_remembers_what_was_decided() -> None:
    """Three-way, field by field; the base is what we decided, wrote and read back last, with all that it held before."""
    stood: dict[str, Value] = {"OLD": "o", "P": "p", "F": "a", "PH": ("1", "2"), "X": "x", "S": "s"}
    base = phase_base(
        U,
        decided=stood,
        read_back=stood,
        rewrites={"F": 1, "X": 1, "OLD": 1},
        parked_fields=("P",),
        markers=("m1",),
        lead="900",
    )
    fields = {
        "P": FieldWish(value="p2"),
        "F": FieldWish(value="b"),
        "PH": FieldWish(value=("1", "3")),
        "X": FieldWish(value="x"),
        "S": FieldWish(value="s"),
    }
    actual = make_deal(
        key=KEY, lead="900", fields={"P": "robot", "F": "a", "PH": ("1", "2", "9"), "X": "theirs", "S": "s"}
    )
    card = wished(T, fields=fields, lead="900", starts_at=NOW, moves=1, facts="f", confirmation="c", void="v")
    done = merged(card, standing(base), actual)
    after = Base(
        decided={"OLD": "o", "P": "p2", "F": "b", "PH": ("1", "3"), "X": "x", "S": "s"},
        read_back={"OLD": "o", "P": "robot", "F": "b", "PH": ("1", "9", "3"), "X": "x", "S": "s"},
        rewrites={"OLD": 1, "X": 2},
        parked_fields=("P",),
        stage=stage("TOMORROW"),
        phase=T,
        starts_at=NOW,
        contacts=("500",),
        lead="900",
        moves=1,
        markers=("m1", OCCASION),
        facts="f",
        confirmation="c",
        void="v",
    )
    update = UpdateCard(
        entity=DEAL,
        id="700",
        fields={"F": "b", "X": "x"},
        multi={"PH": MultiChange(("3",), ("2",))},
        stage=stage("TOMORROW"),
        seen=actual,
    )
    assert done == Merged(
        planned=(Planned(card=KEY, action=update, after=after, occasion=OCCASION),),
        overwrites=(Overwrite(card=KEY, field="X", theirs="theirs", ours="x"),),
        kept=("P",),
    )


def test_several_values_alone_are_an_update() -> None:
    """A second phone is written where nothing else differs; what the CRM held as one text counts as one value."""
    card = wished(fields={"PH": FieldWish(value=("1", "2"), mode=FieldMode.ADD)})
    done = merged(card, standing(phase_base(U)), make_deal(key=KEY, fields={"PH": "1"}))
    [planned] = done.planned
    assert isinstance(planned.action, UpdateCard)
    assert (planned.action.multi, planned.action.fields) == ({"PH": MultiChange(add=("2",))}, {})
    assert base_of(done).read_back == {"PH": ("1", "2")}


LEFT: list[tuple[str, Base | None, Value]] = [
    ("without a base", None, "x"),
    ("a field that is new in the mapping", phase_base(U), "x"),
    ("one that a person changed", phase_base(U, decided={"F": "a"}, read_back={"F": "a"}), "a"),
]


@pytest.mark.parametrize(("base", "read_back"), [r[1:] for r in LEFT], ids=[r[0] for r in LEFT])
def test_what_is_left_to_a_person_is_remembered_as_theirs(base: Base | None, read_back: Value) -> None:
    """`fill`: what stands there stays; of a field that we wrote once, what we read back then stays remembered, so that
    the person's value is still theirs at the next change.
    """
    card = wished(fields={"F": FieldWish(value="b", mode=FieldMode.FILL)})
    done = merged(card, standing(base), make_deal(key=KEY, fields={"F": "x"}))
    assert base_of(done).read_back == {"F": read_back}
    assert (done.planned, done.parked_fields) == ((), ())


def test_a_field_that_is_given_up_is_named_and_remembered() -> None:
    """The third identical rewrite parks the field."""
    base = phase_base(U, decided={"F": "a"}, read_back={"F": "a"}, rewrites={"F": 2}, parked_fields=("P",))
    card = wished(fields={"F": FieldWish(value="a")})
    done = merged(card, standing(base), make_deal(key=KEY, fields={"F": "robot"}))
    assert (done.parked_fields, base_of(done).parked_fields) == (("F",), ("P", "F"))


LEADS: list[tuple[str, str, str, Base | None, list[str], str]] = [
    ("to link", "900", "", phase_base(U), ["900"], ""),
    ("to link, without a base", "900", "", None, ["900"], ""),
    ("linked already", "900", "900", phase_base(U), [], "900"),
    ("unlinked by staff since", "900", "", phase_base(U, lead="900"), [], "900"),
    ("another than before", "901", "900", phase_base(U, lead="900"), ["901"], "900"),
    ("none wished", "", "800", phase_base(U, lead="900"), [], "900"),
]


@pytest.mark.parametrize(
    ("lead", "there", "base", "sent", "remembered"), [r[1:] for r in LEADS], ids=[r[0] for r in LEADS]
)
def test_the_lead_of_a_card_is_linked_once(
    lead: str, there: str, base: Base | None, sent: list[str], remembered: str
) -> None:
    """`mode: link`: with the lead linked, by an intent of its own; the base has it when that is confirmed."""
    actual = make_deal(key=KEY, lead=there)
    done = merged(wished(lead=lead, fields={"F": FieldWish(value="a")}), standing(base), actual)
    first, *links = done.planned
    assert first.after is not None
    assert first.after.lead == remembered
    assert [link.action for link in links] == [
        UpdateCard(entity=DEAL, id="700", lead=each, seen=actual) for each in sent
    ]
    assert [link.after.lead for link in links if link.after] == sent


# --- stages and their messages ----------------------------------------------------------------------------------------

TAKEN: list[tuple[str, DesiredCard, Base | None, Card, str]] = [
    ("from another funnel", wished(None, overrule=True), None, make_lead("700"), "UPCOMING"),
    ("in our funnel", wished(None, overrule=True), None, make_deal(code="YES"), ""),
    ("on no stage", wished(None, overrule=True), None, make_deal(stage=None), ""),
    ("written already", wished(None, overrule=True), phase_base(U), make_lead("700"), ""),
    ("not taken over", wished(None), None, make_lead("700"), ""),
    ("to a stage of its own", wished(C, overrule=True), None, make_lead("700"), "CONFIRMED"),
]


@pytest.mark.parametrize(
    ("card", "base", "actual", "sent"), [r[1:] for r in TAKEN], ids=[r[0] for r in TAKEN]
)
def test_a_card_that_is_taken_over_comes_into_our_funnel(
    card: DesiredCard, base: Base | None, actual: Card, sent: str
) -> None:
    """`mode: move` makes that card the visit card, even where its phase has no stage of its own."""
    if card.stage and sent == "CONFIRMED":
        card = msgspec.structs.replace(card, stage=msgspec.structs.replace(card.stage, initial=stage("YES")))
    done = merged(card, standing(base), msgspec.structs.replace(actual, key=KEY))
    action = done.planned[0].action if done.planned else None
    assert (action.stage.stage if isinstance(action, UpdateCard) and action.stage else "") == sent
    if sent:
        assert base_of(done).stage == stage(sent)


def test_a_stage_that_is_held_back_has_no_message_and_no_task() -> None:
    """A decision that a guard suppressed is remembered, and its message is not said to have gone out."""
    card = wished(T, tasks=(STAGE_TASK, TASK))
    done = merged(card, standing(phase_base(U)), make_deal(key=KEY, code="YES"))
    assert done.suppressed == (f"{KEY}: the card stands on a protected stage",)
    assert (base_of(done).stage, base_of(done).markers) == (stage("TOMORROW"), ())
    assert [each.marker for each in done.planned] == ["t1"]


def test_a_stage_that_is_reached_already_has_its_message_and_its_task() -> None:
    """By our own unanswered write or by staff."""
    card = wished(T, tasks=(STAGE_TASK,))
    done = merged(card, standing(phase_base(U)), make_deal(key=KEY, code="TOMORROW"))
    assert base_of(done).markers == (OCCASION,)
    assert [each.marker for each in done.planned] == ["t2"]


def test_no_stage_is_not_the_stage_of_a_card_without_one() -> None:
    """A phase without a stage of its own has no opinion: nothing is reached, no task is set, the last decision stands."""
    done = merged(wished(None, tasks=(STAGE_TASK,)), standing(phase_base(U)), make_deal(key=KEY, stage=None))
    assert done.planned == ()
    assert (base_of(done).stage, base_of(done).phase) == (stage("UPCOMING"), Phase.TODAY)


def test_a_card_without_any_wish_for_a_stage_keeps_what_was_decided() -> None:
    """A contact has no stage; nor has a lead that only gets a note."""
    done = merged(wished(stage=None, facts="f"), standing(phase_base(U)), make_deal(key=KEY))
    assert (base_of(done).stage, base_of(done).phase, base_of(done).markers) == (stage("UPCOMING"), U, ())


@pytest.mark.parametrize("role", [Role.CLAIM, Role.WATCHED])
def test_a_lead_that_is_not_ours_gets_no_key(role: Role) -> None:
    """Its stage is written, and its key field is left to whoever uses it."""
    there = StageWish(stage=lead_stage("CONVERTED"), initial=lead_stage("CONVERTED"))
    card = DesiredCard(key="lead:900", role=role, entity=make_lead().entity, take="900", stage=there)
    [planned] = merged(card, None, make_lead()).planned
    assert isinstance(planned.action, UpdateCard)
    assert (planned.action.key, planned.action.stage) == ("", lead_stage("CONVERTED"))


# --- which card -------------------------------------------------------------------------------------------------------

BASES: list[tuple[str, str, list[str]]] = [
    ("our own", "", []),
    ("our own, out of the recycle bin", "700", []),
    ("another", "701", [f"{KEY}: F"]),
]


@pytest.mark.parametrize(("take", "drift"), [r[1:] for r in BASES], ids=[r[0] for r in BASES])
def test_a_base_speaks_of_the_card_that_it_was_written_for(take: str, drift: list[str]) -> None:
    """Without a base the rest is shown as drift: a card that takes the place of ours has none."""
    base = phase_base(U, decided={"F": "a"}, read_back={"F": "a"})
    card = wished(take=take, fields={"F": FieldWish(value="b")})
    done = merged(card, standing(base), make_deal(take or "700", key=KEY, fields={"F": "x"}))
    assert list(done.drift) == drift
    sent = [each.action.id for each in done.planned if isinstance(each.action, UpdateCard)]
    assert sent == ([] if drift else ["700"])


OVERRULES: list[tuple[bool, Base | None, Value]] = [
    (True, None, "b"),
    (False, None, None),
    (True, phase_base(U), None),
]


@pytest.mark.parametrize(("overrule", "base", "sent"), OVERRULES)
def test_the_miss_values_stand_at_once_until_the_first_write(
    overrule: bool, base: Base | None, sent: Value
) -> None:
    """Taken over with the MIS's values standing at once, which holds until its first write is confirmed."""
    card = wished(fields={"F": FieldWish(value="b")})
    done = merged(card, standing(base, overrule=overrule), make_deal(key=KEY, fields={"F": "x"}))
    action = done.planned[0].action if done.planned else None
    assert (action.fields.get("F") if isinstance(action, UpdateCard) else None) == sent


# --- a new card -------------------------------------------------------------------------------------------------------


def test_a_new_card_is_made_with_everything_at_once() -> None:
    """Stage, lead, contacts, message occasion, notes and tasks; quiet where the CRM can start without robots."""
    card = wished(
        T,
        lead="900",
        quiet=True,
        contacts=(CardRef(key="p"),),
        notes=(NOTE,),
        tasks=(TASK, STAGE_TASK),
    )
    done = merged(card, None, None)
    create, note, task, stage_task = done.planned
    assert create.action == CreateCard(
        entity=DEAL, key=KEY, fields={}, stage=stage("TOMORROW"), lead="900", quiet=True
    )
    assert (create.occasion, create.contacts) == (OCCASION, (CardRef(key="p"),))
    assert create.after == Base(
        stage=stage("TOMORROW"),
        phase=T,
        lead="900",
        markers=(OCCASION,),
        owed_notes=(NOTE,),
        owed_tasks=(TASK, STAGE_TASK),
    )
    assert note == Planned(
        card=KEY, action=AddNote(entity=DEAL, id="", marker="n1", text="записка"), marker="n1"
    )
    assert task == Planned(
        card=KEY,
        action=AddTask(entity=DEAL, id="", marker="t1", text="дело", due_at=NOW, user="7"),
        marker="t1",
    )
    assert stage_task.marker == "t2"


def test_a_new_card_starts_without_the_message_of_a_stage_that_it_may_not_enter() -> None:
    """A new card that would have no stage starts at `upcoming`; a task of the stage is not set, any other is."""
    starts = StageWish(stage=None, initial=stage("UPCOMING"), phase=Phase.TODAY, occasion="never")
    create, task = merged(wished(stage=starts, tasks=(STAGE_TASK, TASK)), None, None).planned
    assert isinstance(create.action, CreateCard)
    assert (create.action.stage, create.occasion, task.marker) == (stage("UPCOMING"), "", "t1")
    assert create.after is not None
    assert (create.after.stage, create.after.markers, create.after.owed_tasks) == (
        stage("UPCOMING"),
        (),
        (TASK,),
    )


def test_a_new_card_without_a_stage() -> None:
    """A contact has none, and no occasion."""
    [create] = merged(wished(stage=None), None, None).planned
    assert isinstance(create.action, CreateCard)
    assert (create.action.stage, create.occasion) == (None, "")
    assert create.after == Base()


# --- what is new without the card -------------------------------------------------------------------------------------

DECIDED = phase_base(U, decided={"P": "p", "F": "a"}, parked_fields=("P",), lead="900", owed_tasks=())
FIELDS = {"P": FieldWish(value="p"), "F": FieldWish(value="a")}
NEWS: list[tuple[str, dict[str, Any], Base, bool]] = [
    ("nothing", {}, DECIDED, False),
    ("a parked field has another value", {"fields": {**FIELDS, "P": FieldWish(value="p2")}}, DECIDED, False),
    ("a field behind a parked one", {"fields": {**FIELDS, "F": FieldWish(value="b")}}, DECIDED, True),
    ("the lead that is linked", {"lead": "900"}, DECIDED, False),
    ("another lead", {"lead": "901"}, DECIDED, True),
    ("no lead any more", {"lead": ""}, DECIDED, False),
    ("a task", {"tasks": (TASK,)}, DECIDED, True),
    ("a task that is written", {"tasks": (TASK,)}, with_marker(DECIDED, "t1"), False),
    ("a task of a stage that is not entered", {"tasks": (STAGE_TASK,)}, DECIDED, False),
    ("a task that is owed", {}, msgspec.structs.replace(DECIDED, owed_tasks=(TASK,)), True),
    ("a note that is owed", {}, msgspec.structs.replace(DECIDED, owed_notes=(NOTE,)), True),
]


@pytest.mark.parametrize(("changes", "base", "news"), [r[1:] for r in NEWS], ids=[r[0] for r in NEWS])
def test_the_card_is_read_when_there_is_something_new(
    changes: dict[str, Any], base: Base, news: bool
) -> None:
    """Level-triggered, and an unchanged case costs no read: only a new wish, or one that is owed, asks for the card."""
    card = wished(**{"fields": FIELDS, "starts_at": base.starts_at, **changes})
    assert merged(card, standing(base), None, asked=False, look=False).need_actual is news


def test_no_marker_is_nothing_to_remember() -> None:
    """A change without a note, a task or an occasion leaves the markers; one that is known is not kept twice."""
    base = Base(markers=("m1",))
    assert with_marker(base, "") is base
    assert with_marker(base, "m1") is base
    assert with_marker(base, "m2").markers == ("m1", "m2")
