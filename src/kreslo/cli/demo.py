"""kreslo demo: a made-up clinic, a sandbox CRM, and the bridge between them, on this machine and nothing else."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer
from rich.console import Console
from rich.markup import escape

from kreslo.cli import demo_words
from kreslo.cli.clinic import CLINIC
from kreslo.cli.demo_progress import ImportProgress
from kreslo.cli.endpoints import system_seams
from kreslo.cli.run import PORT, make_folder
from kreslo.cli.sandbox import made_sandbox
from kreslo.cli.setup import set_up
from kreslo.cli.words import say
from kreslo.connectors.errors import ConfigurationError, OutageError
from kreslo.connectors.sandboxes import Lead
from kreslo.mapping.load import load
from kreslo.sandbox.audit import Audit, audit, rules_of
from kreslo.sandbox.child import sandbox_process
from kreslo.sandbox.crm import SandboxCrm
from kreslo.sandbox.demo import CRMS, SEED, Stage, demo_mapping, environment, make_clinic
from kreslo.sandbox.findings import Moment
from kreslo.service.app import create_app
from kreslo.service.host import listen, run_together, stop_on_signals
from kreslo.service.logs import set_up_logs
from kreslo.service.page import Link
from kreslo.sync.bridge import BridgeRun
from kreslo.sync.opening import open_bridge

SANDBOX_PORT = 8471
LOOK_SECONDS = 0.25


class Show(msgspec.Struct, frozen=True):
    """One CRM of the demo, and the bridge to it."""

    target: str
    url: str
    crm: SandboxCrm
    bridge: BridgeRun


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """`targets`: the CRMs that are shown, side by side."""

    targets: tuple[str, ...]
    once: bool
    speed: float
    patients: int
    port: int
    crm_port: int
    fresh: bool
    wait: float


def add_to(app: typer.Typer) -> None:
    @app.command(
        "demo",
        help=say("демо: клиника, песочница CRM и мост", "demo: a clinic, a sandbox CRM and the bridge"),
    )
    def demo(
        *,
        crm: Annotated[
            Literal["bitrix24", "amocrm", "both"],
            typer.Option(help=say("какую CRM показать; both: обе", "the CRM to show; both: side by side")),
        ] = "bitrix24",
        source: Annotated[
            str,
            typer.Option(
                help=say("чью клинику показать: ident, helix", "whose clinic to show: ident, helix")
            ),
        ] = "ident",
        once: Annotated[
            bool,
            typer.Option(
                "--once",
                help=say("импорт, проверка, итог одной строкой JSON", "import, audit, one line of JSON"),
            ),
        ] = False,
        speed: Annotated[
            float,
            typer.Option(
                min=0,
                help=say(
                    "60: час клиники за минуту; 0: без жизни", "60: an hour a minute; 0: nothing happens"
                ),
            ),
        ] = 60,
        patients: Annotated[int, typer.Option(min=100, max=100_000)] = 6000,
        folder: Annotated[
            Path | None, typer.Option("--dir", help=say("папка демо (.demo)", "the demo's folder"))
        ] = None,
        port: Annotated[int, typer.Option(min=0, max=65535)] = PORT,
        crm_port: Annotated[int, typer.Option(min=0, max=65535)] = SANDBOX_PORT,
        fresh: Annotated[bool, typer.Option("--fresh", help=say("новая клиника", "a new clinic"))] = False,
        wait: Annotated[float, typer.Option(hidden=True, help="seconds --once may take")] = 900,
    ) -> None:
        options = Options(
            targets=CRMS[crm],
            once=once,
            speed=speed,
            patients=patients,
            # What nobody will look at needs no fixed address, and must not meet a demo that runs already.
            port=0 if once else port,
            crm_port=0 if once else crm_port,
            fresh=fresh or once,
            wait=wait,
        )
        with _folder(folder, once=once) as place:
            set_up_logs(style="json", file=place / "kreslo.log")
            sound = asyncio.run(play(Stage(folder=place, source=source), options))
        if not sound:
            raise typer.Exit(1)


@contextmanager
def _folder(given: Path | None, *, once: bool) -> Iterator[Path]:
    """`.demo`, or the one given; for --once, where none is given, one that is thrown away."""
    if once and given is None:
        made = Path(tempfile.mkdtemp(prefix="kreslo-demo-"))
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)
        return
    folder = given or Path(".demo")
    make_folder(folder, option="--dir")
    yield folder


async def play(stage: Stage, options: Options) -> bool:
    """The whole demo. False where the audit of --once found something. Raises KresloError."""
    console = Console(highlight=False, soft_wrap=True)
    stop = asyncio.Event()
    seams = system_seams()
    async with AsyncExitStack() as house:
        house.enter_context(stop_on_signals(stop))
        listener = house.enter_context(listen("127.0.0.1", options.port))
        console.print(say("Клиника: готовлю…", "The clinic: making it…"))
        began = seams.clock.now()
        made = await asyncio.to_thread(
            make_clinic, stage, now=began, patients=options.patients, fresh=options.fresh
        )
        console.print(demo_words.clinic(stage.clinic, options.patients, made=made))
        leads = await asyncio.to_thread(stage.sandbox.leads, stage.clinic, seed=SEED, now=began)
        shows: list[Show] = []
        started = time.monotonic()
        for place, target in enumerate(options.targets):
            port = options.crm_port + place if options.crm_port else 0
            shows.append(await _open(house, console, stage, target, port, leads))
        page = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        stage.addresses.write_bytes(
            msgspec.json.encode(
                {
                    "page": page,
                    "crm": shows[0].url,
                    "crms": {show.target: show.url for show in shows},
                    "clinic": str(stage.clinic.absolute()),
                }
            )
        )
        links = [Link(demo_words.boards(show.target), f"{show.url}/") for show in shows]
        bridges = [show.bridge for show in shows]
        exchanges = [bridge for bridge in bridges if bridge.exchange_key]
        app = create_app(bridges, links=links, exchanges=exchanges)
        running = asyncio.create_task(run_together(bridges, app, listener, stop))
        try:
            if not await _imported(bridges, running, stop, console, options.wait if options.once else None):
                if options.once:
                    raise typer.Exit(130)
                return True
            seconds = time.monotonic() - started
            if options.once:
                return await _audited(console, stage, shows, began, seconds)
            urls = [show.url for show in shows]
            console.print(demo_words.where_to_look(page, urls, _by_hand(stage), seconds, speed=options.speed))
            await _live(stage, shows, stop, running, options)
            return True
        finally:
            stop.set()
            await running


async def _open(
    house: AsyncExitStack, console: Console, stage: Stage, target: str, port: int, leads: Sequence[Lead]
) -> Show:
    """A sandbox with the first day's leads, what the mapping needs made in it, and the bridge to it."""
    url = await house.enter_async_context(sandbox_process(target, port=port, log=stage.crm_log(target)))
    crm = await house.enter_async_context(SandboxCrm(url))
    for lead in leads:
        await crm.put_lead(lead)
    console.print(demo_words.crm(target, url, len(leads)))
    os.environ.update(environment(stage, target, made_sandbox(target).settings(url)))
    path = demo_mapping(stage.source, target)
    for line in await set_up(load(path), dry_run=False):
        console.print(f"  [green]+[/] {escape(line)}")
    # The CRM of the demo begins empty each time, so what was told to the last one is forgotten.
    journal = stage.journal(target)
    stage.clear(journal)
    bridge = await open_bridge(path, state=f"sqlite:///{journal.as_posix()}", seams=system_seams())
    house.push_async_callback(bridge.close)
    return Show(target, url, crm, bridge)


