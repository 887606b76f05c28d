"""What staff do to cards of ours, in each CRM: two patients on one contact, answers that lead nowhere, fields that somebody
else rewrites, cards moved away, re-linked and deleted; and a journal that is lost.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kreslo.connectors.model import Entity
from kreslo.journal.model import ReviewItem
from kreslo.records import RecordKind, RecordRef
from tests.scenario.crms import CRMS, CrmWorld, crm_world
from tests.scenario.world import visit


def patient_ref(patient: str) -> RecordRef:
    return RecordRef(RecordKind.PATIENT, patient)


async def patient(crm: CrmWorld, days: int = 4, **person: Any) -> tuple[str, str]:
    """A patient with a visit; their ids in the MIS."""
    one = crm.clinic.add_patient(**person)
    return one, crm.clinic.add_appointment(one, starts_at=crm.clock.now() + timedelta(days=days))


async def opened(crm: CrmWorld) -> None:
    await crm.start()
    await crm.settle()


def questions(crm: CrmWorld) -> list[ReviewItem]:
    assert crm.run
    return crm.run.journal.reviews()


async def answer(crm: CrmWorld, item: ReviewItem, choice: str, target: str = "") -> None:
    assert crm.run
    await crm.run.answer(item.id, choice, target, "Ольга")
    await crm.settle()


@pytest.mark.parametrize(
    ("choice", "contacts"), [("new", 2), ("link", 1)], ids=["another person", "one and the same contact"]
)
async def test_two_patients_merged_into_one_contact_freeze_until_a_person_has_said(
    crm: CrmWorld, choice: str, contacts: int
) -> None:
    """Both persons' fields stay as they are, and there is one question; the visits and their fields go on."""
    one, _ = await patient(crm, CardNumber="A-1", MobilePhone="8 900 111-22-33")
    two, later = await patient(
        crm, 5, CardNumber="B-1", Surname="Петрова", Name="Мария", MobilePhone="8 900 444-55-66"
    )
    await opened(crm)
    people = await crm.cards("contacts")
    survivor, loser = people[f"ident/patient/{one}"], people[f"ident/patient/{two}"]
    await crm.staff("merge", entity="contact", id=loser["id"], into=survivor["id"])
    # Nothing tells that a contact is gone before its card is touched, or the next comparison.
    crm.clinic.set(patient_ref(two), CardNumber="B-2", DateTimeChanged=crm.clinic.local())
    await crm.settle()
    (item,) = questions(crm)
    assert item.wish.rule == "shared"
    assert [each.target_id for each in item.wish.candidates] == [str(survivor["id"])]

    crm.clinic.set(patient_ref(one), CardNumber="A-2", DateTimeChanged=crm.clinic.local())
    moved = crm.clock.now() + timedelta(days=8)
    crm.clinic.set(visit(later), PlanStart=crm.clinic.local(moved), DateTimeChanged=crm.clinic.local())
    await crm.settle()
    assert (await crm.only("contacts"))["named"]["Номер медкарты"] == "A-1"
    deal = (await crm.cards())[f"ident/appointment/{later}"]
    assert crm.run
    assert f"{moved.astimezone(crm.run.bridge.zone):%d.%m}" in deal["title"]

    await answer(crm, item, choice, str(survivor["id"]) if choice == "link" else "")
    people = await crm.cards("contacts")
    assert len(people) == contacts
    assert questions(crm) == []
    numbers = {key: card["named"]["Номер медкарты"] for key, card in people.items()}
    deal = (await crm.cards())[f"ident/appointment/{later}"]
    if choice == "new":
        assert numbers == {f"ident/patient/{one}": "A-2", f"ident/patient/{two}": "B-2"}
        assert deal["contact_ids"][0] == people[f"ident/patient/{two}"]["id"]
    else:
        # Two persons stand on it by a person's word: whose number it is to show, nobody can say.
        assert numbers == {f"ident/patient/{one}": "A-1"}
        assert deal["contact_ids"] == [survivor["id"]]


async def test_an_answer_whose_card_is_deleted_is_asked_about_again(crm: CrmWorld) -> None:
    """Of three contacts that fit a person chose one, and a colleague deletes it before the answer is carried out."""
    for _ in range(3):
        fields = {crm.crm.surname: "Иванов", crm.crm.first_name: "Пётр", "PHONE": ["+79001112233"]}
        await crm.staff("create", entity="contact", fields=fields)
    await patient(crm, MobilePhone="8 900 111-22-33")
    await opened(crm)
    (item,) = questions(crm)
    chosen = item.wish.candidates[1].target_id
    await crm.staff("delete", entity="contact", id=int(chosen))
    await answer(crm, item, "link", chosen)
    (again,) = questions(crm)
    assert again.id == item.id
    assert chosen not in {each.target_id for each in again.wish.candidates}
    assert again.choice == ""
    left = again.wish.candidates[0].target_id
    await answer(crm, again, "link", left)
    assert (await crm.only())["contact_ids"] == [int(left)]


async def test_a_card_deleted_after_an_answer_was_carried_out_is_a_new_question(crm: CrmWorld) -> None:
    one, booked = await patient(crm)
    await opened(crm)
    for _ in range(2):
        card = await crm.only()
        await crm.staff("delete", id=card["id"])
        crm.clinic.set(
            visit(booked),
            PlanStart=crm.clinic.local(crm.clock.now() + timedelta(days=9)),
            DateTimeChanged=crm.clinic.local(),
        )
        await crm.settle()
        assert await crm.cards() == {}
        (item,) = questions(crm)
        assert item.wish.rule == "deleted_visit"
        await answer(crm, item, "new")
        assert (await crm.only())["id"] != card["id"]
        assert questions(crm) == []
    assert one
