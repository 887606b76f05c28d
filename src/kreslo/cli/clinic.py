"""kreslo clinic …: what a person can do in the demo clinic by hand. The commands are the connector's own."""

from typing import Annotated, Any

import typer

from kreslo.cli.words import say
from kreslo.connectors.contract import source_connector
from kreslo.connectors.errors import ConfigurationError

CLINIC = "ident"


def add_to(app: typer.Typer) -> None:
    # Passed on unread, so that no other command has to wait for the connector to be imported.
    @app.command(
        "clinic",
        help=say(
            "демо-клиника: записать, перенести, отменить, завершить",
            "the demo clinic: book, move, cancel, finish",
        ),
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )
    def clinic(context: typer.Context, source: Annotated[str, typer.Option()] = CLINIC) -> None:
        commands(source)(context.args, prog_name="kreslo clinic")


def commands(name: str) -> Any:
    """The typer app of that source's sandbox. Raises ConfigurationError where it ships none."""
    sandbox = source_connector(name).sandbox
    if sandbox is None:
        raise ConfigurationError(
            say(f"у источника «{name}» нет демо-клиники", f'source "{name}" ships no demo clinic')
        )
    return sandbox.commands()
