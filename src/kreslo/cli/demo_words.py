"""What the demo says to the person who started it."""

from collections.abc import Sequence
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


_NAMES = {"bitrix24": ("Битрикс24", "Bitrix24"), "amocrm": ("amoCRM", "amoCRM")}


def crm(target: str, url: str, leads: int) -> str:
    russian, english = _NAMES[target]
    return say(
        f"Песочница {russian}: {url}/, в ней {leads} лидов с сайта и звонков",
        f"The {english} sandbox: {url}/, with {leads} leads from the site and calls",
    )


def boards(target: str) -> str:
    """Of the link to a sandbox's page."""
    russian, english = _NAMES[target]
    return say(f"Доски песочницы {russian}", f"Boards of the {english} sandbox")


def where_to_look(
    page: str, crm_urls: Sequence[str], by_hand: Sequence[str], seconds: float, *, speed: float
) -> str:
    crms = "  ".join(f"{url}/" for url in crm_urls)
    commands = "\n".join(f"  {escape(command)}" for command in by_hand)
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
  Доски CRM         {crms}

Запишите пациента сами и смотрите на доску:

{commands}          все команды: kreslo clinic --help

Ctrl-C останавливает демо.
""",
        f"""
[bold green]All is carried over, in {seconds:.0f} s.[/] {pace_en}

  Kreslo's page     {page}
  The CRM's boards  {crms}

Book a patient yourself and watch the board:

{commands}          all commands: kreslo clinic --help

Ctrl-C stops the demo.
""",
    )
