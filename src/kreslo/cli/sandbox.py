"""kreslo sandbox CRM: a stand-in of a CRM on this machine, behind its real protocol."""

import asyncio
import signal
import sys
import threading
from typing import Annotated, Any

import msgspec
import typer

from kreslo.cli.words import say
from kreslo.connectors.contract import target_connector
from kreslo.connectors.errors import ConfigurationError
from kreslo.connectors.sandboxes import SandboxPlan, TargetSandbox
from kreslo.connectors.seams import SystemClock
from kreslo.service.host import listen, serve, stop_on_signals


def add_to(app: typer.Typer) -> None:
    @app.command("sandbox", help=say("запустить песочницу CRM отдельно", "start a CRM's sandbox by itself"))
    def sandbox(
        crm: Annotated[str, typer.Argument(help=say("например, bitrix24", "bitrix24, for one"))],
        port: Annotated[
            int, typer.Option(min=0, max=65535, help=say("0: любой свободный", "0: any free one"))
        ] = 8471,
        host: Annotated[str, typer.Option()] = "127.0.0.1",
        switch: Annotated[
            list[str] | None,
            typer.Option(
                help=say("ключ=значение (JSON), см. README песочницы", "key=value (JSON), see its README")
            ),
        ] = None,
        *,
        child: Annotated[bool, typer.Option("--child", hidden=True)] = False,
    ) -> None:
        made = made_sandbox(crm)
        plan = SandboxPlan(clock=SystemClock(), switches=switches(switch or []))
        asyncio.run(_serve(made, plan, host=host, port=port, child=child))


def made_sandbox(name: str) -> TargetSandbox:
    """The sandbox of that target. Raises ConfigurationError where it ships none."""
    sandbox: TargetSandbox | None = target_connector(name).sandbox
    if sandbox is None:
        raise ConfigurationError(
            say(f"у приёмника «{name}» нет песочницы", f'target "{name}" ships no sandbox')
        )
    return sandbox


def switches(texts: list[str]) -> dict[str, Any]:
    """`rate=5` and `timezone=Asia/Omsk` alike: the value is JSON where it is JSON, else a text."""
    made: dict[str, Any] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign:
            raise ConfigurationError(
                say(f"--switch {text}: нужен вид ключ=значение", f"--switch {text}: write key=value")
            )
        try:
            made[key] = msgspec.json.decode(value)
        except msgspec.DecodeError:
            made[key] = value
    return made


async def _serve(made: TargetSandbox, plan: SandboxPlan, *, host: str, port: int, child: bool) -> None:
    """`child`: of the demo. It tells its address as one line of JSON and ends when its parent's end of stdin closes,
    which the operating system does whatever the parent died of; Ctrl-C is the parent's matter then.
    """
    listener = listen(host, port)
    url = f"http://{host}:{listener.getsockname()[1]}"
    stop = asyncio.Event()
    app = made.build(plan)
    if child:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _stop_with_parent(asyncio.get_running_loop(), stop)
        typer.echo(msgspec.json.encode({"url": url}))
        await serve(app, listener, stop)
        return
    typer.echo(say(f"Песочница работает: {url}/", f"The sandbox runs: {url}/"))
    for name, value in made.settings(url).items():
        typer.echo(f"  {name}: {value}")
    typer.echo(say("Ctrl-C останавливает её.", "Ctrl-C stops it."))
    with stop_on_signals(stop):
        await serve(app, listener, stop)


def _stop_with_parent(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    def wait() -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait, daemon=True).start()
