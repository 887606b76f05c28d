"""kreslo check MAPPING: everything that would stop the bridge, found before it runs."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from kreslo.cli.endpoints import opened_source, opened_target
from kreslo.cli.words import say
from kreslo.connectors.errors import KresloError
from kreslo.connectors.model import Problem
from kreslo.mapping.load import MappingFile, load, resolve
from kreslo.mapping.model import CLOCK_PHASES


def add_to(app: typer.Typer) -> None:
    @app.command("check", help=say("проверить файл, МИС и CRM", "check the file, the MIS and the CRM"))
    def check(
        mapping: Annotated[Path, typer.Argument(help=say("файл YAML", "a YAML file"))],
        *,
        offline: Annotated[
            bool, typer.Option("--offline", help=say("только файл, без МИС и CRM", "only the file"))
        ] = False,
    ) -> None:
        console = Console(highlight=False, soft_wrap=True)
        file = load(mapping, judged=not offline)
        console.print(f"[green]✓[/] {escape(str(mapping))}: {say('файл верен', 'the file is right')}")
        if silent_place_missing(file):
            console.print(f"[yellow]![/] {escape(str(mapping))}: {_no_silent_place()}")
        if offline:
            return
        fatal = asyncio.run(check_both(file, console))
        if fatal:
            raise typer.Exit(2)


def silent_place_missing(file: MappingFile) -> bool:
    """Whether a card that must not cause a message has nowhere to wait for its visit."""
    visits = file.draft.appointment
    awaiting = [stage for phase, stage in visits.stages.items() if phase in CLOCK_PHASES] if visits else []
    return bool(awaiting) and all(stage.message for stage in awaiting)


def _no_silent_place() -> str:
    return say(
        "на каждой стадии, где ждут визита, стоит message: true. Карточка пациента, которому писать нельзя или уже написано, "
        "не вернётся с «отменён», если его запишут снова. Уберите робота и message с одной из стадий upcoming, tomorrow, today",
        "each stage on which a visit is awaited has message: true. The card of a patient who may not be written to, or was "
        "already, does not come back from an end when the visit is booked again. Take the robot and message off one of the "
        "stages upcoming, tomorrow, today",
    )


async def check_both(file: MappingFile, console: Console) -> bool:
    """Prints what it finds in the MIS and in the CRM, both, whatever the other one says. True: something stops the
    bridge.
    """
    source = await _problems_of_source(file)
    _print(console, say("МИС", "MIS"), file.source.connector, source)
    target = await _problems_of_target(file)
    _print(console, "CRM", file.target.connector, target)
    return any(problem.fatal for problem in (*source, *target))


async def _problems_of_source(file: MappingFile) -> Sequence[Problem]:
    try:
        async with opened_source(file) as source:
            return await source.check()
    except KresloError as error:
        return [Problem(error.message, error.kind)]


async def _problems_of_target(file: MappingFile) -> Sequence[Problem]:
    try:
        async with opened_target(file) as target:
            problems = list(await target.check())
            if not any(problem.fatal for problem in problems):
                resolve(file, await target.catalog())
            return problems
    except KresloError as error:
        return [Problem(error.message, error.kind)]


def _print(console: Console, what: str, connector: str, problems: Sequence[Problem]) -> None:
    if not problems:
        console.print(f"[green]✓[/] {what} ({escape(connector)}): {say('готова', 'ready')}")
    for problem in problems:
        mark = "[red]✗[/]" if problem.fatal else "[yellow]![/]"
        console.print(f"{mark} {what} ({escape(connector)}): {escape(problem.message)}")
