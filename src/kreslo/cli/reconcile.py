"""kreslo reconcile: the comparison of MIS, journal and CRM, now rather than at night."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kreslo.cli.desk import URL, MappingArgument, StateOption, UrlOption, opened_desk
from kreslo.cli.words import drift_word, say
from kreslo.connectors.errors import ConfigurationError, DataError
from kreslo.sync.drift import Compared, DriftKind, Reconciled


def add_to(app: typer.Typer) -> None:
    @app.command(
        "reconcile",
        help=say("сравнить МИС, журнал и CRM, не дожидаясь ночи", "compare MIS, journal and CRM now"),
    )
    def reconcile(
        mapping: MappingArgument = None,
        *,
        heal: Annotated[
            bool, typer.Option("--heal", help=say("исправить, что разошлось", "mend what differs"))
        ] = False,
        yes: Annotated[
            bool,
            typer.Option("--yes", help=say("исправить, сколько бы ни было", "however much that is")),
        ] = False,
        url: UrlOption = URL,
        state: StateOption = "",
    ) -> None:
        if yes and not heal:
            raise ConfigurationError(say("--yes пишут вместе с --heal", "--yes goes with --heal"))
        with opened_desk(mapping, url=url, state=state) as desk:
            compared = desk.reconcile(heal=heal, sure=yes)
        _show(Console(highlight=False, soft_wrap=True), compared)
        stopped = [f"{each.kind}: {each.stopped}" for each in compared.mis if each.stopped]
        if stopped:
            raise DataError(
                say(
                    f"сравнение с МИС остановлено, ничего не названо удалённым; проверьте источник: {'; '.join(stopped)}",
                    f"stopped, nothing was called gone; check the source: {'; '.join(stopped)}",
                )
            )
        if heal and compared.stopped:
            raise DataError(say("ничего не исправлено: ", "nothing was mended: ") + compared.stopped)


def _show(console: Console, compared: Compared) -> None:
    heads = (
        ("вид", "kind"),
        ("сравнено", "compared"),
        ("удалено в МИС", "gone"),
        ("найдено", "found"),
        ("не читается", "unreadable"),
    )
    table = Table(*(say(*head) for head in heads))
    for each in compared.mis:
        table.add_row(*_cells(each))
    console.print(table)
    for drift in compared.drift:
        what = f": {', '.join(drift.what)}" if drift.what else ""
        target = f" ({drift.target_id})" if drift.target_id else ""
        console.print(f"  {drift_word(drift.kind)}: {escape(drift.card + target + what)}")
    counts = ", ".join(f"{drift_word(DriftKind(kind))} {count}" for kind, count in compared.counts.items())
    console.print(
        say(
            f"Карточек сравнено: {compared.cards}; {counts}. Ждут своей очереди случаев: {compared.waiting}.",
            f"Cards compared: {compared.cards}; {counts}. Cases that wait anyway: {compared.waiting}.",
        )
    )
    if compared.healed:
        console.print(say(f"Будет исправлено: {compared.healed}.", f"To be mended now: {compared.healed}."))
    elif compared.moves:
        console.print(
            say(
                f"Исправление (--heal) затронет: {compared.moves}.",
                f"Mending (--heal) would touch: {compared.moves}.",
            )
        )


def _cells(each: Reconciled) -> list[str]:
    counts = (each.known, each.gone, each.found, each.unreadable)
    return [each.kind, *(str(count) for count in counts)]
