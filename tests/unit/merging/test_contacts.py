"""DESIGN 6 and 7: who hangs on a card. People that staff added or re-linked stay."""

from typing import Any

import pytest

from kreslo.connectors.model import UpdateCard
from kreslo.decisions.case import Base, Role
from kreslo.decisions.desired import CardRef, DesiredCard
from kreslo.merging import merge
from kreslo.merging.plan import Merged
from tests.unit.decisions.builders import (
    NOW,
    make_appointment,
    make_bridge,
    make_case,
    make_deal,
    own_visit,
)
from tests.unit.decisions.world import World, same

KEY = "ident/appointment/10"
MADE = {"patient": "500", "parent": "400", "new": ""}


def merged(
    contacts: tuple[CardRef, ...] | None, base: tuple[str, ...] | None, there: tuple[str, ...]
) -> Merged:
    card = DesiredCard(key=KEY, role=Role.VISIT, entity=make_deal().entity, contacts=contacts)
    own = own_visit(base=Base(contacts=base) if base is not None else None)
    actual = make_deal(key=KEY, contacts=there)
    return merge(
        card,
        own,
        actual,
        asked=True,
        look=True,
        canonical=same,
        resolve=lambda ref: ref.target_id or MADE[ref.key],
        bridge=make_bridge(),
    )


def sent(done: Merged) -> list[str] | None:
    """The contacts that are sent, main first; None where they are left."""
    if not done.planned or done.planned[0].contacts is None:
        return None
    assert isinstance(done.planned[0].action, UpdateCard)
    return [ref.target_id or ref.key for ref in done.planned[0].contacts]


PATIENT, PARENT, NEW = CardRef(key="patient"), CardRef(key="parent"), CardRef(key="new")

ROWS: list[tuple[str, Any, Any, tuple[str, ...], list[str] | None]] = [
    ("as it should be", (PATIENT,), ("500",), ("500",), None),
    ("nothing is wished", None, ("500",), ("700",), None),
    ("staff added somebody", (PATIENT,), ("500",), ("500", "700"), None),
    ("staff re-linked it", (PATIENT,), ("500",), ("700",), None),
    ("staff took ours away", (PATIENT,), ("500",), (), None),
    ("the MIS's patient is another now", (PATIENT,), ("300",), ("300", "700"), ["patient", "700"]),
    (
        "a representative is known now",
        (PARENT, PATIENT),
        ("500",),
        ("500", "700"),
        ["parent", "patient", "700"],
    ),
    ("a second person is known now", (PATIENT, PARENT), ("500",), ("500",), ["patient", "parent"]),
    (
        "a third is known, a second to come",
        (PATIENT, NEW, PARENT),
        ("500",),
        ("500",),
        ["patient", "new", "parent"],
    ),
    (
        "the representative comes first",
        (PARENT, PATIENT),
        ("500", "400"),
        ("500", "400"),
        ["parent", "patient"],
    ),
    ("the representative is no more", (PATIENT,), ("400", "500"), ("400", "500", "700"), ["patient", "700"]),
    ("taken over, the caller stays behind", (PATIENT,), None, ("700",), ["patient", "700"]),
    ("taken over, as it should be", (PATIENT,), None, ("500", "700"), None),
    ("we had none on it", (PATIENT,), (), ("700",), ["patient", "700"]),
    ("the visit changed hands, the other has no card yet", (NEW,), ("500",), ("500", "700"), ["new", "700"]),
    ("none yet, and one is to come", (NEW,), (), (), ["new"]),
    ("a representative to come does not disturb", (NEW, PATIENT), ("500",), ("500",), None),
]


@pytest.mark.parametrize(
    ("wish", "base", "there", "expected"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS]
)
def test_only_the_people_we_put_there_are_ours(
    wish: tuple[CardRef, ...] | None,
    base: tuple[str, ...] | None,
    there: tuple[str, ...],
    expected: list[str] | None,
) -> None:
    """The patient is the card's main contact and the caller its second; the representative is the main contact and the
    child its second. Who staff added or re-linked stays; who we put there and the MIS took away goes.
    """
    assert sent(merged(wish, base, there)) == expected


MOVED: list[tuple[str, tuple[CardRef, ...] | None, tuple[str, ...], bool]] = [
    ("as it was", (PATIENT,), ("500",), False),
    ("nothing is wished", None, ("500",), False),
    ("somebody of ours is not wished any more", (PATIENT,), ("500", "600"), False),
    ("two as they were", (PATIENT, PARENT), ("500", "400"), False),
    ("another main contact", (PARENT, PATIENT), ("500", "400"), True),
    ("one more", (PATIENT, PARENT), ("500",), True),
    ("the first, who is to come", (NEW,), (), True),
    ("one to come behind the first", (PATIENT, NEW), ("500",), False),
    ("one to come instead of the first", (NEW,), ("500",), True),
    ("one to come, and another who is known", (PATIENT, NEW, PARENT), ("500",), True),
]


@pytest.mark.parametrize(("wish", "base", "moved"), [r[1:] for r in MOVED], ids=[r[0] for r in MOVED])
def test_a_card_is_read_for_its_people_only_if_the_mis_says_others(
    wish: tuple[CardRef, ...] | None, base: tuple[str, ...], moved: bool
) -> None:
    """Level-triggered: what is wished is held against what we put there last, before the CRM is asked."""
    card = DesiredCard(key=KEY, role=Role.VISIT, entity=make_deal().entity, contacts=wish)
    done = merge(
        card,
        own_visit(base=Base(contacts=base)),
        None,
        asked=False,
        look=False,
        canonical=same,
        resolve=lambda ref: ref.target_id or MADE[ref.key],
        bridge=make_bridge(),
    )
    assert done.need_actual is moved


def test_the_base_remembers_who_is_known_on_the_card() -> None:
    """`contacts`: target ids last written; one who is to come is not known yet, and where nothing is said, what was."""
    taken = merged((PARENT, NEW, PATIENT), None, ("400",)).planned[0].after
    there = merged((PATIENT,), None, ("500",)).planned
    assert taken is not None
    assert taken.contacts == ("400", "500")
    assert there == ()
    for wish, base, known in (
        ((PATIENT,), None, ("500",)),
        (None, ("300",), ("300",)),
        ((PATIENT,), ("500",), ("500",)),
    ):
        stored = merged(wish, base, ("500",)).base
        assert stored is not None
        assert stored.contacts == known


def test_a_card_waits_for_no_contact_that_is_not_made_yet() -> None:
    """The reference goes with the plan, and is resolved when it is sent."""
    world = World()
    world.step(make_case(make_appointment()), NOW)
    create = world.planned[1]
    assert create.contacts == (CardRef(key="ident/patient/1"),)
    assert world.card(KEY).contacts == (world.own["ident/patient/1"].target_id,)


def test_the_caller_of_a_claim_is_not_taken_off_later() -> None:
    """The claim is past and its caller is not wished any more: they stay, as whoever staff put there would."""
    done = merged((PATIENT,), ("500", "600"), ("500", "600"))
    assert sent(done) is None
