"""kreslo probe WHAT: what the MIS has of all that its connector reads, without reading a patient."""

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kreslo.cli.words import say
from kreslo.connectors.contract import Source, source_connector
from kreslo.connectors.errors import ConfigurationError
from kreslo.connectors.probing import Probe, Probing, Sight

_VARIABLE = re.compile(r"\$\{(\w+)\}")


def add_to(app: typer.Typer) -> None:
    @app.command(
        "probe",
        help=say(
            "посмотреть, какие таблицы и столбцы есть в МИС, не читая пациентов",
            "look which tables and columns the MIS has, without reading a patient",
        ),
    )
    def probe(
        what: Annotated[
            str,
            typer.Argument(
                help=say(
                    "файл связки или имя коннектора (ident)", "a mapping file, or a connector's name (ident)"
                )
            ),
        ],
        *,
        options: Annotated[
            list[str] | None,
            typer.Option(
                "--option",
                "-o",
                help=say(
                    "настройка коннектора: имя=значение; ${ИМЯ} берётся из окружения",
                    "a connector's option: name=value; ${NAME} is taken from the environment",
                ),
            ),
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help=say("как JSON", "as JSON"))] = False,
    ) -> None:
        found = asyncio.run(_probe(_source(what, options or [])))
        if as_json:
            typer.echo(_json(found))
        else:
            _print(Console(highlight=False, soft_wrap=True), found)
        if any(sight.required and not sight.present for sight in found.sights):
            raise typer.Exit(2)


def _source(what: str, options: list[str]) -> Source:
    from kreslo.cli.endpoints import system_seams  # noqa: PLC0415  with a mapping's whole machinery behind it
    from kreslo.mapping.load import load  # noqa: PLC0415  as above
    from kreslo.sync.opening import build_source  # noqa: PLC0415  as above

    if Path(what).suffix in {".yaml", ".yml"}:
        if options:
            raise ConfigurationError("--option goes with a connector's name; a mapping has its own options")
        return build_source(load(Path(what), judged=False), system_seams())
    connector = source_connector(what)
    given = dict(_option(option) for option in options)
    try:
        return connector.build(connector.options.model_validate(given), system_seams())
    except ValidationError as error:
        told = "; ".join(
            f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}"
            for each in error.errors(include_input=False, include_url=False)
        )
        raise ConfigurationError(f"{what}: {told}; give options as --option name=value") from error


def _option(option: str) -> tuple[str, str]:
    name, sign, value = option.partition("=")
    if not sign:
        raise ConfigurationError(f'--option "{name}": write name=value')
    missing = [variable for variable in _VARIABLE.findall(value) if variable not in os.environ]
    if missing:
        raise ConfigurationError(f"--option {name}: {', '.join(missing)} is not set in the environment")
    return name.strip(), _VARIABLE.sub(lambda match: os.environ[match[1]], value)


async def _probe(source: Source) -> Probe:
    try:
        if not isinstance(source, Probing):
            raise ConfigurationError(
                say(
                    "этот коннектор не умеет осматривать свою МИС; есть kreslo check",
                    "this connector cannot probe its MIS; there is kreslo check",
                )
            )
        return await source.probe()
    finally:
        await source.close()


def _print(console: Console, found: Probe) -> None:
    for name, value in found.facts:
        console.print(f"{escape(name)}: [bold]{escape(value)}[/]")
    table = Table(
        say("набор", "dataset"), say("таблица", "table"), say("столбец", "column"), say("тип", "type"), ""
    )
    for sight in found.sights:
        table.add_row(sight.group, sight.place, sight.name or "—", sight.type, _mark(sight))
    console.print(table)
    missing = [sight for sight in found.sights if not sight.present]
    if not missing:
        console.print(f"[green]✓[/] {say('есть всё, что читается', 'everything that is read is there')}")
    for sight in missing:
        where = f"{sight.place}.{sight.name}" if sight.name else sight.place
        console.print(
            f"{_mark(sight)} {escape(where)}: {say('нет или не видно', 'missing, or not to be seen')}"
        )


def _mark(sight: Sight) -> str:
    return "[green]✓[/]" if sight.present else "[red]✗[/]" if sight.required else "[yellow]![/]"


def _json(found: Probe) -> str:
    sights = [
        {
            "group": sight.group,
            "place": sight.place,
            "name": sight.name,
            "type": sight.type,
            "present": sight.present,
            "required": sight.required,
        }
        for sight in found.sights
    ]
    return json.dumps({"facts": dict(found.facts), "sights": sights}, ensure_ascii=False)
