"""Empty journals: the migrations need not run for each."""

import tempfile
from functools import cache
from pathlib import Path

from kreslo.journal import Journal


@cache
def _empty() -> dict[str, bytes]:
    """By what follows the journal's name: its file, and its key file."""
    with tempfile.TemporaryDirectory(prefix="kreslo-empty-") as folder:
        made = Path(folder) / "journal.db"
        Journal.open(f"sqlite:///{made}").close()
        return {file.name.removeprefix(made.name): file.read_bytes() for file in made.parent.iterdir()}


def lay_empty_journal(path: Path) -> str:
    """A migrated journal without a row at `path`, and its key beside it; its address."""
    for rest, content in _empty().items():
        path.with_name(path.name + rest).write_bytes(content)
    return f"sqlite:///{path}"
