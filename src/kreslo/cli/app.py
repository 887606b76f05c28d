"""All commands together."""

import os
from typing import Annotated

import typer

from kreslo.cli import check, clinic, demo, explain, run, sandbox, setup, status, version
from kreslo.cli.words import say


def build_app() -> typer.Typer:
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

    demo.add_to(app)
    run.add_to(app)
    check.add_to(app)
    setup.add_to(app)
    status.add_to(app)
    explain.add_to(app)
    sandbox.add_to(app)
    clinic.add_to(app)
    version.add_to(app)
    return app
