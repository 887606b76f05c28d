"""An amoCRM account behind a bad line, without the paid filter by custom fields and with a search that lags half a
minute: an import of a whole clinic, and a restart after it.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from connectors.amocrm.sandbox import sandbox
from connectors.amocrm.sandbox.account import Account
from kreslo.connectors.contract import Batch, Seams
from kreslo.connectors.model import Problem
from kreslo.connectors.sandboxes import SandboxPlan
from kreslo.connectors.testing.clock import HandClock
from kreslo.mapping.load import load
from kreslo.records import (
    Appointment,
    Doctor,
    Patient,
    Phone,
    PhoneKind,
    Record,
    RecordKind,
    RecordRef,
    ref_of,
)
from kreslo.sync.bridge import BridgeRun
from kreslo.sync.opening import build_target, open_bridge

PATIENTS = 2000
FOREIGN = 1000
LATER = 10
BASE = "http://127.0.0.1:1"
MAPPING = Path(__file__).parents[2] / "mappings" / "demo-amocrm.yaml"


class Line(httpx.AsyncBaseTransport):
    """One answer in ten is lost, of reads and of writes, after the account has done what it was asked."""

    def __init__(self, transport: httpx.AsyncBaseTransport, seed: int) -> None:
        self._transport = transport
        self._chance = Random(seed)
        self.lost: Counter[str] = Counter()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._transport.handle_async_request(request)
        if self._chance.random() >= 0.1:
            return answer
        self.lost[request.method] += 1
        await answer.aclose()
        raise httpx.ReadError("the line broke", request=request)


class Clinic:
    """A source that holds its records in memory; the cursor is how many of them were read."""

    id = "ident"

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def check(self) -> list[Problem]:
        return []

    async def read(self, cursor: str | None) -> AsyncIterator[Batch]:
        for at in range(int(cursor or 0), len(self.records), 1000):
            page = tuple(self.records[at : at + 1000])
            yield Batch(records=page, cursor=str(at + len(page)))
        yield Batch(cursor=str(len(self.records)), caught_up=True)

    async def fetch(self, refs: Sequence[RecordRef]) -> list[Record]:
        wanted = set(refs)
        return [record for record in self.records if ref_of(record) in wanted]

    async def keys(self, kind: RecordKind, since: datetime, until: datetime) -> frozenset[str]:
        return frozenset(
            record.id
            for record in self.records
            if ref_of(record).kind is kind
            and (not isinstance(record, Appointment) or since <= record.starts_at < until)
        )

    async def close(self) -> None:
        """Nothing is held."""


class World:
    """`chains`: the ids of visits that are one story, with their patient's id."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = HandClock()
        self.clinic = Clinic()
        self.chains: list[tuple[str, set[str]]] = []
        app: Any = sandbox.build(SandboxPlan(clock=self.clock, switches={"search_lag": 30.0}))
        self.account: Account = app.state.account
        self._good = httpx.ASGITransport(app)
        self.line = Line(self._good, 1)
        self.http = httpx.AsyncClient(transport=self._good, base_url=BASE)
        settings = sandbox.settings(BASE)
        self._env = {
            "KRESLO_DEMO_CLINIC": f"sqlite:///{folder / 'unread.db'}",
            "KRESLO_DEMO_AMOCRM": settings["address"],
            "KRESLO_DEMO_AMOCRM_TOKEN": settings["token"],
        }
        self._state = f"sqlite:///{folder / 'state.db'}"
        monkeypatch.setattr("kreslo.sync.opening.build_source", lambda *_: self.clinic)
        # The account's lock file: another test's account of this name would take half of the pace.
        monkeypatch.setattr("tempfile.tempdir", str(folder))

    async def setup(self) -> None:
        mapping = load(MAPPING, environ=self._env)
        target = build_target(mapping, Seams(clock=self.clock, chance=Random(7), transport=self._good))
        await target.setup(mapping.needed(), dry_run=False)
        await target.close()

    async def settle(self) -> None:
        """One run of the bridge, from its start until nothing waits."""
        seams = Seams(clock=self.clock, chance=Random(7), transport=self.line)
        run = await self._opened(seams)
        try:
            for _ in range(3000):
                if not await run.turn():
                    if run.status().settled:
                        break
                    self.clock.advance(2)
            assert run.status().settled, run.status()
            assert (run.status().parked, run.status().review) == (0, 0)
        finally:
            await run.close()

    async def _opened(self, seams: Seams) -> BridgeRun:
        return await open_bridge(MAPPING, state=self._state, seams=seams, env=self._env, in_place=True)

    async def cards(self, section: str) -> dict[int, dict[str, Any]]:
        rows = (await self.http.get("/_control/state", params={"only": section})).json()[section]
        return {row["id"]: row for row in rows}

    async def stranger(self, number: int) -> None:
        """A lead that is none of ours: fresh in the funnel of sales, which is watched, or old on a stage that nothing is
        claimed from, even where the phone is a patient's. Some bear one of our keys in their name: the search finds them.
        """
        aside = number % 3 > 0
        lead = {
            "name": f"ident/appointment/{number}" if number % 7 == 0 else f"Чужой {number}",
            "phone": _phone(number) if aside and number % 5 == 0 else f"+7901{number:07}",
            "stage": "Переговоры" if aside else "Новый",
            "created_at": (self.clock.now() - timedelta(hours=number % (960 if aside else 24))).isoformat(),
        }
        answer = await self.http.post("/_control/leads", json=lead)
        assert answer.is_success, answer.text

    def patient(self, number: int) -> None:
        """Three visits: one is over; of every third patient, the third is where the second was moved to."""
        now, patient_id = self.clock.now(), str(number)
        phone = Phone(_phone(number), PhoneKind.MOBILE)
        self.clinic.records.append(
            Patient(id=patient_id, surname=f"Пациентов{number}", name="Иван", phones=(phone,))
        )
        over, second, third = (str(3 * number + at) for at in range(3))
        ended = now - timedelta(days=2 + number % 20)
        self.visit(over, patient_id, ended, billed_at=ended + timedelta(hours=1), amount=Decimal(1500))
        ahead = now + timedelta(days=3 + number % 60)
        if number % 3:
            self.visit(second, patient_id, ahead)
            self.visit(third, patient_id, ahead + timedelta(days=7))
            self.chains += [(patient_id, {over}), (patient_id, {second}), (patient_id, {third})]
        else:
            moved = now - timedelta(days=1)
            self.visit(second, patient_id, ahead, cancelled_at=moved, cancel_reason="Перенос")
            self.visit(third, patient_id, ahead + timedelta(days=7), predecessor_id=second, created_at=moved)
            self.chains += [(patient_id, {over}), (patient_id, {second, third})]

    def visit(self, id_: str, patient_id: str, starts_at: datetime, **more: Any) -> None:
        usual = {"created_at": self.clock.now() - timedelta(days=40), "doctor": Doctor(id_, f"Врач {id_}")}
        ends_at = starts_at + timedelta(minutes=30)
        self.clinic.records.append(
            Appointment(
                id=id_, patient_id=patient_id, starts_at=starts_at, ends_at=ends_at, **{**usual, **more}
            )
        )


