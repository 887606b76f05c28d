"""DESIGN 7, without a base (journal lost, first run on a living CRM), and what a merge stores."""

from typing import Any

import pytest

from kreslo.connectors.model import AddNote, Card, CreateCard, Semantic, UpdateCard, Value
from kreslo.decisions.case import Base, OwnCard, Role
from kreslo.decisions.desired import CardRef, Cause, DesiredCard, FieldWish, NoteWish, StageWish, TaskWish
from kreslo.mapping.model import Phase
from kreslo.merging import merge
from kreslo.merging.merge import with_marker
from kreslo.merging.plan import Merged
from tests.unit.decisions.builders import (
    NOW,
    STAGES,
    make_appointment,
    make_bridge,
    make_case,
    make_contact,
    make_deal,
    own_visit,
    phase_base,
    stage,
)
from tests.unit.decisions.world import World, same

KEY = "ident/appointment/10"


def merged(card: DesiredCard, own: OwnCard | None, actual: Card | None, **how: Any) -> Merged:
    given: dict[str, Any] = {"asked": True, "look": False, **how}
    return merge(card, own, actual, canonical=same, resolve=lambda ref: "500", bridge=make_bridge(), **given)


def wished(phase: Phase = Phase.UPCOMING, cause: Cause = Cause.MIS, **changes: Any) -> DesiredCard:
    there = stage(STAGES[phase])
    wish = StageWish(stage=there, initial=there, phase=phase, cause=cause)
    given: dict[str, Any] = {"key": KEY, "role": Role.VISIT, "entity": make_deal().entity, "stage": wish}
    return DesiredCard(**{**given, **changes})


FIELDS: list[tuple[str, Value, bool, dict[str, Value], list[str]]] = [
    ("an empty field is filled", None, False, {"F": "a"}, []),
    ("another value is drift", "x", False, {}, [f"{KEY}: F"]),
    ("the same value is nothing", "a", False, {}, []),
    ("the MIS overrules", "x", True, {"F": "a"}, []),
]


@pytest.mark.parametrize(
    ("there", "overrule", "sent", "drift"), [r[1:] for r in FIELDS], ids=[r[0] for r in FIELDS]
)
def test_without_a_base_empty_fields_are_filled_and_the_rest_is_drift(
    there: Value, overrule: bool, sent: dict[str, Value], drift: list[str]
) -> None:
    """Empty fields are filled, the rest is shown as drift; of a card that is claimed, the MIS's values stand at once."""
    card = wished(take="700", overrule=overrule, fields={"F": FieldWish(value="a")})
    done = merged(card, None, make_deal(key=KEY, fields={"F": there}))
    assert done.drift == tuple(drift)
    action = done.planned[0].action if done.planned else None
    assert (action.fields if isinstance(action, UpdateCard) else {}) == sent
    assert [each.theirs for each in done.overwrites] == (["x"] if overrule else [])


STAGE_ROWS: list[tuple[str, Phase, str, str]] = [
    ("forward", Phase.CONFIRMED, "UPCOMING", "CONFIRMED"),
    ("to an end", Phase.CANCELLED, "CONFIRMED", "LOSE"),
    ("not back", Phase.UPCOMING, "CONFIRMED", ""),
    ("not from one end to another", Phase.COMPLETED, "LOSE", ""),
    ("not from a closed stage of staff's own", Phase.COMPLETED, "ARCHIVE", ""),
    ("from staff's own stage that lies before", Phase.ARRIVED, "YES", "ARRIVED"),
    ("not to what lies before staff's own stage", Phase.UPCOMING, "YES2", ""),
]


@pytest.mark.parametrize(
    ("phase", "stands", "sent"), [r[1:] for r in STAGE_ROWS], ids=[r[0] for r in STAGE_ROWS]
)
def test_without_a_base_stages_move_forward_only(phase: Phase, stands: str, sent: str) -> None:
    """Stages move forward only."""
    closed = Semantic.LOST if stands in {"ARCHIVE", "LOSE"} else Semantic.OPEN
    bridge = make_bridge(
        stage_order={stage(code): n for n, code in enumerate(["UPCOMING", "YES", "ARRIVED", "YES2"])}
    )
    done = merge(
        wished(phase, take="700"),
        None,
        make_deal(key=KEY, code=stands, semantic=closed),
        asked=True,
        look=False,
        canonical=same,
        resolve=lambda ref: "500",
        bridge=bridge,
    )
    action = done.planned[0].action if done.planned else None
    assert (action.stage.stage if isinstance(action, UpdateCard) and action.stage else "") == sent


