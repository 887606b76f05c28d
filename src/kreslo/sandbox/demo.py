"""The demo's stage: a clinic made up on disk, and what points its mapping at it."""

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from kreslo.connectors.contract import source_connector
from kreslo.connectors.errors import ConfigurationError
from kreslo.connectors.sandboxes import SourceSandbox

CRMS = {"bitrix24": ("bitrix24",), "amocrm": ("amocrm",), "both": ("bitrix24", "amocrm")}
"""What the demo can be shown with: targets, the first of which is the one that scripts are told of."""
SEED = 20261101


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """When and how the clinic was made. A clinic of another day is stale: nobody worked in it since."""

    seed: int
    patients: int
    day: str


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """Where the demo keeps its things. `source`: the connector whose clinic is shown."""

    folder: Path
    source: str

    @property
    def sandbox(self) -> SourceSandbox:
        """Raises ConfigurationError where the source's connector is not installed or ships no clinic."""
        sandbox: SourceSandbox | None = source_connector(self.source).sandbox
        if sandbox is None:
            raise ConfigurationError(f'source "{self.source}" ships no demo clinic')
        return sandbox

    @property
    def clinic(self) -> Path:
        return self.folder / self.sandbox.place

    @property
    def stamp(self) -> Path:
        return self.folder / f"clinic-{self.source}.json"

    def journal(self, target: str) -> Path:
        return self.folder / f"journal-{self.source}-{target}.db"

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
        """Removes a folder with all that is in it, or a SQLite database with what SQLite keeps beside it."""
        if path.is_dir():
            shutil.rmtree(path)
            return
        for suffix in ("", "-wal", "-shm", "-journal"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def make_clinic(stage: Stage, *, now: datetime, patients: int, fresh: bool) -> bool:
    """True where it had to be made: there was none, or it is of another day or size, or `fresh`."""
    stamp = Stamp(seed=SEED, patients=patients, day=now.astimezone().date().isoformat())
    if not fresh and stage.clinic.exists() and _read_stamp(stage.stamp) == stamp:
        return False
    stage.clear(stage.clinic)
    stage.stamp.unlink(missing_ok=True)
    stage.sandbox.create(stage.clinic, seed=SEED, now=now, patients=patients)
    # Last, so that a clinic that was broken off in the making is made again.
    stage.stamp.write_bytes(msgspec.json.encode(stamp))
    return True


_SETTINGS = {
    "bitrix24": {"webhook": "KRESLO_DEMO_WEBHOOK"},
    "amocrm": {"address": "KRESLO_DEMO_AMOCRM", "token": "KRESLO_DEMO_AMOCRM_TOKEN"},
}


def demo_mapping(source: str, target: str) -> Path:
    """The demo's mapping of this pair: package data in an installed Kreslo, in `mappings/` of a checkout. iDent and
    Bitrix24 go without saying in its name (demo.yaml, demo-amocrm.yaml, demo-helix.yaml). Raises ConfigurationError
    where it is in neither.
    """
    here = Path(__file__).resolve()
    told = [name for name in (source, target) if name not in {"ident", "bitrix24"}]
    name = f"{'-'.join(('demo', *told))}.yaml"
    places = [here.with_name(name), here.parents[3] / "mappings" / name]
    for place in places:
        if place.exists():
            return place
    raise ConfigurationError(
        f"there is no demo of {source} with {target}; looked for {' and '.join(map(str, places))}"
    )


def environment(stage: Stage, target: str, crm_settings: dict[str, Any]) -> dict[str, str]:
    """The variables that the demo's mapping names: where its clinic is, and where its CRM."""
    reached = {variable: str(crm_settings[name]) for name, variable in _SETTINGS[target].items()}
    return stage.sandbox.environment(stage.clinic.absolute()) | reached


def _read_stamp(path: Path) -> Stamp | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Stamp)
    except (OSError, msgspec.DecodeError):  # no stamp that can be read: as good as none
        return None
