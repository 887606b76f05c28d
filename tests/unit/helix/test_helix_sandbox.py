"""The demo clinic: what its files say, read by the source, is what its own books say."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from connectors.helix import HelixOptions, HelixSource, connector
from connectors.helix.sandbox import live
from connectors.helix.sandbox.clinic import ZONE
from kreslo.connectors.contract import Batch, Seams
from kreslo.connectors.testing.clock import HandClock
from kreslo.mapping.load import load
from kreslo.records import Appointment, Enquiry, Entry, Patient, Record, ref_of

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
MONTH = timedelta(days=30)


class Reader:
    def __init__(self, path: Path, clock: HandClock) -> None:
        options = HelixOptions.model_validate(connector.sandbox.settings(path))
        self.source = HelixSource(options, Seams(clock=clock, chance=Random(1)))
        self.clock = clock
        self.cursor: str | None = None
        self.known: dict[object, Record] = {}
        self.batches: list[Batch] = []

    async def read(self) -> None:
        for _ in range(2):  # the first look sees, the second takes what stood still
            self.batches = [batch async for batch in self.source.read(self.cursor)]
            for batch in self.batches:
                self.known |= {ref_of(record): record for record in batch.records}
            self.cursor = self.batches[-1].cursor
            self.clock.advance(2)

    def of(self, kind: type[Record]) -> list[Record]:
        return [record for record in self.known.values() if isinstance(record, kind)]


def state(visit: Appointment) -> str:
    if visit.cancelled_at:
        return "cancelled"
    if visit.ended_at:
        return "completed"
    return "arrived" if visit.appeared_at else "upcoming"


async def test_the_source_reads_what_the_clinic_knows(tmp_path: Path) -> None:
    sandbox = connector.sandbox
    sandbox.create(tmp_path, seed=5, now=NOW, patients=300)
    clock = HandClock(NOW)
    reader = Reader(tmp_path, clock)
    chance = Random(5)
    try:
        await reader.read()
        for hour in range(6):
            if hour:
                clock.advance(3600)
                live.turn(tmp_path, chance, clock.now().astimezone(ZONE).replace(tzinfo=None))
                await reader.read()
            census = sandbox.census(tmp_path, now=clock.now(), past=MONTH, future=MONTH)
            visits = {visit.id: visit for visit in reader.of(Appointment) if isinstance(visit, Appointment)}
            assert len(reader.of(Patient)) == census.patients
            assert len(visits) == census.appointments
            assert {
                chain.ids[0]: (chain.patient_id, chain.starts_at, chain.state) for chain in census.chains
            } == {
                chain.ids[0]: (
                    visits[chain.ids[0]].patient_id,
                    visits[chain.ids[0]].starts_at,
                    state(visits[chain.ids[0]]),
                )
                for chain in census.chains
            }
            paid = [chain for chain in census.chains if chain.state == "completed"]
            assert [visits[chain.ids[0]].amount for chain in paid] == [chain.amount for chain in paid]
            assert len(reader.of(Enquiry)) == len(census.enquiries)
            entries = [entry for entry in reader.of(Entry) if isinstance(entry, Entry)]
            assert Counter((entry.campaign, entry.patient_id) for entry in entries) == Counter(
                (row.campaign, row.patient_id) for row in census.entries
            )
        assert {row.campaign for row in census.entries} == {"recommendations", "nps", "checkup"}
    finally:
        await reader.source.close()


def test_the_demos_mapping_reads_the_files_as_the_sandbox_says(tmp_path: Path) -> None:
    mapping = Path(__file__).parents[3] / "mappings" / "demo-helix.yaml"
    shown = load(mapping, judged=False, environ={}).source.options["profiles"]
    told = connector.sandbox.settings(tmp_path)["profiles"]
    options = [{**connector.sandbox.settings(tmp_path), "profiles": each} for each in (shown, told)]
    in_mapping, in_sandbox = (HelixOptions.model_validate(each).profiles for each in options)
    assert in_mapping == in_sandbox
