"""A clinic on 1C:Helix while Kreslo is killed: its files come half written, twice, broken and late."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import msgspec

from connectors.helix.sandbox import clinic as books_of
from connectors.helix.sandbox import live
from connectors.helix.sandbox import sandbox as helix
from connectors.helix.sandbox.clinic import ZONE
from kreslo.connectors.sandboxes import SourceSandbox
from tests.crash.stage import SEED, Stage

_BROKEN = "Ошибка выгрузки: база занята\r\n".encode("cp866")
_LEAST_TURN = 1.1
"""Seconds: the clinic names its files by the second."""
_MOST_TURNS = 4
"""So many turns of the clinic late at most. Sooner than a file that looks cut off is taken as it is (`patience`, two minutes)."""


class _Coming(msgspec.Struct):
    """`left`: turns of the clinic until `arrive` brings the file, or the rest of it."""

    left: int
    arrive: Callable[[], object]


class Share:
    """The folder that Kreslo reads, and how 1C's files come into it. `came`: how many in which way. `proved`: whether a
    file whose name begins so was ever read; before that a broken one is a wrong setting, and `kreslo run` says so and ends.
    """

    def __init__(self, made: Path, folder: Path, chance: Random, proved: Callable[[str], bool]) -> None:
        self.folder = folder
        self.came: Counter[str] = Counter()
        self._made = made
        self._proved = proved
        self._away = made.with_name("late")
        self._chance = chance
        self._coming: list[_Coming] = []
        self._away.mkdir()

    def carry(self) -> None:
        """One turn: what was on its way, and what 1C has made since the last one."""
        for each in self._coming:
            each.left -= 1
        self._arrive()
        for path in sorted(self._made.iterdir()):
            ways = {"whole": self._whole, "twice": self._twice, "late": self._late}
            if self._proved(path.name.partition("_")[0]):
                ways["broken"] = self._broken
            if not path.name.startswith(
                "visits_"
            ):  # these get their name when they are whole, says the profile
                ways["half"] = self._half
            way = self._chance.choice(sorted(ways))
            ways[way](path)
            self.came[way] += 1

    def carry_all(self) -> None:
        """Whatever is still on its way arrives."""
        for each in self._coming:
            each.left = 0
        self._arrive()

    def _arrive(self) -> None:
        for each in self._coming:
            if each.left <= 0:
                each.arrive()
        self._coming = [each for each in self._coming if each.left > 0]

    def _whole(self, path: Path) -> None:
        path.replace(self.folder / path.name)

    def _twice(self, path: Path) -> None:
        copy = self.folder / f"{path.stem}_copy{path.suffix}"
        temporary = copy.with_name(f"{copy.name}.tmp")
        temporary.write_bytes(path.read_bytes())
        temporary.replace(copy)
        self._whole(path)

    def _broken(self, path: Path) -> None:
        """Beside it an export that failed."""
        (self.folder / f"{path.stem}_bad{path.suffix}").write_bytes(_BROKEN)
        self._whole(path)

    def _late(self, path: Path) -> None:
        """After files that were written later; it keeps its own time."""
        away = self._away / path.name
        path.replace(away)
        self._later(lambda: self._whole(away))

    def _half(self, path: Path) -> None:
        """Under its own name from the first byte on."""
        data = path.read_bytes()
        path.unlink()
        there, cut = self.folder / path.name, self._chance.randrange(len(data))
        there.write_bytes(data[:cut])
        self._later(lambda: there.write_bytes(data))

    def _later(self, arrive: Callable[[], object]) -> None:
        self._coming.append(_Coming(self._chance.randint(1, _MOST_TURNS), arrive))


class HelixStage(Stage):
    """Kreslo reads a share; 1C's own folder is elsewhere, and `Share` carries its files over."""

    source: ClassVar[str] = "helix"
    title: ClassVar[str] = source
    clinic: ClassVar[SourceSandbox] = helix
    mappings: ClassVar[dict[str, str]] = {"bitrix24": "demo-helix.yaml"}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.environment |= {"KRESLO_DEMO_DROP": str(self._folder("share"))}
        self._ledger = Path(self.environment["KRESLO_DEMO_STATE"]) / "helix.db"
        self._turns = Random(f"{SEED}/helix/crash")

    @asynccontextmanager
    async def day(self, *, speed: float, edits_every: float = 0.3) -> AsyncIterator[None]:
        made = self.database / "drop"
        self.share = Share(made, self._folder("share"), self._turns, self._proved)
        for path in made.iterdir():  # the history lies there before the first start
            path.replace(self.share.folder / path.name)
        async with super().day(speed=speed, edits_every=edits_every):
            yield
        self.share.carry_all()

    async def life(self, speed: float) -> None:
        """Ten minutes of the clinic each turn. It takes no time of ours: no turn is left half done."""
        while True:
            now = datetime.now(UTC).astimezone(ZONE).replace(tzinfo=None)
            if self._proved("visits"):
                self._walks_in(now)
                live.turn(self.database, self._turns, now)
                self.share.carry()
            await asyncio.sleep(max(_LEAST_TURN, 600 / speed))

    def _walks_in(self, now: datetime) -> None:
        """Somebody was treated just now: at whatever hour this runs, visits end and their file comes."""
        books = books_of.load(self.database)
        visit = books_of.book(books, self._turns, now)
        visit.start = (now - timedelta(minutes=35)).replace(second=0, microsecond=0)
        books_of.save(self.database, books)

    async def status(self) -> dict[str, Any] | None:
        """It is not at rest either while a file stands there that Kreslo has not looked into."""
        status = await super().status()
        if status is not None and not self._all_seen():
            status["settled"] = False
        return status

    def _proved(self, prefix: str) -> bool:
        query = "SELECT count(*) FROM files WHERE state = 'done' AND name LIKE ?"
        try:
            with closing(sqlite3.connect(f"file:{self._ledger}?mode=ro", uri=True)) as ledger:
                return bool(ledger.execute(query, (f"{prefix}%",)).fetchone()[0])
        except sqlite3.OperationalError:  # it was never started
            return False

    def _all_seen(self) -> bool:
        with closing(sqlite3.connect(f"file:{self._ledger}?mode=ro", uri=True)) as ledger:
            seen = set(ledger.execute("SELECT name, size, mtime FROM seen"))
        found = ((path.name, path.stat()) for path in self.share.folder.iterdir())
        return all((name, stat.st_size, stat.st_mtime_ns) in seen for name, stat in found)

    def _folder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder
