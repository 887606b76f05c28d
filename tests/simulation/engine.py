"""The engine of a world: the bridge as a process runs it, which can end suddenly and start again from its journal."""

import base64
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

import httpx
from pydantic import SecretStr
from sqlalchemy import Engine as SqlEngine

from connectors.amocrm.sandbox import sandbox as amocrm_sandbox
from connectors.amocrm.sandbox.tokens import CLIENT_ID as AMO_CLIENT_ID
from connectors.amocrm.sandbox.tokens import CLIENT_SECRET as AMO_CLIENT_SECRET
from connectors.amocrm.sandbox.tokens import REDIRECT_URI
from connectors.bitrix24.sandbox import sandbox as bitrix24_sandbox
from connectors.bitrix24.sandbox.oauth import APPLICATION_TOKEN, CLIENT_ID, CLIENT_SECRET
from kreslo.connectors.contract import Seams, Source, Target, target_connector
from kreslo.connectors.errors import OutageError
from kreslo.connectors.model import Event
from kreslo.connectors.sandboxes import SandboxPlan
from kreslo.journal import Journal
from kreslo.journal.crypto import Box
from kreslo.journal.database import connect, parse
from kreslo.journal.locks import BridgeLock
from kreslo.mapping.load import MappingFile, load_text, resolve
from kreslo.mapping.model import Bridge
from kreslo.sync.bridge import BridgeRun
from kreslo.sync.opening import build_target
from kreslo.sync.reconciling import Reconciler
from tests.simulation.amo import SETTINGS, AmoCrm
from tests.simulation.clock import EngineClock, WorldClock
from tests.simulation.crashes import Crash, JournalCalls, ending
from tests.simulation.crm import WEBHOOK, BitrixCrm
from tests.simulation.rules import Rules
from tests.simulation.views import Crm

KEY = b"simulation" + b"0" * 22

_BASE = "http://127.0.0.1:1"
_WEBHOOK = 'webhook: "${SIM_WEBHOOK}", hook_token: "${SIM_HOOK}"'
_TOKEN = 'token: "${SIM_TOKEN}"'
_OAUTH = (
    f'oauth: {{client_id: "{AMO_CLIENT_ID}", client_secret: "{AMO_CLIENT_SECRET}", redirect_uri: "{REDIRECT_URI}", '
    'tokens: "${SIM_STATE}/tokens", code: "${SIM_REFRESH}"}'
)
_APP = (
    f'app: {{portal: "{_BASE}", oauth: "{_BASE}", client_id: "{CLIENT_ID}", client_secret: "{CLIENT_SECRET}", '
    'refresh_token: "${SIM_REFRESH}", key: "${SIM_KEY}", tokens: "${SIM_STATE}/tokens"}'
)
_LOGINS = {"key": ("", ""), "app": (_WEBHOOK, _APP), "oauth": (_TOKEN, _OAUTH)}


class Prepared:
    """What is the same in all worlds of one mapping: made once, then copied."""

    def __init__(
        self,
        mapping: MappingFile,
        bridge: Bridge,
        state: Any,
        journal: bytes,
        tokens: bytes = b"",
        login: str = "key",
    ) -> None:
        self.mapping = mapping
        self.bridge = bridge
        self.journal = journal
        self.tokens = tokens
        self._state = state
        self._login = login
        self._connector = target_connector(mapping.target.connector)
        self._options = self._connector.options.model_validate(mapping.target.options)

    def crm(self, clock: WorldClock, rules: Rules) -> Crm:
        """The CRM as `setup` left it."""
        made: Crm = (AmoCrm if rules.target == "amocrm" else BitrixCrm).copied(self._state, clock, rules)
        return made

    def target(self, seams: Seams, secret: str = "") -> Target:
        """`secret`: what a person has written into the settings since; an application's new installation, or a new code
        of an integration.
        """
        options: Any = self._options
        if secret and self._login == "app":
            app = options.app.model_copy(update={"refresh_token": SecretStr(secret)})
            options = options.model_copy(update={"app": app})
        elif secret:
            oauth = options.oauth.model_copy(update={"code": SecretStr(secret)})
            options = options.model_copy(update={"oauth": oauth})
        return self._connector.build(options, seams)


_prepared: dict[tuple[str, Path], Prepared] = {}


async def prepared(rules: Rules, folder: Path) -> Prepared:
    # A mapping names files of its folder: a portal's tokens.
    made = (rules.name, folder)
    if made not in _prepared:
        clock = WorldClock()
        sandbox = amocrm_sandbox if rules.target == "amocrm" else bitrix24_sandbox
        app: Any = sandbox.build(SandboxPlan(clock=clock, switches={}))
        tokens = folder / "tokens"
        tokens.unlink(missing_ok=True)
        mapping = load_text(
            rules.text().replace(*_LOGINS[rules.login]),
            f"{rules.name}.yaml",
            environ={
                "SIM_CLINIC": "sqlite:///clinic.db",
                "SIM_WEBHOOK": WEBHOOK,
                "SIM_HOOK": APPLICATION_TOKEN,
                "SIM_ACCOUNT": SETTINGS["address"],
                "SIM_TOKEN": SETTINGS["token"],
                "SIM_STATE": str(folder),
                "SIM_KEY": base64.urlsafe_b64encode(KEY).decode(),
                "SIM_REFRESH": _secret(app, clock, rules),
            },
        )
        seams = Seams(clock=clock, chance=Random(1), transport=httpx.ASGITransport(app))
        target = build_target(mapping, seams)
        await target.setup(mapping.needed(), dry_run=False)
        bridge = resolve(mapping, await target.catalog())
        await target.close()
        state: Any = app.state.account if rules.target == "amocrm" else app.state.portal
        path = folder / "empty.db"
        path.unlink(missing_ok=True)
        Journal.open(f"sqlite:///{path}", key=KEY).close()
        kept = tokens.read_bytes() if tokens.exists() else b""
        _prepared[made] = Prepared(mapping, bridge, state, path.read_bytes(), kept, rules.login)
    return _prepared[made]


