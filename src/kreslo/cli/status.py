"""kreslo status: what a running Kreslo says of itself."""

from typing import Annotated

import httpx
import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kreslo.cli.words import drift_word, say
from kreslo.connectors.errors import ConfigurationError, OutageError
from kreslo.sync.drift import DriftKind
from kreslo.sync.status import BridgeStatus, DriftCounts


class _Answer(msgspec.Struct):
    bridges: list[BridgeStatus]


def add_to(app: typer.Typer) -> None:
    @app.command(
        "status", help=say("состояние работающего Kreslo", "the state of a running Kreslo"), short_help=None
    )
    def status(
        url: Annotated[
            str, typer.Option(envvar="KRESLO_URL", help=say("адрес сервиса", "the service's address"))
        ] = "http://127.0.0.1:8470",
    ) -> None:
        show(fetch(url))


def fetch(url: str) -> list[BridgeStatus]:
    """Raises OutageError where nobody answers there, ConfigurationError where somebody else does."""
    try:
        response = httpx.get(f"{url.rstrip('/')}/status", timeout=10, trust_env=False)
        response.raise_for_status()
        return msgspec.json.decode(response.content, type=_Answer).bridges
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise ConfigurationError(
            say(f"{url} — не адрес; нужен, например, http://127.0.0.1:8470", f"{url} is no address")
        ) from error
    except httpx.HTTPStatusError as error:
        raise ConfigurationError(
            say(
                f"по адресу {url} отвечает не Kreslo (HTTP {error.response.status_code}); укажите --url",
                f"what answers at {url} is not Kreslo (HTTP {error.response.status_code}); give --url",
            )
        ) from error
    except httpx.HTTPError as error:
        raise OutageError(
            say(
                f"по адресу {url} никто не отвечает: Kreslo не запущен или слушает другой порт (--url)",
                f"nobody answers at {url}: Kreslo does not run, or listens on another port (--url)",
            ),
            detail=type(error).__name__,
        ) from error
    except msgspec.DecodeError as error:
        raise ConfigurationError(
            say(f"по адресу {url} отвечает не Kreslo; укажите --url", f"what answers at {url} is not Kreslo")
        ) from error


def show(states: list[BridgeStatus]) -> None:
    console = Console(highlight=False)
    for state in states:
        console.print(
            f"[bold]{escape(state.name)}[/]: {escape(state.source)} → {escape(state.target)}, {_word(state)}"
        )
        table = Table(show_header=False, box=None, padding=(0, 2))
        for label, number in _numbers(state):
            table.add_row(label, str(number))
        for stage, number in state.by_stage.items():
            table.add_row(f"  {escape(stage)}", str(number))
        console.print(table)
        if state.drift:
            console.print(_compared(state.drift))
        for notice in state.notices:
            console.print(f"[yellow]{say('Обратите внимание', 'Note')}[/]: {escape(notice)}")
        if state.last_error and not state.last_error.over:
            error = state.last_error
            console.print(
                f"[red]{say('Последняя ошибка', 'Last error')}[/] {error.at.astimezone():%d.%m %H:%M:%S}, "
                f"{escape(error.where)}: {escape(error.message)}"
            )


def _compared(drift: DriftCounts) -> str:
    found = ", ".join(
        f"{drift_word(DriftKind(kind))} {count}" for kind, count in drift.by_kind.items() if count
    )
    return say(
        f"Сверено {drift.at.astimezone():%d.%m %H:%M}, карточек {drift.cards}: {found or 'расхождений нет'}",
        f"Compared {drift.at.astimezone():%d.%m %H:%M}, cards {drift.cards}: {found or 'no differences'}",
    )


def _word(state: BridgeStatus) -> str:
    if state.paused:
        return f"[yellow]{say('приостановлен', 'paused')}: {escape(state.paused)}[/]"
    if not state.live:
        return f"[red]{say('не работает', 'not running')}[/]"
    if not state.ready:
        more = f": {escape(state.doing)}" if state.doing else ""
        return f"[yellow]{say('готовится', 'getting ready')}{more}[/]"
    return f"[green]{say('работает', 'running')}[/]"


def _numbers(state: BridgeStatus) -> list[tuple[str, object]]:
    return [
        (say("прочитано записей", "records read"), state.read),
        (say("ждут решения", "waiting"), state.waiting),
        (say("отправляется", "being sent"), state.sending),
        (say("подтверждено CRM", "confirmed by the CRM"), state.confirmed),
        (say("исход неизвестен", "outcome unknown"), state.unknown),
        (say("отложено с причиной", "parked"), state.parked),
        (say("ждут решения человека", "waiting for a person"), state.review),
        (say("отставание, с", "lag, s"), round(state.lag_seconds, 1)),
    ]
