"""kreslo review: the questions that a person must decide, and their answers."""

import os
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from kreslo.cli.desk import URL, MappingArgument, StateOption, UrlOption, opened_desk
from kreslo.cli.words import say
from kreslo.connectors.errors import ConfigurationError
from kreslo.service.wire import ReviewShown


def add_to(app: typer.Typer) -> None:
    review = typer.Typer(
        help=say("вопросы, которые решает человек", "questions that a person decides"), no_args_is_help=True
    )
    app.add_typer(review, name="review")

    @review.command("list", help=say("открытые вопросы", "the open questions"))
    def list_(
        mapping: MappingArgument = None,
        *,
        url: UrlOption = URL,
        state: StateOption = "",
        answered: Annotated[
            bool, typer.Option("--answered", help=say("решённые, последние первыми", "those answered"))
        ] = False,
    ) -> None:
        with opened_desk(mapping, url=url, state=state) as desk:
            items = desk.reviews(answered=answered).reviews
        console = Console(highlight=False, soft_wrap=True)
        if not items:
            console.print(say("Вопросов нет.", "There are no questions."))
        for item in items:
            _show(console, item)

    @review.command("answer", help=say("ответить; ответ можно сменить", "answer; an answer may be changed"))
    def answer(
        number: Annotated[int, typer.Argument(metavar="ID", help=say("номер вопроса", "question's number"))],
        mapping: MappingArgument = None,
        *,
        link: Annotated[
            str,
            typer.Option(metavar="TARGET", help=say("это карточка CRM с номером", "this card of the CRM")),
        ] = "",
        new: Annotated[bool, typer.Option("--new", help=say("завести новую", "make a new one"))] = False,
        never: Annotated[bool, typer.Option("--never", help=say("не трогать", "leave it"))] = False,
        by: Annotated[str, typer.Option(help=say("кто решил", "who decided"))] = "",
        url: UrlOption = URL,
        state: StateOption = "",
    ) -> None:
        chosen = [name for name, given in (("link", bool(link)), ("new", new), ("never", never)) if given]
        if len(chosen) != 1:
            raise ConfigurationError(
                say(
                    "нужно одно из: --link НОМЕР, --new, --never", "give one of --link TARGET, --new, --never"
                )
            )
        with opened_desk(mapping, url=url, state=state) as desk:
            desk.answer(number, chosen[0], link, by or _user())
        typer.echo(say(f"Ответ на вопрос {number} принят.", f"The answer to question {number} is taken."))


def _user() -> str:
    """As the system calls whoever typed this; some containers have no name for them."""
    return os.environ.get("USER") or os.environ.get("USERNAME") or "command line"


def _show(console: Console, item: ReviewShown) -> None:
    console.print(
        f"[bold]{item.id}[/] {escape(item.text)} ({escape(item.case)}, {item.asked_at.astimezone():%d.%m %H:%M})"
    )
    for each in item.candidates:
        console.print(f"    {escape(each.target_id)}: {escape(each.name)}, {escape(each.evidence)}")
    if item.choice:
        console.print(f"    {say('ответ', 'answer')}: {item.choice} {escape(item.target_id)}")
