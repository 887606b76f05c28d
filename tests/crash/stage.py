"""A clinic's day on real files and sockets: iDent's tables on disk, a CRM's sandbox in a process of its own, its hooks.

`Stage.day` is the clinic and the staff at work; `Stage.violations` the oracle: the CRM, read over HTTP, against a census
of the clinic by plain SQL, what the robots wrote, and what staff had written. It asks neither journal nor engine.
"""

import asyncio
import contextlib
import itertools
import os
import random
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import httpx

from connectors.ident.sandbox import sandbox as ident
from kreslo.cli.setup import set_up
from kreslo.connectors.contract import Seams, target_connector
from kreslo.connectors.model import Entity
from kreslo.connectors.sandboxes import Census, SourceSandbox
from kreslo.connectors.seams import SystemClock, system_chance
from kreslo.mapping.load import load, resolve
from kreslo.sandbox.audit import Audit, audit, rules_of
from kreslo.sandbox.audit_campaigns import campaign_of
from kreslo.sandbox.child import sandbox_process
from kreslo.sandbox.crm import SandboxCrm, SeenCard
from kreslo.sandbox.findings import Moment
from kreslo.sync.opening import build_target
from tests.crash.late_commits import book_late

MAPPINGS = Path(__file__).parents[2] / "mappings"
SEED = 5
TOKEN = "crash-test-hook"
_MAPPING = {"bitrix24": "demo.yaml", "amocrm": "demo-amocrm.yaml"}
_HOOKED = {
    "bitrix24": f"{{connector: bitrix24, hook_token: {TOKEN},",
    "amocrm": f'{{connector: amocrm, hook_url: "%s/hooks/demo-amocrm", hook_secret: {TOKEN}, state: "%s",',
}
# Where kills are what is tested, the stand-ins' limits are wide, and since they run no request longer than a moment, what
# is unknown is known sooner.
_OPTIONS = {
    "bitrix24": f"{{connector: bitrix24, settle: 1, plan: enterprise, hook_token: {TOKEN},",
    "amocrm": "{connector: amocrm, timeout: 5, index_lag: 0, rate: 7, "
    f'hook_url: "%s/hooks/demo-amocrm", hook_secret: {TOKEN}, state: "%s",',
}
_SWITCHES = {
    "bitrix24": {"rate": 1000.0, "burst": 1000.0},
    "amocrm": {"rate": 1000, "account_rate": 1000, "block_after": 0, "search_lag": 0.0},
}
_EVENTS = [
    f"ONCRM{kind}{what}" for kind in ("DEAL", "LEAD", "CONTACT") for what in ("ADD", "UPDATE", "DELETE")
]
_STAFFS_FIELD = {"bitrix24": "POST", "amocrm": "POSITION"}
"""A contact's job title: no mapping of ours writes it, so it is whatever staff wrote last."""
_LOOK_EVERY = 50  # edits after which staff look anew which contacts there are


