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
    _, booked = await patient(crm)
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


async def test_the_third_identical_rewrite_parks_the_field_alone_until_it_is_released(crm: CrmWorld) -> None:
    """Somebody else writes it. Others of the card go on; a person sees which field it is, and lets it go on."""
    _, booked = await patient(crm)
    await opened(crm)
    assert crm.run
    ours = (await crm.only())["named"]["Врач"]
    for healed in (ours, ours, "Робот"):
        await crm.edit(await crm.only(), Врач="Робот")
        await crm.settle()
        assert (await crm.only())["named"]["Врач"] == healed
    (item,) = crm.run.journal.parked()
    assert item.about == f"ident/appointment/{booked}"
    assert "«Врач»" in item.reason
    later = crm.clock.now() + timedelta(days=9)
    crm.clinic.set(visit(booked), PlanStart=crm.clinic.local(later), DateTimeChanged=crm.clinic.local())
    await crm.settle()
    card = await crm.only()
    assert f"{later.astimezone(crm.run.bridge.zone):%d.%m}" in card["title"]
    assert card["named"]["Врач"] == "Робот"

    await crm.run.release(item.id)
    await crm.settle()
    assert (await crm.only())["named"]["Врач"] == ours
    assert crm.run.journal.parked() == []


async def test_a_parked_field_that_holds_our_value_again_is_parked_no_longer(crm: CrmWorld) -> None:
    await patient(crm)
    await opened(crm)
    assert crm.run
    ours = (await crm.only())["named"]["Врач"]
    for text in ("Робот", "Робот", "Робот", ours):
        assert crm.run.journal.parked() == []
        await crm.edit(await crm.only(), Врач=text)
        await crm.settle()
        if text == "Робот" and (await crm.only())["named"]["Врач"] == text:
            assert len(crm.run.journal.parked()) == 1
            break
    await crm.edit(await crm.only(), Врач=ours)
    await crm.settle()
    assert crm.run.journal.parked() == []


async def test_a_card_moved_out_of_our_funnels_gets_its_fields_and_keeps_its_stage(crm: CrmWorld) -> None:
    _, booked = await patient(crm)
    await opened(crm)
    assert crm.run
    other = next(
        f for f in (await crm.run.target.catalog()).funnels if f.entity is Entity.DEAL and f.name != "Приёмы"
    )
    stage = next(each.name for each in other.stages if each.semantic == "open")
    card = await crm.only()
    await crm.staff("move", id=card["id"], funnel=other.name, stage=stage)
    crm.clinic.set(
        visit(booked),
        PlanStart=crm.clinic.local(crm.clock.now() + timedelta(days=8)),
        DateTimeChanged=crm.clinic.local(),
    )
    await crm.settle()
    moved = await crm.only()
    assert moved["title"] != card["title"]
    crm.clinic.set(visit(booked), ReceptionCanceled=crm.clinic.local())
    await crm.settle()
    moved = await crm.only()
    assert (moved["funnel"], moved["stage"]) == (other.name, stage)


async def test_people_whom_staff_put_on_a_card_stay_there(crm: CrmWorld) -> None:
    """Re-linked: the card keeps whom staff chose, until the MIS says that the patient is another."""
    _, booked = await patient(crm)
    await opened(crm)
    await crm.staff("create", entity="contact", fields={crm.crm.surname: "Чужой"})
    (chosen,) = [card for key, card in (await crm.cards("contacts")).items() if "/" not in key]
    card = await crm.only()
    await crm.staff("edit", id=card["id"], contact_ids=[chosen["id"]])
    crm.clinic.set(
        visit(booked),
        PlanStart=crm.clinic.local(crm.clock.now() + timedelta(days=8)),
        DateTimeChanged=crm.clinic.local(),
    )
    await crm.settle()
    card = await crm.only()
    assert card["contact_ids"] == [chosen["id"]]


