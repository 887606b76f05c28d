"""kreslo reconcile: the comparison with the MIS, now rather than at night."""

import typer
from rich.console import Console
from rich.table import Table

from kreslo.cli.desk import URL, MappingArgument, StateOption, UrlOption, opened_desk
from kreslo.cli.words import say
from kreslo.connectors.errors import DataError


def add_to(app: typer.Typer) -> None:
    @app.command(
        "reconcile", help=say("сравнить с МИС сейчас, не дожидаясь ночи", "compare with the MIS now")
    )
    def reconcile(mapping: MappingArgument = None, *, url: UrlOption = URL, state: StateOption = "") -> None:
        with opened_desk(mapping, url=url, state=state) as desk:
            results = desk.reconcile().results
        heads = (
            ("вид", "kind"),
            ("сравнено", "compared"),
            ("удалено в МИС", "gone"),
            ("найдено", "found"),
            ("не читается", "unreadable"),
        )
        table = Table(*(say(*head) for head in heads))
        for each in results:
            table.add_row(each.kind, str(each.known), str(each.gone), str(each.found), str(each.unreadable))
        Console(highlight=False).print(table)
        stopped = [f"{each.kind}: {each.stopped}" for each in results if each.stopped]
        if stopped:
            raise DataError(
                say(
                    f"сравнение остановлено, ничего не названо удалённым; проверьте источник: {'; '.join(stopped)}",
                    f"stopped, nothing was called gone; check the source: {'; '.join(stopped)}",
                )
            )