def test_drift_is_healed_when_the_mis_moves_on() -> None:
    """What is shown as drift waits for the MIS: its next change is written, and recorded as an overwrite."""
    world = World(make_deal("701", key=KEY, fields={"TITLE": "от руки"}))
    world.step(make_case(make_appointment()), NOW)
    assert world.card(KEY).fields["TITLE"] == "от руки"
    world.step(make_case(make_appointment(starts="25.11 12:00")), NOW)
    assert world.card(KEY).fields["TITLE"] == "Приём 25.11 12:00, Петров П. П."


KEYS = [("", KEY), ("ident/enquiry/5", "")]


@pytest.mark.parametrize(("stands", "sent"), KEYS)
def test_a_key_is_written_once_and_never_rewritten(stands: str, sent: str) -> None:
    """A card's key is written once and never rewritten: only where the card had none."""
    done = merged(wished(take="700"), None, make_deal(key=stands, code="UPCOMING", fields={"F": "x"}))
    action = done.planned[0].action if done.planned else None
    assert (action.key if isinstance(action, UpdateCard) else "") == sent


def test_a_lead_that_is_only_linked_gets_no_key_of_a_visit() -> None:
    """The claim's card is the visit's lead, not the visit."""
    card = wished(role=Role.CLAIM, key="lead:900", take="900")
    action = merged(card, None, make_deal("900")).planned
    assert action == ()


def test_a_contact_known_by_a_nickname_takes_the_miss_name_until_it_is_confirmed() -> None:
    """Taken over with the MIS's values standing at once, which holds until its first write is confirmed."""
    card = DesiredCard(
        key="ident/patient/1",
        role=Role.CONTACT,
        entity=make_contact().entity,
        fields={"NAME": FieldWish(value="Мария")},
    )
    own = OwnCard(key=card.key, role=Role.CONTACT, entity=card.entity, target_id="500", overrule=True)
    stands = make_contact(key=card.key, fields={"NAME": "Маша"})
    [planned] = merged(card, own, stands).planned
    assert isinstance(planned.action, UpdateCard)
    assert planned.action.fields == {"NAME": "Мария"}


# --- when nothing is sent ----------------------------------------------------------------------------------------------


def test_an_update_with_nothing_to_send_still_stores_the_base() -> None:
    """Desired, base, actual: what was decided and read back is remembered, or it would be decided anew for ever."""
    card = wished(fields={"F": FieldWish(value="a")}, take="700")
    done = merged(card, None, make_deal(key=KEY, fields={"F": "a"}))
    assert done.planned == ()
    assert done.base is not None
    assert (done.base.decided, done.base.stage, done.base.phase) == (
        {"F": "a"},
        stage("UPCOMING"),
        Phase.UPCOMING,
    )


def test_what_changes_nothing_in_the_crm_is_remembered_without_reading_it() -> None:
    """New facts that lead to the same wishes are kept, so that a visit beyond the horizon comes to rest."""
    own = own_visit(base=phase_base(Phase.UPCOMING, facts="old"))
    done = merged(wished(facts="new", starts_at=phase_base(Phase.UPCOMING).starts_at), own, None, asked=False)
    assert (done.need_actual, done.planned) == (False, ())
    assert done.base is not None
    assert done.base.facts == "new"


def test_nothing_new_is_nothing_at_all() -> None:
    """An unchanged case costs neither a read nor a write."""
    base = phase_base(Phase.UPCOMING)
    done = merged(wished(starts_at=base.starts_at), own_visit(base=base), None, asked=False)
    assert done == Merged()


ASKS = [
    ("a new field value", {"fields": {"F": FieldWish(value="b")}}, False),
    ("a new stage", {"stage": wished(Phase.TOMORROW).stage}, False),
    ("a note", {"notes": (NoteWish("n", "текст"),)}, False),
    ("another main contact", {"contacts": (CardRef(key="x"),)}, False),
    ("an event", {}, True),
]


@pytest.mark.parametrize(("changes", "look"), [row[1:] for row in ASKS], ids=[row[0] for row in ASKS])
def test_before_anything_is_written_the_card_is_read(changes: dict[str, Any], look: bool) -> None:
    """The window between our read and our write is kept small: no write without the card as it is now."""
    own = own_visit(base=phase_base(Phase.UPCOMING, decided={"F": "a"}, contacts=("300",)))
    assert merged(wished(**changes), own, None, asked=False, look=look).need_actual


def test_a_card_that_is_not_there_is_gone_and_not_made_again() -> None:
    """Card deleted: review, never silently made again: the merge only says so."""
    own = own_visit(base=phase_base(Phase.UPCOMING))
    done = merged(wished(Phase.TOMORROW), own, None)
    assert (done.gone, done.planned) == (True, ())


def test_nothing_is_planned_for_a_card_in_flight() -> None:
    """An intent that is in flight or unknown is waited for."""
    own = own_visit(base=phase_base(Phase.UPCOMING), busy=True)
    assert merged(wished(Phase.TOMORROW), own, make_deal()) == Merged()


