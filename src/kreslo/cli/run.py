"""kreslo run MAPPING: the bridge and its service, until Ctrl-C."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console

from kreslo.cli.demo_progress import ImportProgress
from kreslo.cli.endpoints import system_seams
from kreslo.cli.words import say
from kreslo.connectors.errors import ConfigurationError
from kreslo.service.app import create_app
from kreslo.service.host import listen, run_together, stop_on_signals
from kreslo.service.logs import Style, set_up_logs
from kreslo.sync.bridge import BridgeRun
from kreslo.sync.opening import open_bridge

_log = structlog.get_logger(__name__)

PORT = 8470
_LOOK_SECONDS = 0.25


def add_to(app: typer.Typer) -> None:
    @app.command("run", help=say("запустить мост по файлу сопоставления", "run the bridge of a mapping file"))
    def run(
        mapping: Annotated[Path, typer.Argument(help=say("файл YAML", "a YAML file"))],
        port: Annotated[int, typer.Option(min=0, max=65535, envvar="KRESLO_PORT")] = PORT,
        host: Annotated[str, typer.Option(envvar="KRESLO_HOST")] = "127.0.0.1",
        state: Annotated[
            str,
            typer.Option(
                envvar="KRESLO_STATE",
                help=say(
                    "URL базы состояния (SQLAlchemy); по умолчанию SQLite в .kreslo/",
                    "URL of the state database (SQLAlchemy); by default SQLite in .kreslo/",
                ),
            ),
        ] = "",
        log_level: Annotated[str, typer.Option(envvar="KRESLO_LOG_LEVEL")] = "info",
        log_file: Annotated[Path | None, typer.Option(envvar="KRESLO_LOG_FILE")] = None,
        log_style: Annotated[str, typer.Option(envvar="KRESLO_LOG_STYLE", help="json, console")] = "",
    ) -> None:
        set_up_logs(level=log_level, style=log_style_of(log_style), file=log_file)
        asyncio.run(run_bridge(mapping, host=host, port=port, state=state or default_state(mapping)))


async def run_bridge(mapping: Path, *, host: str, port: int, state: str) -> None:
    """Until Ctrl-C or SIGTERM. Raises KresloError."""
    stop = asyncio.Event()
    # The port first: a second `kreslo run` by mistake ends here, before it has touched anything.
    with listen(host, port) as listener, stop_on_signals(stop):
        bridge = await open_bridge(mapping, state=state, seams=system_seams())
        try:
            app = create_app(
                [bridge],
                hook_secret=os.environ.get("KRESLO_HOOK_SECRET", ""),
                names=[host, *os.environ.get("KRESLO_NAMES", "").replace(",", " ").split()],
                exchanges=[bridge] if bridge.exchange_key else [],
            )
            shown = f"http://{host}:{listener.getsockname()[1]}/"
            _log.info("running", bridge=bridge.name, url=shown)
            typer.echo(
                say(f"Мост «{bridge.name}» работает: {shown}", f'Bridge "{bridge.name}" runs: {shown}'),
                err=True,
            )
            await asyncio.gather(run_together([bridge], app, listener, stop), _show_import(bridge, stop))
        finally:
            await bridge.close()


async def _show_import(bridge: BridgeRun, stop: asyncio.Event) -> None:
    """A bar on a terminal, until the first import is told."""
    console = Console(stderr=True)
    if bridge.imported or not console.is_terminal:
        return
    with ImportProgress(console) as progress:
        while not stop.is_set() and not bridge.status().settled:
            progress.show(bridge.status())
            await asyncio.sleep(_LOOK_SECONDS)


def default_state(mapping: Path) -> str:
    """SQLite in `.kreslo/` of the working directory, named after the mapping. Raises ConfigurationError where it
    cannot be made.
    """
    folder = Path.cwd() / ".kreslo"
    make_folder(folder, option="--state")
    return f"sqlite:///{(folder / mapping.stem).as_posix()}.db"


def make_folder(folder: Path, *, option: str) -> None:
    """Raises ConfigurationError where Kreslo may not write there."""
    probe = folder / ".writable"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigurationError(
            say(
                f"в папку {folder} нельзя писать ({error.strerror}); дайте права на неё или укажите другую: {option}",
                f"{folder} cannot be written to ({error.strerror}); allow it, or give another one with {option}",
            )
        ) from error


def log_style_of(text: str) -> Style | None:
    """Raises ConfigurationError on an unknown style."""
    if text in {"json", "console"}:
        return "json" if text == "json" else "console"
    if text:
        raise ConfigurationError(f'no log style "{text}"; take json or console')
    return None
