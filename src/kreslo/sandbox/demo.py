"""The demo's stage: a clinic made up on disk, and what points its mapping at it."""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from kreslo.connectors.contract import source_connector
from kreslo.connectors.errors import ConfigurationError
from kreslo.connectors.sandboxes import SourceSandbox

SOURCE = "ident"
CRMS = {"bitrix24": ("bitrix24",), "amocrm": ("amocrm",), "both": ("bitrix24", "amocrm")}
"""What the demo can be shown with: targets, the first of which is the one that scripts are told of."""
SEED = 20261101


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """When and how the clinic was made. A clinic of another day is stale: nobody worked in it since."""

    seed: int
    patients: int
    day: str


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """Where the demo keeps its things."""

    folder: Path

    @property
    def clinic(self) -> Path:
        return self.folder / "clinic.db"

    @property
    def stamp(self) -> Path:
        return self.folder / "clinic.json"

    def journal(self, target: str) -> Path:
        return self.folder / f"journal-{target}.db"

    @property
    def log(self) -> Path:
        return self.folder / "kreslo.log"

    def crm_log(self, target: str) -> Path:
        return self.folder / f"sandbox-{target}.log"

    @property
    def addresses(self) -> Path:
        """Where everything of the running demo answers, as JSON, for scripts."""
        return self.folder / "demo.json"

    def clear(self, path: Path) -> None:
        """Removes a SQLite database with what SQLite keeps beside it."""
        for suffix in ("", "-wal", "-shm", "-journal"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def clinic_sandbox() -> SourceSandbox:
    """Raises ConfigurationError where the source's connector is not installed or ships no clinic."""
    sandbox: SourceSandbox | None = source_connector(SOURCE).sandbox
    if sandbox is None:
        raise ConfigurationError(f'source "{SOURCE}" ships no demo clinic')
    return sandbox


def make_clinic(stage: Stage, *, now: datetime, patients: int, fresh: bool) -> bool:
    """True where it had to be made: there was none, or it is of another day or size, or `fresh`."""
    stamp = Stamp(seed=SEED, patients=patients, day=now.astimezone().date().isoformat())
    if not fresh and stage.clinic.exists() and _read_stamp(stage.stamp) == stamp:
        return False
    stage.clear(stage.clinic)
    stage.stamp.unlink(missing_ok=True)
    clinic_sandbox().create(stage.clinic, seed=SEED, now=now, patients=patients)
    # Last, so that a clinic that was broken off in the making is made again.
    stage.stamp.write_bytes(msgspec.json.encode(stamp))
    return True


_MAPPINGS = {"bitrix24": "demo.yaml", "amocrm": "demo-amocrm.yaml"}
_SETTINGS = {
    "bitrix24": {"webhook": "KRESLO_DEMO_WEBHOOK"},
    "amocrm": {"address": "KRESLO_DEMO_AMOCRM", "token": "KRESLO_DEMO_AMOCRM_TOKEN"},
}


def demo_mapping(target: str) -> Path:
    """The demo's mapping to this target: package data in an installed Kreslo, in `mappings/` of a checkout. Raises
    ConfigurationError where it is in neither.
    """
    here, name = Path(__file__).resolve(), _MAPPINGS[target]
    places = [here.with_name(name), here.parents[3] / "mappings" / name]
    for place in places:
        if place.exists():
            return place
    raise ConfigurationError(f"the demo's mapping is missing; looked for {' and '.join(map(str, places))}")


def environment(stage: Stage, target: str, crm_settings: dict[str, Any]) -> dict[str, str]:
    """The variables that the demo's mapping names: where its clinic is, and where its CRM."""
    clinic = clinic_sandbox().settings(stage.clinic.absolute())
    reached = {variable: str(crm_settings[name]) for name, variable in _SETTINGS[target].items()}
    return {"KRESLO_DEMO_CLINIC": str(clinic["database"]), **reached}


def _read_stamp(path: Path) -> Stamp | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Stamp)
    except (OSError, msgspec.DecodeError):  # no stamp that can be read: as good as none
        return None
