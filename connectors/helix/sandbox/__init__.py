"""The demo clinic on 1C: made-up people, eight years of history in files, and a life that goes on dropping files.

In its folder stand `clinic.json` (its own books, from which the census is counted), `drop/` (what 1C writes) and `state/` (the
source's own).
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import typer

from connectors.helix.sandbox import clinic, commands, files, lists, live
from connectors.helix.sandbox.clinic import ZONE, ZONE_NAME, Listed, Visit
from kreslo.connectors.sandboxes import Census, ChainCensus, EntryCensus, Lead, LeadSink, SourceSandbox
from kreslo.connectors.seams import Clock
from kreslo.records.phones import parse_phones

_STATES = {"arrived": "arrived", "done": "completed", "cancelled": "cancelled"}
_GRACE = timedelta(hours=2)


class HelixSandbox:
    """`SourceSandbox` for Helix: `path` is a folder."""

    place = "helix"
    examples = ("book", "cancel НОМЕР", "show")

    def create(self, path: Path, *, seed: int, now: datetime, patients: int = 6_000) -> None:
        local = now.astimezone(ZONE).replace(tzinfo=None)
        books, history = clinic.made(Random(seed), local, patients)
        drop = path / "drop"
        drop.mkdir(parents=True, exist_ok=True)
        clinic.save(path, books)
        files.patients(drop, books, local)
        for year, done in sorted(history.items()):
            files.completed(drop, books, done, f"done_{year}.csv")
        recent = [visit for visit in books.visits if visit.state == "done"]
        files.took_place(drop, books, recent, local)
        files.visits(drop, books, local)
        files.forms(drop, books.forms, local)
        live.lists_of_the_day(drop, books, local)
        files.recommendations(drop, books, lists.recommend(books, local), local)
        clinic.save(path, books)

    def settings(self, path: Path) -> dict[str, Any]:
        return {
            "folder": str(path / "drop"),
            "state": str(path / "state"),
            "timezone": ZONE_NAME,
            "settle": "1s",
            "profiles": {
                "patients": {"row": "patient", "files": ["patients_*.xml"], "mode": "snapshot"},
                "completed": {"row": "completed", "files": ["done_*.csv"]},
                "waiting_list": {
                    "row": "completed",
                    "files": ["waitlist_*.csv"],
                    "set": {"source": "Лист ожидания"},
                },
                "visits": {
                    "row": "appointment",
                    "files": ["visits_*.csv"],
                    "mode": "snapshot",
                    "minutes": 30,
                    "ready": "renamed",
                },
                "forms": {
                    "row": "enquiry",
                    "files": ["forms_*.json"],
                    "columns": {"appointment_id": ["ID"]},
                    "set": {"source": "Сайт"},
                },
                "recommendations": {
                    "row": "campaign",
                    "campaign": lists.RECOMMENDATIONS,
                    "files": ["recommendations_*.csv"],
                    "minutes": 30,
                },
                "nps": {"row": "campaign", "campaign": lists.NPS, "files": ["nps_*.txt"]},
                "checkup": {"row": "campaign", "campaign": lists.CHECKUP, "files": ["checkup_*.xml"]},
            },
        }

    def environment(self, path: Path) -> dict[str, str]:
        return {"KRESLO_DEMO_DROP": str(path / "drop"), "KRESLO_DEMO_STATE": str(path / "state")}

    def leads(self, path: Path, *, seed: int, now: datetime) -> Sequence[Lead]:  # noqa: ARG002  the protocol's
        """None: this clinic's enquiries come by file."""
        return ()

    def census(self, path: Path, *, now: datetime, past: timedelta, future: timedelta) -> Census:
        """Counted from the clinic's books, apart from files and source."""
        books = clinic.load(path)
        local = now.astimezone(ZONE).replace(tzinfo=None)
        refused = {person.id for person in books.people if person.refused}
        told = [
            visit
            for visit in books.visits
            if visit.state != "cancelled" or visit.start.date() >= local.date()
        ]
        chains = tuple(
            _chain(visit, local, refused=visit.patient in refused)
            for visit in told
            if local - past <= visit.start <= local + future
        )
        numbers = (parse_phones(form.phone) for form in books.forms)
        enquiries = tuple(dict.fromkeys(phones[0].e164 for phones in numbers if phones))
        return Census(
            patients=len(books.people),
            appointments=books.older + len(told),
            enquiries=enquiries,
            chains=chains,
            entries=tuple(_entry(row, refused=row.patient in refused) for row in books.lists),
        )

    async def live(self, path: Path, *, seed: int, clock: Clock, speed: float, leads: LeadSink) -> None:  # noqa: ARG002
        """See `live.live`."""
        await live.live(path, seed=seed, clock=clock, speed=speed)

    def commands(self) -> typer.Typer:
        return commands.commands()


def _entry(row: Listed, *, refused: bool) -> EntryCensus:
    return EntryCensus(
        campaign=row.campaign,
        patient_id=str(row.patient),
        at=row.at.replace(tzinfo=ZONE).astimezone(UTC),
        visit_at=row.start.replace(tzinfo=ZONE).astimezone(UTC) if row.start else None,
        refused=refused,
    )


def _chain(visit: Visit, now: datetime, *, refused: bool) -> ChainCensus:
    state = _STATES.get(visit.state, "upcoming")
    if state == "upcoming" and visit.start + timedelta(minutes=30) + _GRACE < now:
        state = "no_show"
    return ChainCensus(
        ids=(str(visit.id),),
        patient_id=str(visit.patient),
        starts_at=visit.start.replace(tzinfo=ZONE).astimezone(UTC),
        state=state,
        amount=Decimal(visit.amount).quantize(Decimal("0.01")) if state == "completed" else None,
        refused=refused,
        ended_at=visit.start.replace(tzinfo=ZONE).astimezone(UTC) if state == "completed" else None,
    )


sandbox: SourceSandbox = HelixSandbox()
