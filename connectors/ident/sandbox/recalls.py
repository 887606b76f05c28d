"""Whom the doctors want to see again: rows of ScheduledReceptions, most of them closed by the visit that followed."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from connectors.ident.sandbox.visits import Visit

COLUMNS = "ID_Patients ID_Receptions ID_ProfessionNames ID_Staffs Comment Length ID_ReceptionsClose DateTimeAdded DateTimeChanged"

_SHARE = 0.3
_WISHES = ("Профосмотр через полгода", "Гигиена", "Контроль после лечения", "")


def write(
    chance: Random, rows: Sequence[Visit], professions: dict[int, int], now: datetime
) -> Iterator[tuple[Any, ...]]:
    """In the order of entry. `professions`: of each doctor, the first. A visit that took place closes what was planned
    before it, a month and more ago.
    """
    after: dict[int, list[Visit]] = {}
    for row in sorted(rows, key=lambda each: each.start):
        if row.patient and row.ended and not row.cancelled:
            after.setdefault(row.patient.person.id, []).append(row)
    planned = []
    for person, seen in after.items():
        for number, row in enumerate(seen):
            if row.ended is None or row.ended > now or chance.random() > _SHARE:
                continue
            since = row.ended + timedelta(days=30)
            closed = next((later for later in seen[number + 1 :] if later.start > since), None)
            planned.append((row.ended, person, row, closed))
    for at, person, row, closed in sorted(planned, key=lambda each: (each[0], each[1])):
        changed = closed.ended if closed and closed.ended else at
        yield (
            person, row.id, professions.get(row.doctor), row.doctor, chance.choice(_WISHES), 30,
            closed.id if closed else None, str(at), str(changed),
        )  # fmt: skip
