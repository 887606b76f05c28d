"""The import, as it goes: a bar on a terminal, a line now and then elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from kreslo.cli.words import say
from kreslo.sync.status import BridgeStatus

EVERY_SECONDS = 10.0


class ImportProgress:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = time.monotonic()
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[more]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bars.add_task(say("Импорт", "Import"), total=None, more="")

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def show(self, state: BridgeStatus) -> None:
        known = state.done + state.waiting
        more = say(
            f"прочитано {state.read}, подтверждено {state.confirmed}, в пути {state.sending}",
            f"read {state.read}, confirmed {state.confirmed}, under way {state.sending}",
        )
        if state.doing:
            more = escape(state.doing)
        if state.paused:
            more = f"{say('пауза', 'paused')}: {escape(state.paused)}"
        self._bars.update(self._task, completed=state.done, total=known or None, more=more)
        if not self._console.is_terminal and time.monotonic() - self._last >= EVERY_SECONDS:
            self._last = time.monotonic()
            self._console.print(f"{say('Импорт', 'Import')}: {state.done}/{known}, {more}")
