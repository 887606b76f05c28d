"""Points at which the Helix source can be killed: both sides of each commit of its own state, and while it copies a file."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from connectors.helix import drop
from connectors.helix.store import Store
from tests.crash.points import Points


def watch_files(points: Points) -> None:
    """Commits under the name of what asked for them. For a process that lives once: nothing is taken back."""
    writing: Callable[[Store], AbstractContextManager[None]] = Store.writing
    copied = drop._copied

    def watched(store: Store) -> AbstractContextManager[None]:
        who = sys._getframe(1).f_code.co_name.strip("_")

        @contextmanager
        def marked() -> Iterator[None]:
            with writing(store):
                yield
                points.passed(f"files: before the commit of {who}")
            points.passed(f"files: after the commit of {who}")

        return marked()

    def copying(source: Path, target: Path) -> str:
        points.passed("files: before a copy")
        sha = copied(source, target)
        points.passed("files: between copy and ledger")
        return sha

    Store.writing = watched  # type: ignore[method-assign,assignment]
    drop._copied = copying
