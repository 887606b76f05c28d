"""kreslo explain campaigns MAPPING: what gives a card of each campaign, and where it stands when."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kreslo.cli.words import length, say
from kreslo.connectors.errors import ConfigurationError
from kreslo.mapping.drafts import CampaignDraft, CampaignStageDraft
from kreslo.mapping.load import load
from kreslo.mapping.model import Occasion


def add_to(explain: typer.Typer) -> None:
    @explain.command(
        "campaigns", help=say("кампании: поводы, сроки, стадии", "campaigns: occasions, times, stages")
    )
    def campaigns(mapping: Annotated[Path, typer.Argument(help=say("файл YAML", "a YAML file"))]) -> None:
        file = load(mapping, judged=False)
        if not file.draft.campaigns:
            raise ConfigurationError(
                say(f"в {mapping} нет раздела campaigns", f"{mapping} has no campaigns section")
            )
        console = Console(highlight=False)
        for each in file.draft.campaigns:
            console.print(f"[bold]{escape(each.name)}[/] → {escape(each.funnel.text)}")
            console.print(escape("; ".join(conditions(each))))
            console.print(_table(each))
        console.print(
            say(
                "Решает первое правило, которое верно; вниз по списку карточка не идёт. ✉: CRM пишет пациенту.",
                "The first rule that holds decides; a card goes up the list only. ✉: the CRM writes to the patient.",
            )
        )


def conditions(plan: CampaignDraft) -> list[str]:
    """When a card is made, and for whom, a line each."""
    lines = [_occasion(plan.on)]
    if plan.after:
        lines.append(say(f"через {length(plan.after)}", f"{length(plan.after)} later"))
    if plan.clock is not None:
        lines.append(say(f"в ближайшие {plan.clock:%H:%M}", f"at the next {plan.clock:%H:%M}"))
    if plan.quiet is not None:
        hours = f"{plan.quiet.since:%H:%M}-{plan.quiet.until:%H:%M}"
        lines.append(say(f"не в тихие часы {hours}", f"not in the quiet hours {hours}"))
    late = length(plan.late)
    lines.append(say(f"опоздав больше чем на {late}, уже нет", f"not any more when it is {late} late"))
    if plan.pause:
        lines.append(say(f"не чаще раза в {length(plan.pause)}", f"once in {length(plan.pause)} at most"))
    if plan.when is not None:
        lines.append(say(f"только если {plan.when.source}", f"only if {plan.when.source}"))
    if plan.unless is not None:
        lines.append(say(f"кроме случая {plan.unless.source}", f"unless {plan.unless.source}"))
    if any(rule.message for rule in plan.stages):
        lines.append(say("кроме тех, кто отказался от сообщений", "but not for who refused messages"))
    return lines


def stage_row(rule: CampaignStageDraft) -> tuple[str, str]:
    """What a rule asks, and its stage."""
    asked = []
    if rule.after:
        asked.append(say(f"прошло {length(rule.after)}", f"{length(rule.after)} passed"))
    if rule.when is not None:
        asked.append(rule.when.source)
    name = f"{rule.name.text} ✉" if rule.message else rule.name.text
    return say(" и ", " and ").join(asked) or say("иначе", "else"), name


def _occasion(on: Occasion) -> str:
    return {
        Occasion.BOOKED: say("пациент записан", "a visit was booked"),
        Occasion.CONFIRMED: say("визит подтверждён", "a visit was confirmed"),
        Occasion.ARRIVED: say("пациент пришёл", "the patient came"),
        Occasion.COMPLETED: say("визит состоялся", "a visit took place"),
        Occasion.CANCELLED: say("визит отменён", "a visit was cancelled"),
        Occasion.RESCHEDULED: say("визит перенесён без новой даты", "a visit was moved without a new date"),
        Occasion.NO_SHOW: say("пациент не пришёл", "nobody came"),
        Occasion.LAST_VISIT: say("последний состоявшийся визит", "the last visit that took place"),
        Occasion.ENTRY: say("строка списка из МИС", "a row of the MIS's list"),
        Occasion.RECALL: say("приглашение, запланированное в МИС", "an invitation planned in the MIS"),
    }[on]


def _table(plan: CampaignDraft) -> Table:
    table = Table("№", say("правило", "rule"), say("стадия", "stage"))
    for number, rule in enumerate(plan.stages, 1):
        table.add_row(str(number), *(escape(cell) for cell in stage_row(rule)))
    return table
