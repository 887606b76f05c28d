"""DESIGN 6, leads that come after the visit: which are its source, which are set aside, and which are left alone."""

from typing import Any

import pytest

from kreslo.connectors.model import ByPhone, Card, Entity, Semantic
from kreslo.decisions.case import Base, OwnCard, Role
from kreslo.decisions.desired import DesiredCard
from kreslo.mapping.model import Phase
from tests.unit.decisions.builders import (
    Crm,
    at,
    make_appointment,
    make_case,
    make_lead,
    make_patient,
    only_visit,
    own_contact,
    own_visit,
    phase_base,
)

AGAIN = frozenset({"leads"})
MINE = (own_contact(), own_visit(base=phase_base(Phase.UPCOMING)))
LATER: dict[str, Any] = {"created": "15.11 12:00", "code": "NEW"}


def aside(crm: Crm, *appointments: Any, now: str = "16.11 09:00", **given: Any) -> list[DesiredCard]:
    case = make_case(
        *(appointments or (make_appointment(),)), **{"cards": MINE, "look_again": AGAIN, **given}
    )
    return [card for card in crm.decide(case, at(now)).cards if card.role is Role.WATCHED]


BEGUN = [("20.11 09:59", 1), ("20.11 10:00", 0), ("20.11 10:30", 0)]


@pytest.mark.parametrize(("now", "number"), BEGUN)
def test_a_visit_that_has_begun_is_not_ahead_any_more(now: str, number: int) -> None:
    """Any later lead of a patient with a visit ahead goes to "already booked"; who sits in the chair is not booked."""
    assert len(aside(Crm(make_lead(**LATER)), now=now)) == number


def test_the_next_visit_is_the_earliest_whatever_its_number() -> None:
    later = make_appointment("08", "25.11 10:00", created_at=at("09.11 10:00"))
    cards = (*MINE, own_visit("08", target_id="701", base=phase_base(Phase.UPCOMING, "25.11 10:00")))
    [card] = aside(Crm(make_lead(**LATER)), later, make_appointment(), cards=cards)
    assert [note.text for note in card.notes] == ["Пациент уже записан на 20.11.2026 10:00"]


def test_a_lead_with_the_number_of_a_deal_of_ours_is_another_card() -> None:
    """Leads and deals are counted each for itself."""
    cards = (own_contact(), own_visit(target_id="900", base=phase_base(Phase.UPCOMING)))
    [card] = aside(Crm(make_lead(**LATER)), cards=cards)
    assert (card.entity, card.take) == (Entity.LEAD, "900")


def owned(role: Role, **changes: Any) -> OwnCard:
    return OwnCard(key="lead:900", role=role, entity=Entity.LEAD, **{"target_id": "900", **changes})


LEFT: list[tuple[str, Card, dict[str, Any]]] = [
    ("closed by staff", make_lead(semantic=Semantic.LOST, **LATER), {}),
    ("the visit's own", make_lead(**LATER), {"cards": (*MINE, owned(Role.CLAIM, base=Base()))}),
    ("set aside before", make_lead(**LATER), {"cards": (*MINE, owned(Role.WATCHED, base=Base()))}),
]


@pytest.mark.parametrize(("lead", "given"), [r[1:] for r in LEFT], ids=[r[0] for r in LEFT])
def test_what_is_closed_or_has_its_place_is_left_alone(lead: Card, given: dict[str, Any]) -> None:
    """A lead has one place: a change in it does not give it another."""
    assert aside(Crm(lead), **given) == []


UNASKED: list[tuple[str, dict[str, Any]]] = [
    ("the patient has no phone", {"patient": make_patient(phones=())}),
    (
        "what was set aside is deleted",
        {"cards": (*MINE, owned(Role.WATCHED, target_id="", gone=True)), "look_again": frozenset()},
    ),
    ("the visit was never given up", {"look_again": frozenset()}),
    (
        "the visit's card was not written yet",
        {"cards": (own_contact(), own_visit()), "look_again": frozenset()},
    ),
]


@pytest.mark.parametrize("given", [r[1] for r in UNASKED], ids=[r[0] for r in UNASKED])
def test_the_crm_is_not_asked_for_leads_without_need(given: dict[str, Any]) -> None:
    crm = Crm(make_lead(**LATER))
    aside(crm, **given)
    assert not [each for each in crm.asked if isinstance(each, ByPhone) and each.entity is Entity.LEAD]


SOURCES: list[tuple[str, Card, dict[tuple[Entity, str], str]]] = [
    ("with the booking, on any stage", make_lead(created="10.11 12:00", code="NEW"), {}),
    (
        "an enquiry card of ours",
        make_lead(created="10.11 13:00", code="NEW"),
        {(Entity.LEAD, "900"): "phone:ab12"},
    ),
]


@pytest.mark.parametrize(("lead", "owners"), [r[1:] for r in SOURCES], ids=[r[0] for r in SOURCES])
def test_a_lead_that_comes_with_the_booking_is_its_source(
    lead: Card, owners: dict[tuple[Entity, str], str]
) -> None:
    """Entered at most two hours before it, be the lead the CRM's own or one that Kreslo made for an enquiry."""
    case = make_case(make_appointment(), cards=MINE, look_again=AGAIN)
    assert only_visit(Crm(lead, owners=owners).decide(case)).claimed_lead == "900"
