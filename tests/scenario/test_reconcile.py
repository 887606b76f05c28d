"""MIS, journal and CRM compared whole: what differs is counted by kind, and what is ours is mended, as far as it may go."""

from datetime import timedelta

import pytest

from kreslo.connectors.errors import ConfigurationError, ErrorKind, PermissionDeniedError
from kreslo.connectors.model import Change, CreateCard, Entity
from kreslo.sync.comparing import Comparison
from kreslo.sync.drift import Compared, DriftKind
from tests.scenario.crms import CrmWorld
from tests.scenario.world import visit


async def booked(crm: CrmWorld, count: int = 1) -> list[str]:
    """Visits of so many patients, told to the CRM; their ids."""
    ids = [
        crm.clinic.add_appointment(
            crm.clinic.add_patient(CardNumber=f"A-{number}"),
            starts_at=crm.clock.now() + timedelta(days=3 + number),
        )
        for number in range(count)
    ]
    await crm.start()
    await crm.settle()
    return ids


async def compare(crm: CrmWorld, *, heal: bool = False, sure: bool = False) -> Compared:
    assert crm.run
    compared = await crm.run.compare_now(heal=heal, sure=sure)
    await crm.settle()
    return compared


def differs(compared: Compared) -> dict[str, list[tuple[str, ...]]]:
    """What differs, by kind."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for drift in compared.drift:
        found.setdefault(drift.kind.value, []).append(drift.what)
    assert {kind: len(cards) for kind, cards in found.items()} == {
        kind: count for kind, count in compared.counts.items() if count
    }
    return found


def key(visit_id: str) -> str:
    return f"ident/appointment/{visit_id}"


async def test_where_all_agrees_nothing_differs(crm: CrmWorld) -> None:
    await booked(crm, 3)
    compared = await compare(crm, heal=True)
    assert (compared.cards, compared.waiting, compared.moves, compared.healed) == (6, 0, 0, 0)
    assert compared.counts == dict.fromkeys(map(str, DriftKind), 0)
    assert {each.kind.value: each.known for each in compared.mis if each.known} == {
        "patient": 3,
        "appointment": 3,
    }
    assert not any(each.found or each.gone for each in compared.mis)
    assert crm.run
    drift = crm.run.status().drift
    assert drift
    assert (drift.cards, drift.by_kind) == (6, compared.counts)


async def test_each_kind_of_difference_is_counted_and_what_is_ours_is_mended(crm: CrmWorld) -> None:
    """An edit of ours is written again; what staff own, and a stage that they chose, stay."""
    one, two, three = await booked(crm, 3)
    deals = await crm.cards()
    await crm.edit(deals[key(one)], Врач="Другой")
    await crm.edit(deals[key(two)], Кабинет="Кабинет 9")
    await crm.staff("move", id=deals[key(two)]["id"], stage="Визит подтверждён")
    await crm.staff("delete", id=deals[key(three)]["id"])
    assert crm.run
    foreign = CreateCard(entity=Entity.DEAL, key=key("777"), stage=await crm.stage("Визит отменён"))
    await crm.run.target.apply([Change("other", foreign)])
    await crm.silently()

    found = differs(await compare(crm))
    assert {kind: len(cards) for kind, cards in found.items()} == dict.fromkeys(
        ("field", "human-owned", "missing", "extra"), 1
    )
    assert "stage" in found["human-owned"][0]
    assert len(found["human-owned"][0]) == 2  # and the room
    assert (await crm.cards())[key(one)]["named"]["Врач"] == "Другой"  # only looked at so far

    compared = await compare(crm, heal=True)
    assert compared.healed == 2
    deals = await crm.cards()
    assert deals[key(one)]["named"]["Врач"] == "Сидорова Анна Петровна"
    assert deals[key(two)]["named"]["Кабинет"] == "Кабинет 9"
    assert deals[key(two)]["stage"] == "Визит подтверждён"
    assert key(three) not in deals  # never silently made again: a person is asked
    assert crm.run
    assert [item.wish.rule for item in crm.run.journal.reviews()] == ["deleted_visit"]
    assert differs(await compare(crm)).keys() == {"extra", "human-owned"}


async def test_a_second_card_with_one_key_is_named_and_left_alone(crm: CrmWorld) -> None:
    """No CRM forbids it: staff copy a card with all its fields, or a request is carried out later than the CRM allows."""
    (one,) = await booked(crm)
    ours = (await crm.only())["id"]
    assert crm.run
    copy = CreateCard(entity=Entity.DEAL, key=key(one), stage=await crm.stage("Записан на приём"))
    await crm.run.target.apply([Change("copy", copy)])
    await crm.silently()
    compared = await compare(crm, heal=True)
    (second,) = [each["id"] for each in (await crm.state())["deals"] if each["id"] != ours]
    assert [(each.kind, each.card, each.target_id, each.what) for each in compared.drift] == [
        (DriftKind.EXTRA, key(one), str(second), ("double",))
    ]
    assert compared.healed == 0

    crm.clinic.set(visit(one), ReceptionCanceled=crm.clinic.local())
    await crm.settle()
    stages = {each["id"]: each["stage"] for each in (await crm.state())["deals"]}
    assert stages == {ours: "Визит отменён", second: "Записан на приём"}


async def test_mending_never_enters_a_message_stage_a_second_time(crm: CrmWorld) -> None:
    """Its message went out when the visit was booked; staff took the card away from there."""
    await booked(crm)
    deal = await crm.only()
    said = len((await crm.state())["messages"])
    await crm.staff("move", id=deal["id"], stage="Визит подтверждён")
    await crm.edit(deal, Врач="Другой")
    await crm.silently()
    compared = await compare(crm, heal=True)
    assert compared.healed == 1
    deal = await crm.only()
    assert (deal["stage"], deal["named"]["Врач"]) == ("Визит подтверждён", "Сидорова Анна Петровна")
    assert len((await crm.state())["messages"]) == said


async def test_more_than_the_mapping_allows_is_not_mended_before_a_person_says_so(crm: CrmWorld) -> None:
    text = crm.mapping.read_text(encoding="utf-8")
    crm.mapping.write_text(
        text.replace("reconcile: {percent: 100}", "reconcile: {cards: 2}"), encoding="utf-8"
    )
    await booked(crm, 3)
    for deal in (await crm.cards()).values():
        await crm.edit(deal, Врач="Другой")
    await crm.silently()
    compared = await compare(crm, heal=True)
    assert (compared.moves, compared.healed) == (3, 0)
    assert "--heal --yes" in compared.stopped
    assert {deal["named"]["Врач"] for deal in (await crm.cards()).values()} == {"Другой"}
    assert crm.run
    status = crm.run.status()
    assert status.drift
    assert status.drift.stopped == compared.stopped
    assert status.last_error
    assert (status.last_error.where, status.last_error.kind) == ("comparison", ErrorKind.DATA)

    assert (await compare(crm, heal=True, sure=True)).healed == 3
    assert {deal["named"]["Врач"] for deal in (await crm.cards()).values()} == {"Сидорова Анна Петровна"}
    await compare(crm)
    status = crm.run.status()
    assert status.last_error
    assert status.last_error.over


async def test_by_night_the_comparison_goes_in_pieces_and_mends_by_itself(crm: CrmWorld) -> None:
    await booked(crm, 2)
    for deal in (await crm.cards()).values():
        await crm.edit(deal, Врач="Другой")
    await crm.silently()
    await crm.pass_time(15 * 3600)  # 03:00 of the clinic's night is behind us
    await crm.settle()
    assert {deal["named"]["Врач"] for deal in (await crm.cards()).values()} == {"Сидорова Анна Петровна"}
    assert crm.run
    drift = crm.run.status().drift
    assert drift
    assert drift.by_kind["field"] == drift.healed == 2

    # What it found is known after a restart too.
    await crm.stop()
    await crm.start()
    await crm.settle()
    assert crm.run
    assert crm.run.status().drift == drift


async def test_what_is_to_be_told_anyway_is_no_difference(crm: CrmWorld) -> None:
    (one,) = await booked(crm)
    crm.clinic.set(visit(one), ReceptionCanceled=crm.clinic.local())
    await crm.pass_time(6)
    assert crm.run
    await crm.run._reader.read()
    compared = await crm.run.compare_now(heal=False, sure=False)
    assert (compared.waiting, compared.moves) == (1, 0)


async def test_before_the_first_read_there_is_nothing_to_compare(crm: CrmWorld) -> None:
    await crm.start()
    assert crm.run
    with pytest.raises(ConfigurationError, match="МИС"):
        await crm.run.compare_now(heal=True, sure=True)


async def test_a_crm_without_our_key_field_ends_the_comparison_and_not_the_bridge(crm: CrmWorld) -> None:
    (one,) = await booked(crm)
    assert crm.run

    async def refused(*_: object) -> dict[str, str]:
        raise ConfigurationError("нет поля ключа")

    crm.run.target.keys = refused  # type: ignore[method-assign]
    await crm.pass_time(15 * 3600)
    crm.clinic.set(visit(one), ReceptionCanceled=crm.clinic.local())
    await crm.settle()
    assert (await crm.only())["stage"] == "Визит отменён"
    error = crm.run.status().last_error
    assert error
    assert (error.message, error.where) == ("нет поля ключа", "comparison")


async def test_what_the_comparison_meets_is_not_over_because_a_pause_before_it_is(
    crm: CrmWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The turn in which the clinic answers again is the one that is refused (simulated seed 498).
    await booked(crm)
    assert crm.run

    async def refused(_: Comparison) -> None:
        raise PermissionDeniedError("вход отозван")

    monkeypatch.setattr(Comparison, "step", refused)
    hidden = crm.clinic.path.rename(crm.folder / "hidden.db")
    await crm.pass_time(15 * 3600)
    await crm.turn()
    assert crm.run.status().paused
    hidden.rename(crm.clinic.path)
    await crm.pass_time(120)
    await crm.turn()
    assert not crm.run.status().paused
    error = crm.run.status().last_error
    assert error
    assert (error.message, error.over) == ("вход отозван", False)