@pytest.mark.parametrize("name", CRMS)
@pytest.mark.parametrize(("on_deleted", "cards"), [("review", 0), ("recreate", 1), ("ignore", 0)])
async def test_a_deleted_card_goes_as_the_mapping_says(
    tmp_path: Path, name: str, on_deleted: str, cards: int
) -> None:
    async with crm_world(tmp_path, name, more=f"  on_deleted: {on_deleted}\n") as crm:
        _, booked = await patient(crm)
        await opened(crm)
        await crm.staff("delete", id=(await crm.only())["id"])
        crm.clinic.set(visit(booked), ReceptionCanceled=crm.clinic.local())
        await crm.settle()
        assert len(await crm.cards()) == cards
        assert [item.wish.rule for item in questions(crm)] == (
            ["deleted_visit"] if on_deleted == "review" else []
        )


async def test_with_the_journal_lost_nothing_is_made_twice_and_stages_go_forward_only(crm: CrmWorld) -> None:
    """A living CRM without our base: cards are found by their keys, empty fields are filled, the rest is shown as drift."""
    _, one = await patient(crm)
    _, two = await patient(crm, 5)
    await opened(crm)
    cards = await crm.cards()
    first, second = cards[f"ident/appointment/{one}"], cards[f"ident/appointment/{two}"]
    await crm.staff("move", id=first["id"], stage="Визит подтверждён")
    await crm.edit(first, **{"Врач": "Другой", "Дата и время приёма": ""})
    said = len((await crm.state())["messages"])
    await crm.stop()
    for left in crm.folder.glob("state.db*"):
        left.unlink()
    crm.clinic.set(visit(two), ReceptionCanceled=crm.clinic.local(), DateTimeChanged=crm.clinic.local())
    await opened(crm)
    assert len(await crm.cards("contacts")) == len(await crm.cards()) == 2
    cards = await crm.cards()
    kept, moved = cards[f"ident/appointment/{one}"], cards[f"ident/appointment/{two}"]
    assert (kept["id"], moved["id"]) == (first["id"], second["id"])
    assert kept["stage"] == "Визит подтверждён"
    assert kept["named"]["Врач"] == "Другой"
    assert kept["named"]["Дата и время приёма"] == first["named"]["Дата и время приёма"]
    assert len((await crm.state())["messages"]) == said
    assert crm.run
    told = crm.run.journal.explain("patient:2")
    assert told
    assert [line.partition(":")[0] for line in told.drift] == [f"ident/appointment/{one}"]

    # Nothing was known of the visit that was cancelled meanwhile: card and contact are found by their keys, and taken back.
    assert moved["stage"] == "Записан на приём"
    compared = await crm.run.compare_now(heal=True, sure=True)
    assert (compared.counts["field"], compared.counts["extra"], compared.moves) == (1, 2, 2)
    await crm.settle()
    assert (await crm.cards())[f"ident/appointment/{two}"]["stage"] == "Визит отменён"
    compared = await crm.run.compare_now(heal=True, sure=True)
    assert (compared.counts["field"], compared.counts["extra"], compared.moves) == (1, 0, 0)


@pytest.mark.parametrize("name", CRMS)
async def test_cards_typed_by_hand_are_adopted_by_contact_and_time(tmp_path: Path, name: str) -> None:
    more = '  adopt: {time_field: "Дата и время приёма"}\n'
    async with crm_world(tmp_path, name, more=more) as crm:
        at = crm.clock.now() + timedelta(days=4)
        fields = {crm.crm.surname: "Иванов", crm.crm.first_name: "Пётр", "PHONE": ["+79001112233"]}
        await crm.staff("create", entity="contact", fields=fields)
        person = await crm.only("contacts")
        when = at.isoformat() if name == "bitrix24" else int(at.timestamp())
        await crm.staff(
            "create",
            fields={"Дата и время приёма": when},
            funnel="Приёмы",
            stage="Записан на приём",
            contact_ids=[person["id"]],
        )
        typed = await crm.only()
        await patient(crm, MobilePhone="8 900 111-22-33")
        await opened(crm)
        card = await crm.only()
        assert card["id"] == typed["id"]
        assert card["fields"][crm.crm.key] == "ident/appointment/1"
        assert card["named"]["Врач"] == "Сидорова Анна Петровна"  # what is empty is filled
        assert card["title"] == typed["title"]  # the rest is shown as drift