@pytest.mark.parametrize("role", [Role.CLAIM, Role.WATCHED])
def test_leads_of_the_crms_own_are_never_made(role: Role) -> None:
    """These are never ours to make."""
    assert merged(wished(role=role), None, None).planned == ()


def test_a_superseded_card_that_was_never_made_is_not_made_to_be_closed() -> None:
    """One card a chain: the younger one that failed to be created is forgotten, not created."""
    for own in (own_visit(target_id=""), own_visit(gone=True, base=phase_base(Phase.UPCOMING))):
        assert merged(wished(Phase.CANCELLED, close=True), own, None).planned == ()


def test_a_new_card_carries_key_fields_stage_and_what_was_decided() -> None:
    """Created with all that is known, empty values left out."""
    card = wished(
        fields={"F": FieldWish(value="a"), "E": FieldWish(value=None)}, starts_at=NOW, moves=2, facts="f"
    )
    [planned] = merged(card, None, None).planned
    create = planned.action
    assert isinstance(create, CreateCard)
    assert (create.key, create.fields, create.stage) == (KEY, {"F": "a"}, stage("UPCOMING"))
    assert planned.after == Base(
        decided={"F": "a", "E": None},
        read_back={"F": "a"},
        stage=stage("UPCOMING"),
        phase=Phase.UPCOMING,
        starts_at=NOW,
        moves=2,
        facts="f",
    )


# --- notes and tasks ---------------------------------------------------------------------------------------------------


def test_notes_and_tasks_are_intents_of_their_own_and_written_once() -> None:
    """Notes and tasks carry a marker; what has been written is not written again."""
    card = wished(notes=(NoteWish("n1", "раз"),), tasks=(TaskWish("t1", "дело", NOW),))
    base = phase_base(Phase.UPCOMING)
    done = merged(card, own_visit(base=base), make_deal(key=KEY))
    assert [each.marker for each in done.planned] == ["n1", "t1"]
    assert all(not isinstance(each.action, AddNote) or each.action.id == "700" for each in done.planned)
    written = with_marker(with_marker(base, "n1"), "t1")
    assert merged(card, own_visit(base=written), make_deal(key=KEY)).planned == ()


def test_what_is_owed_is_planned_again_without_being_wished_again() -> None:
    """The move is decided once; its note may be lost on the way, and comes with the next decision."""
    first = merged(
        wished(notes=(NoteWish("n1", "раз"),)), own_visit(base=phase_base(Phase.UPCOMING)), make_deal(key=KEY)
    )
    assert first.base is not None
    again = merged(wished(), own_visit(base=first.base), make_deal(key=KEY))
    assert [each.marker for each in again.planned] == ["n1"]
    done = merged(wished(), own_visit(base=with_marker(first.base, "n1")), None, asked=False)
    assert done.planned == ()
    assert done.base is not None
    assert done.base.owed_notes == ()


STAGE_TASKS = [("NEW", 1), ("WORK", 0)]


@pytest.mark.parametrize(("stands", "tasks"), STAGE_TASKS)
def test_a_task_that_belongs_to_a_stage_comes_only_with_it(stands: str, tasks: int) -> None:
    """Ages to `stale` with a task: where a guard holds the stage, nobody is told to call."""
    stale = stage("STALE")
    card = DesiredCard(
        key="k",
        role=Role.ENQUIRY,
        entity=make_deal().entity,
        stage=StageWish(stage=stale, initial=stale, cause=Cause.CLOCK),
        tasks=(TaskWish("t", "перезвонить", NOW, with_stage=True),),
    )
    own = OwnCard(
        key="k", role=Role.ENQUIRY, entity=card.entity, target_id="700", base=Base(stage=stage("NEW"))
    )
    done = merged(card, own, make_deal(key="k", code=stands))
    assert len([each for each in done.planned if each.marker]) == tasks


def test_a_lead_is_linked_apart_so_that_its_refusal_takes_nothing_else_along() -> None:
    """Else the base would stay behind what was written, and the message would go out again (simulated seed 27)."""
    card = wished(Phase.CONFIRMED, lead="900", fields={"F": FieldWish(value="a")})
    own = OwnCard(
        key=KEY, role=Role.VISIT, entity=card.entity, target_id="700", base=phase_base(Phase.UPCOMING)
    )
    first, second = merged(card, own, make_deal()).planned
    assert isinstance(first.action, UpdateCard)
    assert (first.action.fields, first.action.stage, first.action.lead) == (
        {"F": "a"},
        stage("CONFIRMED"),
        "",
    )
    assert isinstance(second.action, UpdateCard)
    assert (second.action.fields, second.action.stage, second.action.lead) == ({}, None, "900")
    assert first.after is not None
    assert second.after is not None
    assert (first.after.lead, second.after.lead) == ("", "900")
