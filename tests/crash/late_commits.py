"""A receptionist whose program commits late: a booking is stamped when it is begun, and seen by nobody until the
transaction ends, while Kreslo reads on.
"""

import asyncio
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from connectors.ident.sandbox import desk
from connectors.ident.sandbox.moments import local

_PAUSE = (1.0, 3.0)
"""Seconds between two of them: whoever else writes waits while one is open."""
_HELD = 0.4


class _HeldOpen(sqlite3.Connection):
    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql == "COMMIT":
            time.sleep(_HELD)
        return super().execute(sql, *parameters)


async def book_late(database: Path) -> None:
    """Books patients of old, until cancelled."""
    chance = Random("late commits")
    while True:
        await asyncio.sleep(chance.uniform(*_PAUSE))
        await asyncio.to_thread(_book, database, chance)


def _book(database: Path, chance: Random) -> None:
    with closing(
        sqlite3.connect(database, isolation_level=None, timeout=10, factory=_HeldOpen)
    ) as connection:
        connection.row_factory = sqlite3.Row
        desk.book_patient_of_old(connection, local(datetime.now(UTC)), chance)
