"""kreslo case: what a patient's records came to, and by which rules."""

from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from kreslo.cli.desk import URL, MappingArgument, Sought, StateOption, UrlOption, opened_desk
from kreslo.cli.words import say
from kreslo.connectors.errors import ConfigurationError
from kreslo.service.wire import CaseShown

MOST = 20


def add_to(app: typer.Typer) -> None:
    @app.command("case", help=say("почему карточки пациента такие", "why a patient's cards are as they are"))
    def case(
        mapping: MappingArgument = None,
        *,
        phone: Annotated[str, typer.Option(help=say("телефон", "phone"))] = "",
        last4: Annotated[str, typer.Option(help=say("последние 4 цифры", "its last four digits"))] = "",
        card: Annotated[str, typer.Option(help=say("номер медкарты", "card number"))] = "",
        name: Annotated[str, typer.Option(help=say("фамилия и имя", "surname and name"))] = "",
        key: Annotated[str, typer.Option(help=say("ключ случая", "the case's key"))] = "",
        url: UrlOption = URL,
        state: StateOption = "",
    ) -> None:
        sought = Sought(phone=phone, card=card, last4=last4, name=name)
        if not (key or any(each.strip() for each in sought)):
            raise ConfigurationError(
                say(
                    "нужно одно из: --phone, --last4, --card, --name, --key",
                    "give --phone, --last4, --card, --name or --key",
                )
            )
        console = Console(highlight=False, soft_wrap=True)
        with opened_desk(mapping, url=url, state=state) as desk:
            keys = [key] if key else desk.cases(sought).cases
            for each in keys[:MOST]:
                _show(console, desk.case(each))
        if not keys:
            console.print(say("Ничего не найдено.", "Nothing was found."))
        if len(keys) > MOST:
            console.print(say(f"И ещё {len(keys) - MOST}.", f"And {len(keys) - MOST} more."))


def _show(console: Console, said: CaseShown) -> None:
    console.print(f"[bold]{escape(said.case)}[/]")
    rows = (
        (say("решено", "decided"), _moment(said.decided_at)),
        (say("что разбудило", "woken by"), said.why),
        (say("ждёт решения с", "due since"), _moment(said.due_at)),
        (say("часы разбудят", "the clock wakes it"), _moment(said.wake_at)),
        *((say("правило", "rule"), rule) for rule in said.rules),
        *((say("расхождение", "drift"), line) for line in said.drift),
        *(
            (say("без карточки", "no card"), f"{record}: {reason}")
            for record, reason in said.filtered.items()
        ),
    )
    for label, text in rows:
        if text:
            console.print(f"  {label}: {escape(text)}")


def _moment(value: datetime | None) -> str:
    return f"{value.astimezone():%d.%m.%Y %H:%M}" if value else ""
