"""kreslo version"""

import platform

import typer

from kreslo import __version__
from kreslo.cli.words import say
from kreslo.connectors.contract import connector_names


def add_to(app: typer.Typer) -> None:
    @app.command("version", help=say("версия и установленные коннекторы", "version and installed connectors"))
    def version() -> None:
        typer.echo(f"kreslo {__version__}, Python {platform.python_version()}")
        typer.echo(
            f"{say('источники', 'sources')}: {', '.join(connector_names('kreslo.sources'))}; "
            f"{say('приёмники', 'targets')}: {', '.join(connector_names('kreslo.targets'))}"
        )
