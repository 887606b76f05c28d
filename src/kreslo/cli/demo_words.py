"""What the demo says to the person who started it."""

from pathlib import Path

from rich.markup import escape

from kreslo.cli.words import say


def clinic(path: Path, patients: int, *, made: bool) -> str:
    there = (
        say("создана", "made")
        if made
        else say("та же, что раньше (новая: --fresh)", "as before (a new one: --fresh)")
    )
    return say(
        f"Клиника: {there}, пациентов {patients}, файл {escape(str(path))}",
        f"The clinic: {there}, {patients} patients, in {escape(str(path))}",
    )


def crm(url: str, leads: int) -> str:
    return say(
        f"Песочница Битрикс24: {url}/, в ней {leads} лидов с сайта и звонков",
        f"The Bitrix24 sandbox: {url}/, with {leads} leads from the site and calls",
    )


def where_to_look(page: str, crm_url: str, clinic_path: Path, seconds: float, *, speed: float) -> str:
    option = "" if clinic_path == Path(".demo/clinic.db") else f" --database {escape(str(clinic_path))}"
    pace_ru = (
        f"Клиника живёт: час за {60 / speed:.1f} мин." if speed else "Клиника стоит на месте (--speed 0)."
    )
    pace_en = (
        f"The clinic lives: an hour in {60 / speed:.1f} min."
        if speed
        else "The clinic stands still (--speed 0)."
    )
    return say(
        f"""
[bold green]Всё перенесено за {seconds:.0f} с.[/] {pace_ru}

  Страница Kreslo   {page}
  Доски CRM         {crm_url}/

Запишите пациента сами и смотрите на доску:

  kreslo clinic book --name "Иванова Мария Петровна" --phone "+7 900 123-45-67" --at "завтра 10:00"{option}
  kreslo clinic show{option}          все команды: kreslo clinic --help

Ctrl-C останавливает демо.
""",
        f"""
[bold green]All is carried over, in {seconds:.0f} s.[/] {pace_en}

  Kreslo's page     {page}
  The CRM's boards  {crm_url}/

Book a patient yourself and watch the board:

  kreslo clinic book --name "Иванова Мария Петровна" --phone "+7 900 123-45-67" --at "завтра 10:00"{option}
  kreslo clinic show{option}          all commands: kreslo clinic --help

Ctrl-C stops the demo.
""",
    )
