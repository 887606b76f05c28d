"""Names that look wrong, to be corrected in 1C before a message goes out by name: a list of their places, never of names."""

import csv
import os
from pathlib import Path

from connectors.helix.store import Store
from kreslo.connectors.errors import ErrorKind
from kreslo.connectors.model import Problem

LIST = "names.csv"
_SHOWN = 5


def write_list(store: Store, folder: Path) -> None:
    """The whole list, for whoever corrects the clinic's base; no file where there is nothing to correct. Raises OSError."""
    path = folder / LIST
    _, places = store.doubts(None)
    if not places:
        path.unlink(missing_ok=True)
        return
    handle = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8-sig", newline="") as file:
        rows = csv.writer(file, delimiter=";")
        rows.writerow(("Файл", "Строка", "Что не так"))
        rows.writerows(places)


def told(store: Store, folder: Path) -> list[Problem]:
    """How many there are, and where the first of them stand."""
    count, first = store.doubts(_SHOWN)
    if not count:
        return []
    listed = "; ".join(f"{file}, строка {line}: {why}" for file, line, why in first)
    more = f" и ещё {count - len(first)}, весь список: {folder / LIST}" if count > len(first) else ""
    text = f"имена и даты рождения, на которые стоит взглянуть до рассылок по имени: {count}. {listed}{more}"
    return [Problem(text, ErrorKind.DATA, fatal=False)]
