"""DESIGN 6 and 7: what of a card's stage and of its people is a person's, and left as it is."""

from typing import Any

import msgspec
import pytest

from kreslo.connectors.model import Card, CreateCard, Entity, UpdateCard
from kreslo.decisions.case import Base, OwnCard, Role
from kreslo.decisions.desired import CardRef, DesiredCard, StageWish
from kreslo.mapping.model import Phase
from kreslo.merging import merge
from kreslo.merging.plan import Merged
from tests.unit.decisions.builders import (
    STAGES,
    make_bridge,
    make_deal,
    make_lead,
    own_visit,
    phase_base,
    stage,
)
from tests.unit.decisions.world import same

KEY = "ident/appointment/10"
U, T, C = Phase.UPCOMING, Phase.TOMORROW, Phase.CONFIRMED


def wished(phase: Phase | None, *contacts: str, **changes: Any) -> DesiredCard:
    """`phase` None: no opinion on the stage; without `contacts` none on the people."""
    there = stage(STAGES[phase]) if phase else None
    wish = StageWish(stage=there, initial=there or stage("UPCOMING"), phase=phase)
    refs = tuple(CardRef(target_id=each) for each in contacts) or None
    return DesiredCard(key=KEY, role=Role.VISIT, entity=Entity.DEAL, stage=wish, contacts=refs, **changes)


def merged(card: DesiredCard, own: OwnCard | None, actual: Card | None) -> Merged:
    return merge(
        card,
        own,
        actual,
        asked=True,
        look=True,
        canonical=same,
        resolve=lambda ref: ref.target_id,
        bridge=make_bridge(),
    )


KEPT: list[tuple[str, DesiredCard, Base, dict[str, Any], tuple[str, ...]]] = [
    ("as it is wished", wished(C), phase_base(C), {"code": "CONFIRMED"}, ()),
    ("staff moved it", wished(C), phase_base(C), {"code": "YES"}, ("stage",)),
    ("a guard holds it", wished(T), phase_base(U), {"code": "YES"}, ("stage",)),
    ("it is moved now", wished(T), phase_base(U), {"code": "UPCOMING"}, ()),
    ("the phase has no stage", wished(None), phase_base(U), {"code": "YES"}, ()),
    ("the people are as wished", wished(None, "500"), phase_base(U), {"contacts": ("500",)}, ()),
    ("staff added somebody", wished(None, "500"), phase_base(U), {"contacts": ("500", "600")}, ()),
    ("staff linked another", wished(None, "500"), phase_base(U), {"contacts": ("600",)}, ("contacts",)),
    ("the MIS says another", wished(None, "501"), phase_base(U), {"contacts": ("500",)}, ()),
    ("no opinion on the people", wished(None), phase_base(U), {"contacts": ("600",)}, ()),
    ("one is not made yet", wished(None, "", "500"), phase_base(U), {"contacts": ("500",)}, ()),
]


@pytest.mark.parametrize(("card", "base", "actual", "kept"), [r[1:] for r in KEPT], ids=[r[0] for r in KEPT])
def test_what_a_person_did_is_named(
    card: DesiredCard, base: Base, actual: dict[str, Any], kept: tuple[str, ...]
) -> None:
    """The night's comparison shows it as a person's, and heals it never."""
    assert merged(card, own_visit(base=base), make_deal(key=KEY, **actual)).kept == kept


def test_what_is_shown_as_a_persons_is_not_written() -> None:
    done = merged(
        wished(C, "500"), own_visit(base=phase_base(C)), make_deal(key=KEY, code="YES", contacts=("600",))
    )
    assert (done.kept, done.planned) == (("stage", "contacts"), ())


STAYS: list[tuple[str, DesiredCard, Base | None, Card]] = [
    ("it is not taken over", wished(None), None, make_lead("700", key=KEY)),
    ("it is in our funnel already", wished(None, overrule=True), None, make_deal(key=KEY, code="YES")),
    ("it was written already", wished(None, overrule=True), phase_base(C), make_lead("700", key=KEY)),
]


@pytest.mark.parametrize(("card", "base", "actual"), [r[1:] for r in STAYS], ids=[r[0] for r in STAYS])
def test_where_no_stage_is_wished_none_is_held_back(
    card: DesiredCard, base: Base | None, actual: Card
) -> None:
    """`explain` names what a guard held back; only a card that is taken over must come into our funnel."""
    done = merged(card, own_visit(base=base), actual)
    assert done.suppressed == ()
    assert not [each for each in done.planned if isinstance(each.action, UpdateCard) and each.action.stage]


def test_a_new_card_is_made_on_the_stage_that_is_wished() -> None:
    """Where it would start without a wish is another thing."""
    card = wished(C)
    assert card.stage is not None
    card = msgspec.structs.replace(card, stage=msgspec.structs.replace(card.stage, initial=stage("UPCOMING")))
    [planned] = merged(card, None, None).planned
    assert isinstance(planned.action, CreateCard)
    assert planned.action.stage == stage("CONFIRMED")