async def _imported(
    bridges: Sequence[BridgeRun],
    running: "asyncio.Task[None]",
    stop: asyncio.Event,
    console: Console,
    limit: float | None,
) -> bool:
    """True when everything that the clinic holds is told; False when the user stopped it before."""
    since = time.monotonic()
    with ImportProgress(console) as progress:
        while not stop.is_set():
            states = [bridge.status() for bridge in bridges]
            behind = [state for state in states if not (state.ready and state.settled)]
            state = behind[0] if behind else states[0]
            progress.show(state)
            if not behind:
                return True
            if running.done():
                await running
            if limit is not None and time.monotonic() - since > limit:
                raise OutageError(
                    say(
                        f"импорт не закончился за {limit:.0f} с: ждут {state.waiting}, отправляется {state.sending}",
                        f"the import did not end within {limit:.0f} s: {state.waiting} wait, {state.sending} are sent",
                    )
                )
            await asyncio.wait([running], timeout=LOOK_SECONDS)
    return False


async def _live(
    stage: Stage, shows: Sequence[Show], stop: asyncio.Event, running: "asyncio.Task[None]", options: Options
) -> None:
    """A clinic's day, until Ctrl-C or until the bridge gives up."""
    parts: list[asyncio.Task[Any]] = [running, asyncio.create_task(stop.wait())]

    async def arrive(lead: Lead) -> None:
        for show in shows:
            await show.crm.put_lead(lead)

    if options.speed > 0:
        day = stage.sandbox.live(
            stage.clinic, seed=SEED, clock=system_seams().clock, speed=options.speed, leads=arrive
        )
        parts.append(asyncio.ensure_future(day))
    try:
        done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for part in parts[1:]:
            part.cancel()
        await asyncio.gather(*parts[1:], return_exceptions=True)
    for part in done:
        if not part.cancelled():
            part.result()


