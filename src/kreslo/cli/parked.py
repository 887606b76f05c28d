"""kreslo parked: what does not go on by itself, with the reason, and what was mended."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from kreslo.cli.desk import URL, MappingArgument, StateOption, UrlOption, opened_desk
from kreslo.cli.words import say


def add_to(app: typer.Typer) -> None:
    parked = typer.Typer(
        help=say("отложенное с причиной", "what is parked, with the reason"), no_args_is_help=True
    )
    app.add_typer(parked, name="parked")

    @parked.command("list", help=say("что отложено и почему", "what is parked, and why"))
    def list_(mapping: MappingArgument = None, *, url: UrlOption = URL, state: StateOption = "") -> None:
        with opened_desk(mapping, url=url, state=state) as desk:
            items = desk.parked().parked
        console = Console(highlight=False, soft_wrap=True)
        if not items:
            console.print(say("Ничего не отложено.", "Nothing is parked."))
        for item in items:
            console.print(
                f"[bold]{item.id}[/] {escape(item.about)}, {item.at.astimezone():%d.%m %H:%M}: {escape(item.reason)}"
            )
            if item.fix:
                console.print(f"    {escape(item.fix)}")

    @parked.command("release", help=say("решено, отправить снова", "mended: try again"))
    def release(
        number: Annotated[int, typer.Argument(metavar="ID", help=say("номер", "its number"))],
        mapping: MappingArgument = None,
        *,
        url: UrlOption = URL,
        state: StateOption = "",
    ) -> None:
        with opened_desk(mapping, url=url, state=state) as desk:
            desk.release(number)
        typer.echo(say(f"{number}: будет решено заново.", f"{number}: it is decided anew."))
