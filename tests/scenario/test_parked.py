"""What a CRM refuses is parked, and goes on by itself when its cause ends: a stage restored, a field made. It is decided
anew, never replayed.
"""

from collections.abc import Callable
from datetime import timedelta

from tests.scenario.crms import CrmWorld


def stage_taken_away(crm: CrmWorld, name: str) -> Callable[[], None]:
    """Deletes the stage in the CRM; gives what restores it, as it was."""
    state = crm.app.state
    if crm.crm.name == "amocrm":
        (pipeline,) = [each for each in state.account.pipelines.all.values() if each.named(name)]
        status = pipeline.named(name)
        del pipeline.statuses[status.id]
        return lambda: pipeline.statuses.update({status.id: status})
    known = state.portal.dictionaries
    (status,) = [each for each in known.rows() if each.name == name]
    known.remove(status)

    def restore() -> None:
        made = known.add(
            status.entity_id, status.status_id, status.name, sort=status.sort, semantics=status.semantics
        )
        made.category_id = status.category_id

    return restore


async def test_a_stage_that_is_restored_releases_what_was_refused_for_it(crm: CrmWorld) -> None:
    booked = crm.clinic.add_appointment(
        crm.clinic.add_patient(), starts_at=crm.clock.now() + timedelta(minutes=30)
    )
    await crm.start()
    await crm.settle()
    assert crm.run
    restore = stage_taken_away(crm, "Не пришёл")
    await crm.pass_time(4 * 3600)
    await crm.settle()
    (item,) = crm.run.journal.parked()
    assert item.about == f"ident/appointment/{booked}"
    assert (await crm.only())["stage"] == "Записан на приём"
    await crm.pass_time(1200)
    await crm.settle()
    assert [each.id for each in crm.run.journal.parked()] == [
        item.id
    ]  # nothing changed in the CRM, nothing is tried

    restore()
    await crm.pass_time(1200)
    await crm.settle()
    assert crm.run.journal.parked() == []
    assert (await crm.only())["stage"] == "Не пришёл"


async def test_what_was_mended_while_the_bridge_was_down_is_tried_at_its_start(crm: CrmWorld) -> None:
    crm.clinic.add_appointment(crm.clinic.add_patient(), starts_at=crm.clock.now() + timedelta(minutes=30))
    await crm.start()
    await crm.settle()
    restore = stage_taken_away(crm, "Не пришёл")
    await crm.pass_time(4 * 3600)
    await crm.settle()
    assert crm.run
    assert len(crm.run.journal.parked()) == 1
    await crm.stop()
    restore()
    await crm.start()
    await crm.turn(3)
    await crm.settle()
    assert crm.run
    assert crm.run.journal.parked() == []
    assert (await crm.only())["stage"] == "Не пришёл"
