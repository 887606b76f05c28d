"""The demo clinic: a made-up dental clinic in iDent's own tables, and the life in it.

All people and telephone numbers are invented. `schema.sql` says which names are iDent's and which are assumed;
`scenes.py` what every such clinic shows around its `now`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import typer

from connectors.ident.sandbox import build, census, commands, leads, live
from connectors.ident.sandbox.moments import ZONE_NAME
from connectors.ident.sandbox.people import BRANCHES
from connectors.ident.sandbox.phones import AREA_CODE
from kreslo.connectors.sandboxes import Census, Lead, LeadSink, SourceSandbox
from kreslo.connectors.seams import Clock


class IdentSandbox:
    """`SourceSandbox` for iDent: a SQLite file that the source attaches as `dbo`."""

    place = "clinic.db"
    examples = (
        'book --name "Иванова Мария Петровна" --phone "+7 900 123-45-67" --at "завтра 10:00"',
        "show",
    )

    def create(self, path: Path, *, seed: int, now: datetime, patients: int = 6_000) -> None:
        """See `build.create`. Raises ConfigurationError."""
        build.create(path, seed=seed, now=now, patients=patients)

    def settings(self, path: Path) -> dict[str, Any]:
        return {
            "database": f"sqlite:///{path}",
            "timezone": ZONE_NAME,
            "branches": {
                str(number): {"address": address, "area_code": AREA_CODE} for number, _, address in BRANCHES
            },
        }

    def environment(self, path: Path) -> dict[str, str]:
        return {"KRESLO_DEMO_CLINIC": self.settings(path)["database"]}

    def leads(self, path: Path, *, seed: int, now: datetime) -> Sequence[Lead]:
        """See `leads.leads`. Raises ConfigurationError."""
        return leads.leads(path, seed=seed, now=now)

    def census(self, path: Path, *, now: datetime, past: timedelta, future: timedelta) -> Census:
        """See `census.census`. Raises ConfigurationError."""
        return census.census(path, now=now, past=past, future=future)

    async def live(self, path: Path, *, seed: int, clock: Clock, speed: float, leads: LeadSink) -> None:
        """See `live.live`."""
        await live.live(path, seed=seed, clock=clock, speed=speed, leads=leads)

    def commands(self) -> typer.Typer:
        return commands.commands()


sandbox: SourceSandbox = IdentSandbox()
