"""All commands together."""

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from kreslo.cli.words import say

COMMANDS = (
    *("demo", "run", "check", "probe", "setup", "status", "review", "parked", "reconcile", "case", "explain"),
    *("profile", "sandbox", "clinic", "version"),
)
"""Each is a module here with `add_to(app)`, in the order of the help."""


def build_app(arguments: Sequence[str] = ()) -> typer.Typer:
    """The app for this command line: only the command that it names is imported, since the engine takes a second to
    load and `kreslo clinic book` does not need it. All of them where it names none, for the help.
    """
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,  # kreslo.cli.main tells of errors itself
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
        help=say(
            "Kreslo («кресло»: от обращения до кресла) переносит записи клиники из МИС в CRM.",
            "Kreslo («кресло», the chair: from the lead to the chair) carries a clinic's records from its MIS into its CRM.",
        ),
    )

    @app.callback()
    def everywhere(
        *,
        debug: Annotated[
            bool,
            typer.Option(
                "--debug",
                help=say("полный след при внутренней ошибке", "the whole trace of an internal fault"),
            ),
        ] = False,
    ) -> None:
        if debug:
            os.environ["KRESLO_DEBUG"] = "1"

    named = next((word for word in arguments if not word.startswith("-")), "")
    for name in [named] if named in COMMANDS else COMMANDS:
        import_module(f"kreslo.cli.{name}").add_to(app)
    return app
