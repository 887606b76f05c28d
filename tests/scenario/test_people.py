"""What Kreslo cannot decide: a person is asked, answers through the service, and the card follows the answer."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest

from kreslo.connectors.errors import ErrorKind
from kreslo.connectors.model import Change, Entity, Outcome, OutcomeKind
from kreslo.service.app import create_app
from tests.scenario.world import World, visit

PHONE = "8 900 111-22-33"


@asynccontextmanager
async def service(world: World) -> AsyncIterator[httpx.AsyncClient]:
    assert world.run
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app([world.run])),
        base_url="http://127.0.0.1:8470/api/clinic",
        headers={"X-Kreslo-Request": "1"},
    ) as client:
        yield client


async def reviews(world: World, *, answered: bool = False) -> list[dict[str, Any]]:
    async with service(world) as client:
        answer = await client.get("/reviews", params={"answered": answered})
        return list(answer.json()["reviews"])


async def answer(world: World, review: dict[str, Any], choice: str, target_id: str = "") -> None:
    async with service(world) as client:
        body = {"choice": choice, "target_id": target_id, "by": "Ольга"}
        said = await client.post(f"/reviews/{review['id']}", json=body)
        assert said.status_code == 200, said.text
    await world.settle()


async def ambiguous(world: World) -> dict[str, Any]:
    """A visit of a patient whom two contacts of the CRM fit; the question it raises."""
    for _ in range(2):
        await world.staff(
            "create",
            entity="contact",
            fields={"LAST_NAME": "Иванов", "NAME": "Пётр", "PHONE": ["+79001112233"]},
        )
    patient = world.clinic.add_patient(MobilePhone=PHONE)
    world.clinic.add_appointment(patient, starts_at=world.clock.now() + timedelta(days=3))
    await world.start()
    await world.settle()
    assert (await world.deal())["contact_ids"] == []
    (review,) = await reviews(world)
    return review


async def test_the_question_names_the_candidates_and_link_hangs_the_chosen_contact_on_the_card(
    world: World,
) -> None:
    review = await ambiguous(world)
    assert review["rule"] == "several"
    assert {each["name"] for each in review["candidates"]} == {"Иванов Пётр"}
    assert all("+79001112233" in each["evidence"] for each in review["candidates"])
    chosen = review["candidates"][1]["target_id"]
    await answer(world, review, "link", chosen)
    assert [str(each) for each in (await world.deal())["contact_ids"]] == [chosen]
    assert len((await world.state())["contacts"]) == 2
    assert await reviews(world) == []


async def test_new_makes_a_third_contact(world: World) -> None:
    review = await ambiguous(world)
    await answer(world, review, "new")
    contacts = {row["id"] for row in (await world.state())["contacts"]}
    (hung,) = (await world.deal())["contact_ids"]
    assert len(contacts) == 3
    assert str(hung) not in {each["target_id"] for each in review["candidates"]}


async def test_never_leaves_the_card_without_a_contact_and_is_remembered_after_a_restart(
    world: World,
) -> None:
    review = await ambiguous(world)
    await answer(world, review, "never")
    await world.stop()
    await world.start()
    await world.settle()
    assert (await world.deal())["contact_ids"] == []
    assert len((await world.state())["contacts"]) == 2
    assert await reviews(world) == []
    (kept,) = await reviews(world, answered=True)
    assert (kept["id"], kept["choice"]) == (review["id"], "never")

    # And it can be taken back.
    chosen = review["candidates"][0]["target_id"]
    await answer(world, review, "link", chosen)
    assert [str(each) for each in (await world.deal())["contact_ids"]] == [chosen]


async def test_a_link_may_be_changed_to_the_other_candidate(world: World) -> None:
    review = await ambiguous(world)
    first, second = (each["target_id"] for each in review["candidates"])
    await answer(world, review, "link", first)
    await answer(world, review, "link", second)
    assert [str(each) for each in (await world.deal())["contact_ids"]] == [second]
    assert len((await world.state())["contacts"]) == 2
    await answer(world, review, "new")
    (made,) = (await world.deal())["contact_ids"]
    assert str(made) not in {first, second}


async def test_a_card_that_is_no_candidate_is_refused_and_the_question_stays(world: World) -> None:
    review = await ambiguous(world)
    async with service(world) as client:
        body = {"choice": "link", "target_id": "987654", "by": "Ольга"}
        said = await client.post(f"/reviews/{review['id']}", json=body)
    assert said.status_code == 404
    assert "987654" in said.json()["detail"]["message"]
    assert [each["id"] for each in await reviews(world)] == [review["id"]]


async def test_a_parked_write_that_is_released_is_decided_anew_and_not_replayed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The CRM refuses the card; meanwhile the visit moves, and staff say: try again."""
    patient = world.clinic.add_patient()
    start = world.clock.now() + timedelta(days=3)
    booked = world.clinic.add_appointment(patient, starts_at=start)
    await world.start()
    assert world.run
    target = world.run.target
    apply = target.apply

    async def refuse_deals(changes: Sequence[Change]) -> list[Outcome]:
        deals = [each for each in changes if each.action.entity is Entity.DEAL]
        said = {
            each.intent: Outcome(
                intent=each.intent, kind=OutcomeKind.PERMANENT, error=ErrorKind.DATA, message="no such field"
            )
            for each in deals
        }
        others = [each for each in changes if each.intent not in said]
        said |= {each.intent: each for each in (await apply(others) if others else [])}
        return [said[each.intent] for each in changes]

    monkeypatch.setattr(target, "apply", refuse_deals)
    await world.settle()
    monkeypatch.undo()
    assert await world.deals() == []
    async with service(world) as client:
        (parked,) = (await client.get("/parked")).json()["parked"]
        assert parked["reason"] == "no such field"
        later = start + timedelta(days=2)
        world.clinic.set(
            visit(booked), PlanStart=world.clinic.local(later), DateTimeChanged=world.clinic.local()
        )
        assert (await client.post(f"/parked/{parked['id']}/release")).status_code == 200
        await world.settle()
        assert (await client.get("/parked")).json()["parked"] == []
        assert (await client.post(f"/parked/{parked['id']}/release")).status_code == 404
    deal = await world.deal()
    assert f"{later.astimezone(world.run.bridge.zone):%d.%m}" in deal["title"]


