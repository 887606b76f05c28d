"""`kreslo clinic …`: what a person can do in the demo clinic by hand, in the place of iDent's own windows."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from connectors.ident.sandbox import finding, program
from connectors.ident.sandbox.finding import ProgramError
from connectors.ident.sandbox.moments import MomentError, local, spoken
from connectors.ident.sandbox.views import card, diary

Database = Annotated[
    Path,
    typer.Option(
        "--clinic",
        "--database",
        envvar="KRESLO_DEMO_CLINIC",
        help="Файл базы демо-клиники",
        show_default=True,
    ),
]
DEFAULT_DATABASE = Path(".demo/clinic.db")
Number = Annotated[int, typer.Argument(metavar="НОМЕР", help="Номер записи")]
At = Annotated[str, typer.Option("--at", help="«завтра 10:00», «25.12 10:00» или 2025-12-25T10:00")]
Minutes = Annotated[int, typer.Option("--minutes", min=5, max=720, help="Длительность приёма")]
Doctor = Annotated[str, typer.Option("--doctor", help="Врач: номер или часть имени")]
Branch = Annotated[str, typer.Option("--branch", help="Филиал: номер или часть названия")]


def commands(now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> typer.Typer:
    """The typer app. `now`: an aware clock. What is refused is said in Russian on stderr, with exit code 2."""
    app = typer.Typer(
        name="clinic", help="Демо-клиника: запись, перенос, отмена, приём", no_args_is_help=True
    )

    @app.command("book", help="Записать пациента на приём")
    def _book(
        name: Annotated[str, typer.Option("--name", help="«Иванова Мария Петровна»")],
        phone: Annotated[str, typer.Option("--phone", help="«+7 900 123-45-67»")],
        at: At,
        doctor: Doctor = "",
        branch: Branch = "",
        minutes: Minutes = 60,
        database: Database = DEFAULT_DATABASE,
    ) -> None:
        with _at_work(database) as connection:
            moment = _moment(at, local(now()))
            slot = finding.free_slot(
                connection,
                moment,
                minutes,
                doctor=finding.doctor_named(connection, doctor) if doctor else None,
                branch=finding.branch_named(connection, branch) if branch else None,
            )
            number = program.book(connection, local(now()), name=name, phone=phone, slot=slot)
            typer.echo(f"Записано: № {number}\n{card(connection, number, local(now()))}")

    @app.command("move", help="Перенести приём на другое время: старая запись отменится, появится новая")
    def _move(number: Number, at: At, doctor: Doctor = "", database: Database = DEFAULT_DATABASE) -> None:
        with _at_work(database) as connection:
            old = finding.reception(connection, number)
            length = datetime.fromisoformat(old["PlanEnd"]) - datetime.fromisoformat(old["PlanStart"])
            who = finding.doctor_named(connection, doctor) if doctor else old["ID_Staffs"]
            moment = _moment(at, local(now()))
            slot = finding.free_slot(
                connection, moment, round(length.total_seconds() / 60), doctor=who, leaving=number
            )
            new = program.move(connection, local(now()), number, slot)
            typer.echo(f"Перенесено: № {number} → № {new}\n{card(connection, new, local(now()))}")

    @app.command("cancel", help="Отменить приём")
    def _cancel(
        number: Number,
        reason: Annotated[str, typer.Option("--reason", help="Причина из справочника или свой текст")] = "",
        database: Database = DEFAULT_DATABASE,
    ) -> None:
        with _at_work(database) as connection:
            program.cancel(connection, local(now()), number, reason)
            typer.echo(f"Отменено\n{card(connection, number, local(now()))}")

    @app.command("arrive", help="Пациент пришёл")
    def _arrive(number: Number, database: Database = DEFAULT_DATABASE) -> None:
        with _at_work(database) as connection:
            program.arrive(connection, local(now()), number)
            typer.echo(f"Пациент пришёл\n{card(connection, number, local(now()))}")

    @app.command("finish", help="Завершить приём и выставить счёт; ещё раз — исправить сумму")
    def _finish(
        number: Number,
        amount: Annotated[int, typer.Option("--amount", help="Сумма, рублей")],
        insured: Annotated[bool, typer.Option("--insured", help="Платит страховая (ДМС)")] = False,
        database: Database = DEFAULT_DATABASE,
    ) -> None:
        with _at_work(database) as connection:
            program.finish(connection, local(now()), number, amount, insured=insured)
            typer.echo(f"Завершено\n{card(connection, number, local(now()))}")

    @app.command("enquiry", help="Обращение без записи")
    def _enquiry(
        phone: Annotated[str, typer.Option("--phone", help="«+7 900 123-45-67»")],
        name: Annotated[str, typer.Option("--name", help="Как представились")] = "",
        result: Annotated[str, typer.Option("--result", help="Чем кончилось")] = "",
        database: Database = DEFAULT_DATABASE,
    ) -> None:
        with _at_work(database) as connection:
            number = program.enquiry(connection, local(now()), phone=phone, name=name, result=result)
            typer.echo(f"Обращение: № {number}")

    @app.command("show", help="Показать запись, а без номера — ближайшие")
    def _show(
        number: Annotated[int | None, typer.Argument(metavar="[НОМЕР]", help="Номер записи")] = None,
        database: Database = DEFAULT_DATABASE,
    ) -> None:
        with _at_work(database) as connection:
            typer.echo(
                diary(connection, local(now())) if number is None else card(connection, number, local(now()))
            )

    return app


def _moment(text: str, now: datetime) -> datetime:
    try:
        return spoken(text, now)
    except MomentError as error:
        raise ProgramError(
            f"Время «{text}» не читается: напишите «завтра 10:00», «25.12 10:00» или 2025-12-25T10:00"
        ) from error


@contextmanager
def _at_work(database: Path) -> Iterator[sqlite3.Connection]:
    try:
        with finding.opened(database) as connection:
            yield connection
    except ProgramError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    except sqlite3.OperationalError as error:
        typer.echo(f"База клиники занята или недоступна: {error}. Повторите позже", err=True)
        raise typer.Exit(2) from error
