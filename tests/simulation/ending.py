"""The last checks, when calm has come and all is settled: what the journal says of every record, what no log may show, which
limits were kept, and that a second reading of the clinic changes nothing.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from kreslo.journal.model import Priority
from kreslo.records import Patient, RecordKind, ref_of
from tests.simulation import oracle
from tests.simulation.checks import Violation
from tests.simulation.logs import LogBook

if TYPE_CHECKING:
    from tests.simulation.world import World

MOST_WHILE_BLOCKED = 10
"""Requests within ten minutes. A bridge that pauses for five makes two or three looks, each repeated where it meets a fault
of another kind.
"""

_WHILE = timedelta(minutes=2)
"""Longer than a second reading takes, and than what the clock brought needs to be written."""


async def in_the_end(world: "World", logs: LogBook) -> list[Violation]:
    """Holds when calm has come and all is settled."""
    found = [*_accounted(world)]
    found += [Violation("no secret in a log", line) for line in logs.leaks(list(world.crm.secrets))]
    if world.blocks.most > MOST_WHILE_BLOCKED:
        found.append(Violation("a block is not stormed", f"{world.blocks.most} requests within ten minutes"))
    if excess := world.crm.excess(world.network.most_a_second):
        found.append(Violation("no limit exceeded", excess))
    return found or await _quiet(world)


def _accounted(world: "World") -> Iterator[Violation]:
    """Every record is applied, filtered with a reason, or parked."""
    run = world.engine.run
    assert run is not None
    journal = run.journal
    parked = {item.about for item in journal.parked()} | {item.case for item in journal.parked()}
    asked = {item.case for item in journal.reviews()}
    for record in world.mis.now_there.values():
        ref = ref_of(record)
        if ref.kind is RecordKind.ENQUIRY:
            continue
        if ref in world.mis.broken:
            if not world.source.names_row(ref, parked):
                yield Violation(
                    "every record accounted for", f"{ref.kind} {ref.id} is unreadable and not parked"
                )
            continue
        patient = record.id if isinstance(record, Patient) else record.patient_id  # type: ignore[union-attr]
        loaded = journal.load([f"patient:{patient}"], world.engine_clock.now())
        explained = journal.explain(f"patient:{patient}")
        linked = {member for each in loaded.values() for card in each.case.cards for member in card.members}
        filtered = explained.filtered if explained else {}
        if isinstance(record, Patient):
            continue
        visits = [each for each in world.mis.appointments() if each.patient_id == patient]
        line = next(line for line in oracle.lines(visits) if record.id in line.members)
        here = ref.key("ident") in linked or line.last.id in filtered
        if not here and f"patient:{patient}" not in parked | asked:
            yield Violation(
                "every record accounted for", f"{ref.kind} {ref.id} is neither applied, filtered nor parked"
            )


async def _quiet(world: "World") -> list[Violation]:
    """All read anew changes nothing, while nobody does anything and the clock changes nothing either."""
    run = world.engine.run
    assert run is not None
    world.clock.drop_plans()
    while oracle.moved_by_clock(
        world.mis.appointments(),
        world.mis.enquiries(),
        world.engine_clock.now() - _WHILE,
        world.engine_clock.now() + _WHILE,
        world.rules,
    ):
        await world.clock.sleep(_WHILE.total_seconds())
        while await run.turn():
            pass
    before = world.network.writes
    now = world.engine_clock.now()
    records = [record async for batch in world.source.read(None) for record in batch.records]
    run.journal.take(records, cursor=None, now=now, priority=Priority.LIVE)
    run.journal.mark_all(now, Priority.LIVE)
    for _ in range(3):
        await world.clock.sleep(6)
        await run.turn()
    written = world.network.writes - before
    return (
        [Violation("quiet once it is told", f"the second reading made {written} writes")] if written else []
    )
