"""iDent → Bitrix24: what a clinic does, and where the card stands then."""

from datetime import timedelta

from tests.scenario.world import World, visit


async def test_a_booking_becomes_a_card_with_its_patient(world: World) -> None:
    patient = world.clinic.add_patient(CardNumber="A-17")
    booked = world.clinic.add_appointment(patient, starts_at=world.clock.now() + timedelta(days=3))
    await world.start()
    await world.settle()
    deal = await world.deal()
    assert (deal["stage"], deal["funnel"]) == ("Записан на приём", "Приёмы")
    assert deal["fields"]["UF_CRM_KRESLO_KEY"] == f"ident/appointment/{booked}"
    state = await world.state()
    (contact,) = state["contacts"]
    assert deal["contact_ids"] == [contact["id"]]
    assert (contact["fields"]["LAST_NAME"], contact["named"]["Номер медкарты"]) == ("Иванов", "A-17")


async def test_a_moved_booking_keeps_its_card_and_gets_a_note(world: World) -> None:
    """Algorithm 4, both ways in which a MIS moves: another time on the row, and a row of its own that names the old."""
    patient = world.clinic.add_patient()
    start = world.clock.now() + timedelta(days=5)
    booked = world.clinic.add_appointment(patient, starts_at=start)
    await world.start()
    await world.settle()
    first = await world.deal()

    later = start + timedelta(days=1)
    world.clinic.set(visit(booked), PlanStart=world.clinic.local(later), DateTimeChanged=world.clinic.local())
    await world.settle()
    moved = await world.deal()
    assert (moved["id"], moved["stage"]) == (first["id"], "Записан на приём")
    assert moved["title"] != first["title"]

    world.clinic.set(
        visit(booked), ReceptionCanceled=world.clinic.local(), DateTimeChanged=world.clinic.local()
    )
    world.clinic.add_appointment(
        patient, starts_at=later + timedelta(days=2), ID_ReceptionsTransferFrom=int(booked)
    )
    await world.settle()
    again = await world.deal()
    assert (again["id"], again["stage"]) == (first["id"], "Записан на приём")
    notes = [row["comment"] for row in (await world.state())["comments"]]
    assert sum("перенесён" in note for note in notes) == 2, notes


async def test_finishing_and_cancelling_move_the_same_card(world: World) -> None:
    patient = world.clinic.add_patient()
    done = world.clinic.add_appointment(patient, starts_at=world.clock.now() + timedelta(hours=3))
    off = world.clinic.add_appointment(patient, starts_at=world.clock.now() + timedelta(days=9))
    await world.start()
    await world.settle()
    before = {deal["fields"]["UF_CRM_KRESLO_KEY"]: deal["id"] for deal in await world.deals()}

    now = world.clinic.local()
    world.clinic.set(
        visit(done), PatientAppeared=now, ReceptionStarted=now, ReceptionEnded=now, CheckIssued=now
    )
    world.clinic.set(visit(off), ReceptionCanceled=now)
    await world.settle()
    after = {deal["fields"]["UF_CRM_KRESLO_KEY"]: deal for deal in await world.deals()}
    assert {key: deal["id"] for key, deal in after.items()} == before
    assert after[f"ident/appointment/{done}"]["stage"] == "Визит состоялся"
    assert after[f"ident/appointment/{off}"]["stage"] == "Визит отменён"


async def test_the_clock_alone_moves_the_card_and_then_nobody_came(world: World) -> None:
    patient = world.clinic.add_patient()
    world.clinic.add_appointment(patient, starts_at=world.clock.now() + timedelta(days=1))
    await world.start()
    await world.settle()
    assert (await world.deal())["stage"] == "Записан на приём"
    await world.pass_time(3 * 3600)  # 15:00 of the day before
    await world.settle()
    assert (await world.deal())["stage"] == "Визит завтра"
    await world.pass_time(24 * 3600)
    await world.settle()
    assert (await world.deal())["stage"] == "Не пришёл"


async def test_a_lead_is_linked_and_converted_and_its_source_copied(world: World) -> None:
    phone = "8 900 111-22-33"
    await world.lead(phone, source="CALL", utm_source="yandex")
    await world.pass_time(3600)
    patient = world.clinic.add_patient(MobilePhone=phone)
    world.clinic.add_appointment(patient)
    await world.start()
    await world.settle()
    deal = await world.deal()
    (lead,) = (await world.state())["leads"]
    assert str(deal["lead_id"]) == str(lead["id"])
    assert lead["semantic"] == "S"
    assert deal["fields"]["UTM_SOURCE"] == "yandex"


async def test_of_two_patients_on_one_phone_the_earlier_booking_has_the_lead(world: World) -> None:
    """DESIGN 6: two cases want one lead: the visit entered first in the MIS has it."""
    phone = "8 900 111-22-33"
    await world.lead(phone)
    await world.pass_time(60)
    first = world.clinic.add_patient(MobilePhone=phone, Surname="Первова", Name="Анна")
    second = world.clinic.add_patient(MobilePhone=phone, Surname="Второва", Name="Ольга")
    early = world.clinic.add_appointment(first)
    await world.pass_time(60)
    world.clinic.add_appointment(second)
    await world.start()
    await world.settle()
    linked = {deal["fields"]["UF_CRM_KRESLO_KEY"]: deal.get("lead_id") for deal in await world.deals()}
    assert [key for key, lead in linked.items() if lead] == [f"ident/appointment/{early}"]
    assert len((await world.state())["contacts"]) == 2


