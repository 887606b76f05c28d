"""How a command fails: one message that says what, where and what to do; a traceback only where asked for."""

import os
import platform
import sys
import tempfile
import traceback
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from kreslo import __version__
from kreslo.cli.words import say
from kreslo.connectors.errors import ErrorKind, KresloError
from kreslo.service.logs import frames

WRONG_SETTINGS = 2
"""Exit code of everything that a person must mend: settings, rights, an address where nobody answers."""

INTERNAL = 70
"""Exit code of a fault of our own (EX_SOFTWARE of sysexits.h)."""


def tell_failure(error: KresloError) -> int:
    """Prints the message and what to do on stderr; the exit code."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    what, advice = _by_kind(error.kind)
    console.print(f"[bold red]{say('Ошибка', 'Error')}[/] ({what}): {escape(error.message)}")
    console.print(f"[bold]{say('Что делать', 'What to do')}:[/] {advice}")
    if error.detail and os.environ.get("KRESLO_DEBUG"):
        console.print(f"{say('Подробности', 'Detail')}: {escape(error.detail)}")
    return WRONG_SETTINGS


def tell_fault(error: Exception) -> int:
    """An error that nobody foresaw: kept in a file without values (no patient's data), to be sent to us."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(
        f"[bold red]{say('Внутренняя ошибка Kreslo', 'An internal fault of Kreslo')}[/]: {type(error).__name__}"
    )
    if os.environ.get("KRESLO_DEBUG"):
        traceback.print_exception(error)
        return INTERNAL
    report = (
        f"Kreslo {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"{' '.join(sys.argv[1:2])}\n{frames((type(error), error, error.__traceback__))}\n"
    )
    kept = _keep(report)
    if kept is None:
        console.print(say("Пришлите разработчикам этот текст:", "Please send the developers this text:"))
        console.print(escape(report))
    else:
        console.print(
            say(
                f"Пришлите разработчикам файл {kept}: в нём нет данных пациентов и паролей. "
                "Повторить с полным следом: --debug.",
                f"Please send the developers the file {kept}: it holds no patients' data and no passwords. "
                "To see the whole trace: --debug.",
            )
        )
    return INTERNAL


def _keep(report: str) -> Path | None:
    """The report's file, beside the user if possible, else among temporary files; None where neither can be written."""
    name = f"kreslo-fault-{datetime.now().astimezone():%Y%m%d-%H%M%S}.txt"
    for folder in (Path.cwd(), Path(tempfile.gettempdir())):
        try:
            (folder / name).write_text(report, encoding="utf-8")
        except OSError:
            continue
        return folder / name
    return None


def _by_kind(kind: ErrorKind) -> tuple[str, str]:
    """What sort of thing it is, and what to do about it."""
    return {
        ErrorKind.CONFIGURATION: (
            say("настройки", "settings"),
            say(
                "исправьте названное выше и повторите; проверить файл целиком: kreslo check ФАЙЛ",
                "mend what is named above and try again; to check a whole file: kreslo check FILE",
            ),
        ),
        ErrorKind.PERMISSION: (
            say("нет прав", "no permission"),
            say(
                "проверьте логин, вебхук или токен и его права; не отозван ли он",
                "check the login, webhook or token and its rights, and that it has not been revoked",
            ),
        ),
        ErrorKind.DATA: (
            say("данные", "data"),
            say("исправьте запись там, где она ведётся", "correct the record where it is kept"),
        ),
        ErrorKind.LIMIT: (
            say("ограничение CRM", "a limit of the CRM"),
            say("подождите минуту и повторите", "wait a minute and try again"),
        ),
        ErrorKind.OUTAGE: (
            say("нет связи", "no connection"),
            say(
                "проверьте, что система работает и доступна с этой машины (адрес, порт, сеть), и повторите",
                "check that the system runs and is reachable from here (address, port, network), and try again",
            ),
        ),
        ErrorKind.UNKNOWN: (
            say("исход неизвестен", "outcome unknown"),
            say(
                "повторите: Kreslo сначала посмотрит в CRM, была ли запись сделана",
                "try again: Kreslo first looks in the CRM whether the write was applied",
            ),
        ),
    }[kind]