def _secret(app: Any, clock: WorldClock, rules: Rules) -> str:
    """What Kreslo is let in with the first time."""
    match rules.login:
        case "app":
            return str(app.state.portal.tokens.install(_BASE)["auth"]["refresh_token"])
        case "oauth":
            return str(app.state.account.tokens.code(clock.now().timestamp()))
        case _:
            return ""


@lru_cache(maxsize=8)
def _engine(path: Path) -> SqlEngine:
    """One a path, so that what SQLAlchemy has compiled is not lost with each process that ends. A disposed one has no
    connection left, as a process that is gone.
    """
    return connect(parse(f"sqlite:///{path}"))


class Engine:
    """`run` is None while the process is down. `listened_from`, `reconciled_from`: monotonic instants at which the last
    listening and the last comparison of keys that came to their end had begun.
    """

    def __init__(
        self,
        ready: Prepared,
        folder: Path,
        source: Callable[[], Source],
        network: httpx.AsyncBaseTransport,
        clock: EngineClock,
        chance: Random,
        calls: JournalCalls,
    ) -> None:
        self._ready = ready
        self._folder = folder
        self._login = ""
        self._at_work = False
        self._source = source
        self._seams = Seams(clock=clock, chance=chance, transport=network)
        self._calls = calls
        self._path = folder / "journal.db"
        for left in folder.glob("journal.db*"):
            left.unlink()
        self._path.write_bytes(ready.journal)
        if ready.tokens:
            (folder / "tokens").write_bytes(ready.tokens)
        self._whole: Journal | None = None
        self._lock: BridgeLock | None = None
        self.run: BridgeRun | None = None
        self.listened_from = -1.0
        self.reconciled_from = -1.0

    async def open(self) -> None:
        """Raises KresloError where the CRM or the journal is away, and Crash."""
        whole = Journal(_engine(self._path), parse(f"sqlite:///{self._path}"), Box(KEY))
        lock = whole.lock(self._ready.mapping.name, "simulation")
        target: Any = self._ready.target(self._seams, self._login)
        source = self._source()
        try:
            await target.catalog()
            journal = whole.bridge(self._ready.mapping.name, self._ready.mapping.endpoints.source_id)
            run = BridgeRun(
                mapping=self._ready.mapping,
                bridge=self._ready.bridge,
                source=source,
                target=target,
                whole=whole,
                lock=lock,
                journal=journal,
                seams=self._seams,
                threads=self._calls,
                me="1",
            )
            await run.start()
        except BaseException:
            await target.close()
            await source.close()
            lock.release()
            whole.close()
            raise
        listen = target.events

        async def events(since: datetime) -> tuple[list[Event], datetime]:
            began = self._seams.clock.monotonic()
            answer: tuple[list[Event], datetime] = await listen(since)
            self.listened_from = began
            return answer

        target.events = events
        self._whole, self._lock, self.run = whole, lock, run

    @property
    def waits_for_login(self) -> bool:
        """Whether the secret that a person gave it has not let it in yet."""
        return bool(self._login) and self.run is None and not (self._folder / "tokens").exists()

    async def login_anew(self, secret: str) -> None:
        """A person stops the process and writes a new secret into its settings; a file with tokens that are spent goes."""
        await self.drop()
        self._login = secret
        (self._folder / "tokens").unlink(missing_ok=True)

    async def ask_beside(self, network: httpx.AsyncBaseTransport) -> None:
        """What another bridge to the same CRM, with the same tokens, asks. Raises KresloError."""
        seams = Seams(clock=self._seams.clock, chance=self._seams.chance, transport=network)
        other = self._ready.target(seams, self._login)
        try:
            await other.catalog()
        finally:
            await other.close()

    async def hear(self, body: bytes) -> None:
        """A hook comes, at any moment of the process. Where there is none, or its journal is away, nobody takes it."""
        if self.run is None:
            return
        try:
            with ending():
                await self.run.accept_webhook({}, body)
        except OutageError:
            return
        except Crash:
            if self._at_work:
                raise
            await self.drop()

    async def drop(self) -> None:
        """The process is gone, with all that it held in memory."""
        if self.run is not None and self._whole is not None:
            await self.run.target.close()
            await self.run.source.close()
            if self._lock is not None:
                self._lock.release()
            self._whole.close()
        self.run, self._whole = None, None

    async def reconcile(self) -> None:
        """The nightly comparison of keys. Raises KresloError where a side is away."""
        self._at_work = True
        try:
            await self._reconcile()
        finally:
            self._at_work = False

    async def _reconcile(self) -> None:
        if self.run is None:
            return
        began = self._seams.clock.monotonic()
        reconciler = Reconciler(self.run.source, self.run.journal, self._seams.clock, self._calls)
        try:
            with ending():
                await reconciler.run(self._ready.bridge.horizon)
        except Crash:
            await self.drop()
        else:
            self.reconciled_from = began

    async def turn(self) -> bool | None:
        """One turn; None where the process ended in it."""
        self._at_work = True
        try:
            return await self._turn()
        finally:
            self._at_work = False

    async def _turn(self) -> bool | None:
        if self.run is None:
            with ending():
                await self.open()
        assert self.run is not None
        try:
            with ending():
                return await self.run.turn()
        except Crash:
            await self.drop()
            return None