async def test_a_lead_that_comes_after_the_visit_is_taken_as_its_source(world: World) -> None:
    phone = "8 900 111-22-33"
    patient = world.clinic.add_patient(MobilePhone=phone)
    world.clinic.add_appointment(patient, starts_at=world.clock.now() + timedelta(days=4))
    await world.start()
    await world.settle()
    await world.pass_time(1800)
    await world.lead(phone, utm_source="vk")
    await world.settle()
    (lead,) = (await world.state())["leads"]
    assert lead["semantic"] == "S", lead["stage"]
    assert (await world.deal())["fields"]["UTM_SOURCE"] == "vk"


async def test_any_later_lead_of_a_patient_with_a_visit_ahead_is_already_booked(world: World) -> None:
    phone = "8 900 111-22-33"
    patient = world.clinic.add_patient(MobilePhone=phone)
    world.clinic.add_appointment(patient, starts_at=world.clock.now() + timedelta(days=4))
    await world.start()
    await world.settle()
    await world.pass_time(5 * 3600)
    await world.lead(phone, stage="Новый")
    await world.settle()
    (lead,) = (await world.state())["leads"]
    assert lead["stage"] == "Пациент уже записан"


async def test_an_enquiry_has_one_card_and_the_visit_claims_it(world: World) -> None:
    """Algorithm 5: two enquiries of one phone are one card; when the visit comes, it is claimed."""
    for minute in (1, 2):
        world.clinic.add(
            "KresloDemoEnquiries",
            DateTimeAdded=world.clinic.local(world.clock.now() - timedelta(minutes=minute)),
            Phone="+7 900 111-22-33",
            Name="Мария",
            Result="думает",
            Source="звонок",
        )
    await world.start()
    await world.settle()
    (lead,) = (await world.state())["leads"]
    assert lead["stage"] == "Новый"
    patient = world.clinic.add_patient(MobilePhone="8 900 111 22 33")
    world.clinic.add_appointment(patient)
    await world.settle()
    (lead,) = (await world.state())["leads"]
    deal = await world.deal()
    assert (lead["semantic"], str(deal["lead_id"])) == ("S", str(lead["id"]))


async def test_an_appointment_that_moves_to_another_patient_takes_its_card_along(world: World) -> None:
    wrong = world.clinic.add_patient(Surname="Ошибкина", Name="Анна")
    right = world.clinic.add_patient(Surname="Верная", Name="Ольга")
    booked = world.clinic.add_appointment(wrong)
    await world.start()
    await world.settle()
    before = await world.deal()
    world.clinic.set(visit(booked), ID_Patients=int(right), DateTimeChanged=world.clinic.local())
    await world.settle()
    after = await world.deal()
    names = {row["id"]: row["fields"]["LAST_NAME"] for row in (await world.state())["contacts"]}
    assert after["id"] == before["id"]
    assert names[after["contact_ids"][0]] == "Верная"


async def test_what_staff_did_since_stays_until_the_mis_moves_on(world: World) -> None:
    patient = world.clinic.add_patient()
    booked = world.clinic.add_appointment(patient, starts_at=world.clock.now() + timedelta(days=1))
    await world.start()
    await world.settle()
    deal = await world.deal()
    await world.staff("create", fields={"TITLE": "Чужая"}, funnel="Приёмы", stage="Записан на приём")
    await world.staff("move", id=deal["id"], stage="Подтвердил по смс")
    await world.pass_time(3 * 3600)
    await world.settle()
    stages = {row["title"]: row["stage"] for row in await world.deals()}
    assert stages[deal["title"]] == "Подтвердил по смс"  # the clock does not move a protected card
    now = world.clinic.local()
    world.clinic.set(visit(booked), ReceptionCanceled=now)
    await world.settle()
    stages = {row["title"]: row["stage"] for row in await world.deals()}
    assert stages == {deal["title"]: "Визит отменён", "Чужая": "Записан на приём"}


async def test_a_deleted_card_is_asked_about_never_silently_made_again(world: World) -> None:
    patient = world.clinic.add_patient()
    booked = world.clinic.add_appointment(patient, starts_at=world.clock.now() + timedelta(days=4))
    await world.start()
    await world.settle()
    await world.staff("delete", id=(await world.deal())["id"])
    world.clinic.set(visit(booked), ReceptionCanceled=world.clinic.local())
    await world.settle()
    assert await world.deals() == []
    assert world.run
    assert [item.wish.rule for item in world.run.journal.reviews()] == ["deleted_visit"]


async def test_a_second_read_of_the_same_clinic_writes_nothing(world: World) -> None:
    patient = world.clinic.add_patient()
    world.clinic.add_appointment(patient)
    await world.start()
    await world.settle()
    writes = {name: count for name, count in (await world.requests()).items() if _writes(name)}
    for _ in range(5):
        await world.settle()
    assert {name: count for name, count in (await world.requests()).items() if _writes(name)} == writes


def _writes(method: str) -> bool:
    return method.endswith((".add", ".update", ".import", ".set"))


async def test_what_the_mis_deletes_without_a_trace_is_found_at_night_and_cancelled(world: World) -> None:
    patient = world.clinic.add_patient()
    kept = world.clinic.add_appointment(patient, starts_at=world.clock.now() + timedelta(days=6))
    gone = world.clinic.add_appointment(patient, starts_at=world.clock.now() + timedelta(days=7))
    await world.start()
    await world.settle()
    world.clinic.remove(visit(gone))
    await world.settle()
    await world.pass_time(15 * 3600)  # 03:00 of the clinic's night is behind us
    await world.settle()
    stages = {deal["fields"]["UF_CRM_KRESLO_KEY"]: deal["stage"] for deal in await world.deals()}
    assert stages == {
        f"ident/appointment/{kept}": "Записан на приём",
        f"ident/appointment/{gone}": "Визит отменён",
    }
    assert world.run
    assert world.run.status().vanished == 1
