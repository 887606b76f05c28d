"""kreslo profile FILE: what a sample file is, and a piece of a mapping to start from."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from kreslo.cli.words import say
from kreslo.connectors.contract import SampleReport, source_connector
from kreslo.connectors.errors import ConfigurationError


def add_to(app: typer.Typer) -> None:
    @app.command(
        "profile",
        help=say(
            "прочитать образец файла и предложить профиль", "read a sample file and propose a profile for it"
        ),
    )
    def profile(
        file: Annotated[
            Path, typer.Argument(exists=True, dir_okay=False, help=say("образец выгрузки", "a sample file"))
        ],
        source: Annotated[str, typer.Option(help=say("источник", "the source"))] = "helix",
        out: Annotated[
            Path | None, typer.Option("--out", help=say("куда записать профиль", "where to write it"))
        ] = None,
    ) -> None:
        console = Console(highlight=False, soft_wrap=True, stderr=True)
        report = sample_report(source, file)
        for note in report.notes:
            console.print(f"[dim]·[/] {escape(note)}")
        if out is None:
            typer.echo(report.text, nl=False)
            return
        if out.exists():
            raise ConfigurationError(
                say(f"{out} уже есть: назовите другой файл", f"{out} exists: name another file")
            )
        out.write_text(report.text, encoding="utf-8")
        console.print(say(f"Профиль записан: {out}", f"The profile is in {out}"))


def sample_report(source: str, file: Path) -> SampleReport:
    """Raises ConfigurationError where the source reads no files, DataError where it cannot read this one."""
    sample = source_connector(source).sample
    if sample is None:
        raise ConfigurationError(
            say(f"источник «{source}» не читает файлов", f'source "{source}" reads no files')
        )
    return sample(file)
