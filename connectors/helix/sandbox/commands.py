"""What a person can do in the demo clinic by hand: book, cancel, drop the files, show the next visits."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Annotated

import typer

from connectors.helix.sandbox import clinic, files
from connectors.helix.sandbox.clinic import ZONE
from connectors.helix.sandbox.people import DOCTORS

Folder = Annotated[Path, typer.Option("--clinic", envvar="KRESLO_DEMO_HELIX", help="Папка демо-клиники")]
_DEFAULT = Path(".demo/helix")


def commands(now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> typer.Typer:
    app = typer.Typer(
        name="clinic", help="Демо-клиника на 1С: запись, отмена, выгрузка", no_args_is_help=True
    )

    def local() -> datetime:
        return now().astimezone(ZONE).replace(tzinfo=None)

    @app.command("book", help="Записать случайного пациента")
    def _book(folder: Folder = _DEFAULT) -> None:
        books = clinic.load(folder)
        visit = clinic.book(books, Random(), local())
        clinic.save(folder, books)
        files.visits(folder / "drop", books, local())
        typer.echo(f"Записано: № {visit.id}, {visit.start:%d.%m %H:%M}, {DOCTORS[visit.doctor][0]}")

    @app.command("cancel", help="Отменить запись")
    def _cancel(number: Annotated[int, typer.Argument(metavar="НОМЕР")], folder: Folder = _DEFAULT) -> None:
        books = clinic.load(folder)
        visit = next((each for each in books.visits if each.id == number and each.state == "booked"), None)
        if visit is None:
            typer.echo(f"Записи № {number} нет или она уже не предстоит", err=True)
            raise typer.Exit(2)
        visit.state = "cancelled"
        clinic.save(folder, books)
        files.visits(folder / "drop", books, local())
        typer.echo(f"Отменено: № {number}")

    @app.command("drop", help="Выгрузить файлы сейчас")
    def _drop(folder: Folder = _DEFAULT) -> None:
        books = clinic.load(folder)
        typer.echo(files.visits(folder / "drop", books, local()))
        typer.echo(files.patients(folder / "drop", books, local()))

    @app.command("show", help="Показать ближайшие записи")
    def _show(folder: Folder = _DEFAULT) -> None:
        books = clinic.load(folder)
        names = {person.id: person.name for person in books.people}
        ahead = sorted((each for each in books.visits if each.start > local()), key=lambda each: each.start)
        for visit in ahead[:20]:
            typer.echo(f"№ {visit.id}  {visit.start:%d.%m %H:%M}  {names[visit.patient]}  {visit.state}")

    return app