def _by_hand(stage: Stage) -> list[str]:
    """The commands to try in the clinic. What is usual is not said in them."""
    source = [] if stage.source == CLINIC else ["--source", stage.source]
    usual = stage.clinic == Path(".demo") / stage.sandbox.place
    place = [] if usual else ["--clinic", str(stage.clinic)]
    return [" ".join(["kreslo clinic", *source, example, *place]) for example in stage.sandbox.examples]


async def _audited(
    console: Console, stage: Stage, shows: Sequence[Show], began: datetime, seconds: float
) -> bool:
    """Each CRM against the clinic; a line of JSON a CRM."""
    sound = True
    for show in shows:
        found = await take_audit(stage, show.crm, show.bridge, began)
        tell(console, found, show, await show.crm.stats(), seconds)
        sound = sound and not found.violations
    return sound


async def take_audit(stage: Stage, crm: SandboxCrm, bridge: BridgeRun, began: datetime) -> Audit:
    """The CRM, read over HTTP, against the clinic's census. The journal is not asked."""
    catalog = await bridge.target.catalog()
    plan = bridge.bridge
    if plan.appointment is None:
        raise ConfigurationError("the demo's mapping has no appointment section")
    rules = rules_of(
        plan.appointment,
        source_id=plan.source_id,
        zone=plan.zone,
        enquiries=plan.enquiry is not None,
        campaigns=plan.campaigns,
    )
    now = system_seams().clock.now()
    moments = []
    for moment in (began, now):
        counted = await asyncio.to_thread(
            stage.sandbox.census,
            stage.clinic,
            now=moment,
            past=plan.horizon.past,
            future=plan.horizon.future,
        )
        moments.append(Moment(moment, counted))
    return audit(
        await crm.cards(catalog.key_fields, me=catalog.me), rules, before=moments[0], after=moments[1]
    )


def tell(console: Console, found: Audit, show: Show, stats: dict[str, Any], seconds: float) -> None:
    """Violations for a person, then, as the last line, everything counted, for a script."""
    for violation in found.violations:
        console.print(
            f"[red]✗[/] {escape(violation.rule)}: {escape(violation.about)}: {escape(violation.found)}, "
            f"{say('а должно быть', 'should be')} {escape(violation.expected)}"
        )
    state = show.bridge.status()
    counted = msgspec.to_builtins(found) | {
        "crm": show.target,
        "violations": len(found.violations),
        "parked": state.parked,
        "review": state.review,
        "requests": stats["requests"],
        "seconds": round(seconds, 1),
    }
    # Not through rich: the line must stay one line on any width.
    typer.echo(msgspec.json.encode(counted))
