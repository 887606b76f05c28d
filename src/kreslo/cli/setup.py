"""kreslo setup MAPPING: make in the CRM the fields and stages that the mapping needs."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from kreslo.cli.endpoints import opened_target
from kreslo.cli.words import say
from kreslo.mapping.load import MappingFile, load


def add_to(app: typer.Typer) -> None:
    @app.command(
        "setup",
        help=say("создать в CRM нужные поля и стадии", "make the needed fields and stages in the CRM"),
    )
    def setup(
        mapping: Annotated[Path, typer.Argument(help=say("файл YAML", "a YAML file"))],
        *,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help=say("только показать, ничего не создавать", "only show"))
        ] = False,
    ) -> None:
        made = asyncio.run(set_up(load(mapping), dry_run=dry_run))
        console = Console(highlight=False)
        for line in made:
            console.print(f"  {'·' if dry_run else '[green]+[/]'} {escape(line)}")
        if not made:
            console.print(say("В CRM уже есть всё, что нужно.", "The CRM already has all that is needed."))
        elif dry_run:
            console.print(say("Ничего не создано: это был показ.", "Nothing was made: this was a dry run."))


async def set_up(mapping: MappingFile, *, dry_run: bool) -> list[str]:
    """What was made (or would be). Raises KresloError."""
    async with opened_target(mapping) as target:
        return await target.setup(mapping.needed(), dry_run=dry_run)