def _phone(number: int) -> str:
    return f"+7900{number:07}"


@pytest.mark.exhaustive
async def test_an_import_through_a_bad_line_doubles_nothing_and_touches_no_foreign_lead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, monkeypatch)
    await world.setup()
    for number in range(FOREIGN):
        await world.stranger(number)
    foreign = await world.cards("deals")
    assert len(foreign) == FOREIGN
    for number in range(PATIENTS):
        world.patient(number)

    await world.settle()
    await _holds(world, foreign)
    assert min(world.line.lost["GET"], world.line.lost["POST"]) >= 5, world.line.lost

    # A new process knows nothing of the account: it asks a search that lags, beside whatever it reads by time.
    for number in range(LATER):
        starts_at = world.clock.now() + timedelta(days=90 + number)
        world.visit(f"9{number:06}", str(number), starts_at, created_at=world.clock.now())
        world.chains.append((str(number), {f"9{number:06}"}))
    await world.settle()
    await _holds(world, foreign)
    await world.http.aclose()


async def _holds(world: World, foreign: dict[int, dict[str, Any]]) -> None:
    contacts, deals = await world.cards("contacts"), await world.cards("deals")
    assert {id_: deals.get(id_) for id_ in foreign} == foreign

    people: dict[str, int] = {}
    for contact in contacts.values():
        if key := contact["fields"].get("KRESLO_KEY"):
            assert people.setdefault(key, contact["id"]) == contact["id"], key
    assert set(people) == {f"ident/patient/{number}" for number in range(PATIENTS)}

    told = Counter(deal["fields"]["KRESLO_KEY"] for id_, deal in deals.items() if id_ not in foreign)
    assert len(deals) == FOREIGN + len(world.chains)
    owner = {deal["fields"].get("KRESLO_KEY"): deal["contact_ids"] for deal in deals.values()}
    for patient_id, visits in world.chains:
        keys = [key for visit in visits if (key := f"ident/appointment/{visit}") in told]
        assert [told[key] for key in keys] == [1], visits
        assert owner[keys[0]] == [people[f"ident/patient/{patient_id}"]]