class Stage:
    """`mapping`, `environment`, `state`, `port`: what `kreslo run` is told. `edits`: what staff wrote, by contact.
    `source`, `clinic`, `mappings`: whose day it is, and by CRM the demo's mapping for it. `title`: what a toll calls it. `days`: so many, and between
    two of them nobody acts until all is told. `switches`: of the CRM's sandbox, besides its limits. `stuck`: the life
    that runs will get no further by itself and is to be ended.
    """

    source: ClassVar[str] = "ident"
    title: ClassVar[str] = source
    clinic: ClassVar[SourceSandbox] = ident
    mappings: ClassVar[dict[str, str]] = _MAPPING
    days: ClassVar[int] = 1
    switches: ClassVar[dict[str, float]] = {}

    def __init__(
        self, name: str, folder: Path, url: str, crm: SandboxCrm, http: httpx.AsyncClient, *, wide: bool
    ) -> None:
        self.crm_name = name
        self._options = (_OPTIONS if wide else _HOOKED)[name]
        self.folder = folder
        self.url = url
        self.database = folder / "clinic.db"
        self.mapping = folder / self.mappings[name]
        self.state = folder / "state.db"
        self.port = free_port()
        self.began = datetime.now(UTC)
        self.edits: dict[str, str] = {}
        self.hooks = 0
        self.stuck = False
        self._crm = crm
        self._http = http
        self._key_fields: dict[Entity, str] = {}
        self._chance = random.Random(f"{name}/staff")
        reached = target_connector(name).sandbox.settings(url)
        spelled = {"webhook": "WEBHOOK", "address": "AMOCRM", "token": "AMOCRM_TOKEN"}
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("KRESLO_")},
            **self.clinic.environment(self.database),
            **{f"KRESLO_DEMO_{spelled[key]}": str(value) for key, value in reached.items()},
            "KRESLO_HOOK_SECRET": TOKEN,
            "KRESLO_LANG": "en",
        }

    @property
    def arguments(self) -> list[str]:
        """Of `kreslo`."""
        state = f"sqlite:///{self.state.as_posix()}"
        return ["run", str(self.mapping), "--port", str(self.port), "--state", state, "--log-style", "json"]

    async def prepare(self, patients: int) -> None:
        """The clinic and the first day's leads; fields, stages, robots and the hook in the CRM."""
        self.clinic.create(self.database, seed=SEED, now=self.began, patients=patients)
        for lead in self.clinic.leads(self.database, seed=SEED, now=self.began)[:30]:
            await self._crm.put_lead(lead)
        await self.write_mapping()
        mapping = load(self.mapping, environ=self.environment)
        await set_up(mapping, dry_run=False)
        target = build_target(mapping, Seams(clock=SystemClock(), chance=system_chance()))
        try:
            catalog = await target.catalog()
        finally:
            await target.close()
        self._me = catalog.me
        self._key_fields = dict(catalog.key_fields)
        bridge = resolve(mapping, catalog)
        assert bridge.appointment
        self._horizon = bridge.horizon
        self._rules = rules_of(
            bridge.appointment,
            source_id=bridge.source_id,
            zone=bridge.zone,
            enquiries=bridge.enquiry is not None,
            campaigns=bridge.campaigns,
        )
        campaigns = (each.messages for each in self._rules.campaigns)
        for stage in sorted(self._rules.messages.union(*campaigns)):
            await self.control("POST", "robots", {"stage": stage})
        await self.hook(bridge.name)

    async def write_mapping(self) -> None:
        """The demo's, with the options of this stage."""
        options = self._options
        if "%s" in options:
            options %= (self.address, self.folder.as_posix())
        text = (MAPPINGS / self.mapping.name).read_text(encoding="utf-8")
        self.mapping.write_text(text.replace(f"{{connector: {self.crm_name},", options), encoding="utf-8")

    async def hook(self, bridge: str) -> None:
        """The CRM tells Kreslo what staff do. In amoCRM `kreslo setup` has seen to that."""
        if self.crm_name == "bitrix24":
            hook = {"url": f"{self.address}/hooks/{bridge}/{TOKEN}", "token": TOKEN, "events": _EVENTS}
            await self.control("POST", "hooks", hook)

    @property
    def address(self) -> str:
        """Kreslo's."""
        return f"http://127.0.0.1:{self.port}"

    async def mends(self, story: str) -> bool:
        """What made a life end by itself, if that was the world's fault; `story`: what it said last."""
        return False

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Whoever asks Kreslo by day and in calm alike: nobody here."""
        yield

    @asynccontextmanager
    async def day(self, *, speed: float, edits_every: float = 0.3) -> AsyncIterator[None]:
        """The clinic books, moves, cancels and treats, leads arrive, staff write in the CRM, until the end of the block."""
        parts = [
            asyncio.ensure_future(self.life(speed)),
            asyncio.ensure_future(self.staff(every=edits_every)),
        ]
        try:
            yield
        finally:
            for part in parts:
                part.cancel()
            for part in parts:
                with contextlib.suppress(asyncio.CancelledError):
                    await part

    async def life(self, speed: float) -> None:
        """The clinic at work, until cancelled; one of its hands commits late."""
        clock, leads = SystemClock(), self._crm.put_lead
        late = asyncio.ensure_future(book_late(self.database))
        try:
            await self.clinic.live(self.database, seed=SEED, clock=clock, speed=speed, leads=leads)
        finally:
            late.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await late

    async def staff(self, *, every: float, count: int | None = None) -> None:
        """Staff write a contact's job title, one each `every` seconds, and the CRM tells of it by a hook. Goes on until
        cancelled, or until there were `count`.
        """
        began, contacts = time.monotonic(), list[str]()
        async with asyncio.TaskGroup() as telling:
            told: asyncio.Task[Any] | None = None
            for turn in itertools.count() if count is None else range(count):
                await asyncio.sleep(max(every / 10, began + every * turn - time.monotonic()))
                if turn % _LOOK_EVERY == 0 or not contacts:
                    contacts = await self._contacts(every)
                await self._edit(self._chance.choice(contacts), f"job {self._chance.randrange(10**6)}")
                if told is None or told.done():
                    # Whoever is told lets the CRM wait; staff do not.
                    told = telling.create_task(self.control("GET", "hooks"))

    async def _contacts(self, every: float) -> list[str]:
        """Those that Kreslo has made by now, as soon as there are any."""
        while True:
            found = [card.id for card in await self.cards() if card.entity is Entity.CONTACT and card.key]
            if found:
                return found
            await asyncio.sleep(every)

    async def _edit(self, contact: str, title: str) -> None:
        order = {"entity": "contact", "id": int(contact), "fields": {_STAFFS_FIELD[self.crm_name]: title}}
        self.edits.pop(contact, None)  # cancelled in the middle, nobody knows what stands there
        await self.control("POST", "staff/edit", order)
        self.edits[contact] = title
        self.hooks += 1

    async def status(self) -> dict[str, Any] | None:
        """What the bridge says of itself; None where nobody answers."""
        try:
            answer = await self._http.get(f"{self.address}/status", timeout=30)
        except httpx.TransportError:
            return None
        return dict(answer.json()["bridges"][0])

    async def stats(self) -> dict[str, Any]:
        return await self._crm.stats()

    def deleted(self) -> Collection[str]:
        """Keys of visits whose cards staff have deleted: none of them may come back."""
        return ()

    async def violations(self) -> list[str]:
        """Every breach of the promise that stands in the CRM now; the clinic must be at rest. Empty is right."""
        deleted, now = self.deleted(), datetime.now(UTC)
        found, cards = self.audited(await self.cards(), now)
        gone = self._last_of(deleted)
        told = [str(each) for each in found.violations if each.rule != "missing" or each.about not in gone]
        left = self._left(now)
        if found.chains + left != found.cards + len(deleted):
            told.append(
                f"{found.chains} visits and {left} that grew too old, "
                f"{found.cards} visit cards and {len(deleted)} deleted"
            )
        state = await self.control("GET", "state?only=messages,contacts,deals")
        told += self._messages(state["messages"], cards)
        for row in state["contacts"]:
            wanted = self.edits.get(str(row["id"]))
            shown = row["fields"].get(_STAFFS_FIELD[self.crm_name]) or row["named"].get("Должность")
            if wanted and wanted not in str(shown):
                told.append(f"contact {row['id']}: staff wrote {wanted!r}, there stands {shown!r}")
        return told

    def _left(self, now: datetime) -> int:
        """Visits that have left the horizon since the beginning; they keep their cards."""
        edge = now - self._horizon.past
        return sum(chain.starts_at < edge for chain in self.census(self.began).chains)

    def _last_of(self, keys: Collection[str]) -> set[str]:
        """The last visit of each chain in which one of the visits stands: the audit speaks of a chain by that."""
        prefix = f"{self.source}/appointment/"
        return {
            prefix + chain.ids[-1]
            for chain in self.census(datetime.now(UTC)).chains
            if any(prefix + each in keys for each in chain.ids)
        }

    def census(self, now: datetime) -> Census:
        """What the clinic's database says of the mapping's horizon."""
        past, future = self._horizon.past, self._horizon.future
        return self.clinic.census(self.database, now=now, past=past, future=future)

    def audited(self, cards: list[SeenCard], now: datetime) -> tuple[Audit, list[SeenCard]]:
        before, after = (Moment(at, self.census(at)) for at in (self.began, now))
        return audit(cards, self._rules, before=before, after=after), cards

    def _messages(self, messages: list[dict[str, Any]], cards: list[SeenCard]) -> list[str]:
        """A card enters a message stage at most once for each time that its visit had; a campaign's, once."""
        chains = self.census(datetime.now(UTC)).chains
        times = {member: len(chain.ids) for chain in chains for member in chain.ids}
        deals = [card for card in cards if card.entity is Entity.DEAL and not campaign_of(card, self._rules)]
        visits = {card.id: card.key.rpartition("/")[2] for card in deals}
        sent = Counter((str(row["deal"]), row["stage"]) for row in messages)
        return [
            f"deal {deal}: «{stage}» was sent {count} times for {times.get(visits.get(deal, ''), 1)} visit times"
            for (deal, stage), count in sent.items()
            if count > times.get(visits.get(deal, ""), 1)
        ]

    async def cards(self) -> list[SeenCard]:
        return await self._crm.cards(self._key_fields, me=self._me)

    async def control(self, verb: str, path: str, body: Any = None) -> Any:
        answer = await self._http.request(verb, f"{self.url}/_control/{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def opened_stage(
    crm_name: str, folder: Path, *, patients: int, wide: bool = True, kind: type[Stage] = Stage
) -> AsyncIterator[Stage]:
    """`wide`: the CRM lets nearly everything through; else it has its real limits. `kind`: whose day it is."""
    log, switches = folder / "sandbox.log", {**(_SWITCHES[crm_name] if wide else {}), **kind.switches}
    async with (
        sandbox_process(crm_name, port=0, log=log, switches=switches) as url,
        SandboxCrm(url) as crm,
        httpx.AsyncClient(timeout=600, trust_env=False) as http,
    ):
        stage = kind(crm_name, folder, url, crm, http, wide=wide)
        await stage.prepare(patients)
        async with stage.watched():
            yield stage
