"""kreslo explain statuses MAPPING: which facts of the MIS mean which stage, by this mapping."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kreslo.cli import explain_campaigns
from kreslo.cli.words import length, say
from kreslo.connectors.errors import ConfigurationError
from kreslo.mapping.drafts import AppointmentDraft, EnquiryDraft, StageDraft
from kreslo.mapping.load import load
from kreslo.mapping.model import Phase

Row = tuple[str, str, str]
"""What the rule looks at, the phase that it means, and the stage of the mapping."""


def add_to(app: typer.Typer) -> None:
    explain = typer.Typer(
        help=say("объяснить, что делает файл сопоставления", "explain what a mapping does"),
        no_args_is_help=True,
    )

    app.add_typer(explain, name="explain")
    explain_campaigns.add_to(explain)

    @explain.command("statuses", help=say("правила статусов по порядку", "the status rules, in their order"))
    def statuses(mapping: Annotated[Path, typer.Argument(help=say("файл YAML", "a YAML file"))]) -> None:
        file = load(mapping, judged=False)
        console = Console(highlight=False)
        if file.draft.appointment is None:
            raise ConfigurationError(
                say(f"в {mapping} нет раздела appointment", f"{mapping} has no appointment section")
            )
        title = say(
            "Приём: первое правило, которое верно, решает", "A visit: the first rule that holds decides"
        )
        console.print(_table(title, visit_rows(file.draft.appointment)))
        if file.draft.enquiry is not None:
            console.print(
                _table(
                    say("Обращение без записи", "An enquiry without a visit"),
                    enquiry_rows(file.draft.enquiry),
                )
            )
        console.print(
            say(
                "«—»: у фазы нет своей стадии, карточка остаётся где стоит; новая начинает с «upcoming».",
                '"—": the phase has no stage of its own and moves nothing; a new card starts at "upcoming".',
            )
        )


def visit_rows(plan: AppointmentDraft) -> list[Row]:
    """The rules in the mapping's order; `upcoming` as its three phases of the clock."""
    rows = [
        (
            say("есть следующая запись, перенесённая с этой", "another appointment was moved from this one"),
            say("фаза нового времени", "the new time's phase"),
            say("той же карточки", "of the same card"),
        )
    ]
    for rule in plan.status.order:
        rows += _clock_rows(plan) if rule == "upcoming" else [_rule_row(rule, plan)]
    return rows


def enquiry_rows(plan: EnquiryDraft) -> list[Row]:
    days = length(plan.stale_after)
    return [
        (
            say("у позвонившего уже есть запись", "the caller has a visit ahead"),
            "already_booked",
            _name(plan.already_booked),
        ),
        (say(f"прошло {days}, записи нет", f"{days} passed without a visit"), "stale", _name(plan.stale)),
        (say("иначе", "else"), "new", _name(plan.new)),
    ]


def _rule_row(rule: str, plan: AppointmentDraft) -> Row:
    status = plan.status
    reasons = ", ".join(sorted(status.reschedule_reasons)) or "—"
    grace = length(status.no_show_after)
    confirmed = f" {say('или', 'or')} {status.confirmed.source}" if status.confirmed else ""
    phase, facts = {
        "moved": (
            Phase.RESCHEDULED,
            say(f"отменена по причине: {reasons}", f"cancelled for one of: {reasons}"),
        ),
        "cancelled": (Phase.CANCELLED, say("отменена", "cancelled")),
        "completed": (Phase.COMPLETED, say("выставлен счёт или приём окончен", "billed or ended")),
        "arrived": (Phase.ARRIVED, say("приём начат или пациент пришёл", "started or appeared")),
        "no_show": (
            Phase.NO_SHOW,
            say(f"прошло {grace} после конца, никто не пришёл", f"{grace} after its end nobody had come"),
        ),
        "confirmed": (Phase.CONFIRMED, say("подтверждена в МИС", "confirmed in the MIS") + confirmed),
    }[rule]
    return facts, phase.value, _name(plan.stages.get(phase))


def _clock_rows(plan: AppointmentDraft) -> list[Row]:
    rows = []
    for phase, day_ru, day_en in (
        (Phase.TODAY, "в день приёма", "on the day of the visit"),
        (Phase.TOMORROW, "накануне приёма", "on the day before the visit"),
    ):
        stage = plan.stages.get(phase)
        if stage is not None:
            at = f"{stage.at:%H:%M}"
            rows.append((say(f"{day_ru} с {at}", f"{day_en} from {at}"), phase.value, _name(stage)))
    upcoming = _name(plan.stages.get(Phase.UPCOMING))
    return [*rows, (say("иначе", "else"), Phase.UPCOMING.value, upcoming)]


def _name(stage: StageDraft | None) -> str:
    """✉: the CRM writes to the patient there."""
    if stage is None:
        return "—"
    return f"{stage.name.text} ✉" if stage.message else stage.name.text


def _table(title: str, rows: list[Row]) -> Table:
    table = Table("№", say("факты", "facts"), say("фаза", "phase"), say("стадия", "stage"), title=title)
    for number, row in enumerate(rows, 1):
        table.add_row(str(number), *(escape(cell) for cell in row))
    return table