async def test_a_comparison_on_demand_finds_what_the_mis_deleted(world: World) -> None:
    patient = world.clinic.add_patient()
    booked = world.clinic.add_appointment(patient, starts_at=world.clock.now() + timedelta(days=3))
    world.clinic.add_appointment(patient, starts_at=world.clock.now() + timedelta(days=9))
    await world.start()
    await world.settle()
    world.clinic.run("DELETE FROM Receptions WHERE ID = ?", [int(booked)])
    async with service(world) as client:
        results = (await client.post("/reconcile")).json()["mis"]
    assert {each["kind"]: each["gone"] for each in results} == {
        "patient": 0,
        "appointment": 1,
        "enquiry": 0,
        "entry": 0,
    }
    await world.settle()
    stages = {deal["fields"]["UF_CRM_KRESLO_KEY"]: deal["stage"] for deal in await world.deals()}
    assert stages[f"ident/appointment/{booked}"] == "Визит отменён"
    assert sorted(stages.values()) == ["Визит отменён", "Записан на приём"]


async def test_a_case_is_found_by_its_phone_and_says_which_rules_fired(world: World) -> None:
    await ambiguous(world)
    async with service(world) as client:
        for sought in ({"phone": PHONE}, {"last4": "2233"}, {"name": "иванов пётр"}):
            (key,) = (await client.get("/cases", params=sought)).json()["cases"]
        told = await client.get(f"/cases/{key}")
    assert "several" in told.text
    assert not any(secret in told.text for secret in ("9001112233", "Иванов"))
