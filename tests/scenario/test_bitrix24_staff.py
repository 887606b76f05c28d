"""What staff merge and delete in the portal: a card that is gone is looked for by its key, then as what it was merged into,
and never made again without asking.
"""

from datetime import timedelta
from typing import Any

import pytest

from kreslo.records import RecordKind, RecordRef
from tests.scenario.world import World, visit

KEY = "UF_CRM_KRESLO_KEY"
PHONE = "8 900 111-22-33"


async def contacts(world: World) -> list[dict[str, Any]]:
    return list((await world.state())["contacts"])


async def ours(world: World, **person: Any) -> tuple[str, str, dict[str, Any]]:
    """A patient with a visit in four days, told; the patient, the visit and the contact."""
    patient = world.clinic.add_patient(**{"MobilePhone": PHONE, **person})
    booked = world.clinic.add_appointment(patient, starts_at=world.clock.now() + timedelta(days=4))
    await world.start()
    await world.settle()
    (contact,) = await contacts(world)
    return patient, booked, contact


def patient_ref(patient: str) -> RecordRef:
    return RecordRef(RecordKind.PATIENT, patient)


def rules(world: World) -> list[str]:
    assert world.run
    return [item.wish.rule for item in world.run.journal.reviews()]


@pytest.mark.parametrize("touched", ["patient", "visit", "nothing"])
async def test_a_contact_merged_into_a_hand_made_one_is_found_there_and_written_there(
    world: World, touched: str
) -> None:
    patient, booked, contact = await ours(world)
    fields = {"LAST_NAME": "Иванов", "PHONE": ["+79001112233"]}
    await world.staff("create", entity="contact", fields=fields)
    (survivor,) = [row for row in await contacts(world) if row["id"] != contact["id"]]
    await world.staff("merge", entity="contact", id=contact["id"], into=survivor["id"])
    if touched == "patient":
        world.clinic.set(patient_ref(patient), CardNumber="A-17")
    elif touched == "visit":
        world.clinic.set(visit(booked), ReceptionCanceled=world.clinic.local())
    await world.settle()
    (left,) = await contacts(world)
    assert (left["id"], left["fields"][KEY]) == (survivor["id"], contact["fields"][KEY])
    assert (await world.deal())["contact_ids"] == [survivor["id"]]
    if touched == "patient":
        assert left["named"]["Номер медкарты"] == "A-17"
    assert rules(world) == []


async def test_two_of_our_contacts_merged_by_staff_are_a_question_and_none_is_made(world: World) -> None:
    mother, _, contact = await ours(world)
    son = world.clinic.add_patient(MobilePhone=PHONE, Name="Пётр", Surname="Иванов", CardNumber="B-1")
    world.clinic.add_appointment(son, starts_at=world.clock.now() + timedelta(days=5))
    await world.settle()
    both = await contacts(world)
    assert len(both) == 2
    (other,) = [row for row in both if row["id"] != contact["id"]]
    await world.staff("merge", entity="contact", id=contact["id"], into=other["id"])
    world.clinic.set(patient_ref(mother), CardNumber="A-18")
    await world.settle()
    assert [row["id"] for row in await contacts(world)] == [other["id"]]
    assert rules(world) != []


async def test_a_contact_that_was_deleted_is_looked_for_and_asked_about(world: World) -> None:
    patient, _, contact = await ours(world)
    await world.staff("delete", entity="contact", id=contact["id"])
    before = await world.requests()
    world.clinic.set(patient_ref(patient), CardNumber="A-19")
    await world.settle()
    after = await world.requests()
    assert await contacts(world) == []
    assert rules(world) == ["deleted_contact"]
    assert after["crm.contact.list"] > before["crm.contact.list"]
    assert after["crm.duplicate.findbycomm"] > before.get("crm.duplicate.findbycomm", 0)


async def test_a_deal_merged_into_a_hand_made_one_is_gone_on_with_there(world: World) -> None:
    _, booked, _ = await ours(world)
    deal = await world.deal()
    await world.staff("create", entity="deal", stage="Записан на приём", fields={"TITLE": "Ручная"})
    (other,) = [row for row in await world.deals() if row["id"] != deal["id"]]
    await world.staff("merge", entity="deal", id=deal["id"], into=other["id"])
    world.clinic.set(visit(booked), ReceptionCanceled=world.clinic.local())
    await world.settle()
    (left,) = await world.deals()
    assert (left["id"], left["stage"]) == (other["id"], "Визит отменён")
    assert left["fields"][KEY] == deal["fields"][KEY]


async def test_a_deal_deleted_while_its_write_was_on_the_way_is_asked_about(world: World) -> None:
    _, booked, _ = await ours(world)
    deal = await world.deal()
    world.clinic.set(visit(booked), ReceptionCanceled=world.clinic.local())
    await world.fault(kind="502html", match="crm.deal.update")
    await world.pass_time(6)
    await world.turn(2)
    await world.staff("delete", id=deal["id"])
    await world.settle()
    assert await world.deals() == []
    assert rules(world) == ["deleted_visit"]
