"""What reading costs the clinic's server as its tables grow: an idle tick, a change pass, the first import.

    .venv/bin/python -m tests.bench.bench_ident [--small 10000] [--large 1000000] [--watched 500] [--ticks 40]

Two clinics, made by plain SQL: the same in everything but their size, with no index but primary keys. Of each: the
idle tick (nothing is new, so many visits are watched), the best and the middle of many; the change pass beside it,
which looks through the tables; the first import with its memory, in a process of its own. On SQLite, in one thread:
what is compared is how the work grows, not how fast the clinic's server does it.

It ends with 1 where the idle tick of the large clinic takes more than 1.5 times that of the small one, by the best and
by the middle of each, or where the import's memory does not stay flat (the large one's peak over the small one's plus
64 MB).
"""
# ruff: noqa: S608  names of tables are this file's own

import argparse
import asyncio
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import median

import msgspec

from connectors.ident.options import IdentOptions
from connectors.ident.source import IdentSource
from kreslo.connectors.contract import Seams
from kreslo.connectors.testing.clock import HandClock
from kreslo.records import RecordKind, RecordRef

SCHEMA = Path(__file__).parents[2] / "connectors/ident/sandbox/schema.sql"
NOW = datetime(2026, 5, 12, 6, tzinfo=UTC)
LONGER, MORE_MB = 1.5, 64.0


class Measured(msgspec.Struct, frozen=True):
    """Seconds, and megabytes at the peak of the import. `tick`: the best of many, `middle`: their median."""

    receptions: int
    tick: float
    middle: float
    change_pass: float
    records: int
    first_import: float
    peak_mb: float


def make(path: Path, receptions: int) -> None:
    """A clinic of so many receptions in the past years: a patient to ten of them, an order to each second one, two
    lines an order; the last receptions are ahead.
    """
    patients = max(1, receptions // 10)
    with closing(sqlite3.connect(path)) as connection:
        run = connection.execute
        run("PRAGMA journal_mode = OFF")
        run("PRAGMA synchronous = OFF")
        connection.executescript(SCHEMA.read_text(encoding="utf-8"))
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
        at = "datetime('2026-05-20 09:00:00', '-' || ((? - i) * 3000000 / ?) || ' minutes')"
        run("INSERT INTO OwnCompanies VALUES (1, 'Центр')")
        run("INSERT INTO Armchairs VALUES (1, 'Кабинет 1', 1)")
        run("INSERT INTO ProfessionNames VALUES (1, 'Терапевт', 8, 0)")
        run("INSERT INTO Items VALUES (1, 1, 1)")
        run(
            f"{numbers} INSERT INTO Persons (ID, Surname, Name, MobilePhone) "
            "SELECT i, 'Фамилия' || i, 'Имя', '8900' || substr('000000' || i, -7) FROM n",
            (patients,),
        )
        run(
            f"{numbers} INSERT INTO Patients (ID_Persons, DateTimeChanged) SELECT i, '2020-01-01 10:00:00' FROM n",
            (patients,),
        )
        run(
            f"{numbers} INSERT INTO Receptions (ID, ID_Patients, ID_Staffs, ID_Armchairs, PlanStart, PlanEnd, Comment, "
            f"DateTimeAdded, DateTimeChanged) SELECT i, 1 + i % ?, 1, 1, {at}, {at}, 'осмотр', "
            "'2020-01-01 10:00:00', '2020-01-01 10:00:00' FROM n",
            (receptions, patients, *[receptions] * 4),
        )
        run(
            "INSERT INTO Orders (ID, ID_Receptions, ID_OwnCompanies, DateTimeOrder) "
            "SELECT ID, ID, 1, '2020-01-01 10:00:00' FROM Receptions WHERE ID % 2 = 0"
        )
        run("INSERT INTO ServiceItems VALUES (1, 'Осмотр')")
        run("INSERT INTO ServiceItemPrices VALUES (1, 1, 1500)")
        run(
            "INSERT INTO OrderServiceRelation (ID_Orders, ID_ServicePrices, CountService, DiscountSum) "
            "SELECT O.ID, 1, 1, 0 FROM Orders AS O CROSS JOIN (SELECT 1 UNION ALL SELECT 2)"
        )
        connection.commit()


def opened(path: Path) -> IdentSource:
    options = {"database": f"sqlite:///{path}", "timezone": "Europe/Moscow"}
    return IdentSource(IdentOptions.model_validate(options), Seams(clock=HandClock(NOW), chance=Random(1)))


async def first_import(path: Path) -> tuple[int, float, str]:
    source, began, records, cursor = opened(path), time.perf_counter(), 0, ""
    async for batch in source.read(None):
        records += len(batch.records)
        cursor = batch.cursor
    await source.close()
    return records, time.perf_counter() - began, cursor


class Idler:
    """A clinic in which nothing happens, read again and again."""

    def __init__(self, path: Path, cursor: str, watched: int) -> None:
        self._source = opened(path)
        self._cursor = cursor
        with closing(sqlite3.connect(path)) as connection:
            ids = connection.execute(
                "SELECT ID FROM Receptions ORDER BY ID DESC LIMIT ?", (watched,)
            ).fetchall()
        self._watched = frozenset(RecordRef(RecordKind.APPOINTMENT, str(id_)) for (id_,) in ids)

    async def tick(self) -> tuple[float, int]:
        """Seconds, and how many records were given."""
        began = time.perf_counter()
        given = sum([len(batch.records) async for batch in self._source.tick(self._cursor, self._watched)])
        return time.perf_counter() - began, given

    async def change_pass(self) -> float:
        began = time.perf_counter()
        async for _ in self._source.read(self._cursor):
            pass
        return time.perf_counter() - began

    async def close(self) -> None:
        await self._source.close()


async def idle(clinics: list[tuple[Path, str]], watched: int, ticks: int) -> list[tuple[float, float, float]]:
    """Seconds of an idle tick, the best and the middle of many, and of a change pass, of each clinic. The clinics take
    turns: whatever else runs on the machine meets both.
    """
    idlers = [Idler(path, cursor, watched) for path, cursor in clinics]
    taken: list[list[float]] = [[] for _ in idlers]
    for each in idlers:
        await each.tick()  # the first one looks at all of them
    for _ in range(ticks):
        for place, each in enumerate(idlers):
            seconds, given = await each.tick()
            if given:
                raise AssertionError(f"{given} records in an idle tick")
            taken[place].append(seconds)
    passes = [await each.change_pass() for each in idlers]
    for each in idlers:
        await each.close()
    return [(min(each), median(each), passed) for each, passed in zip(taken, passes, strict=True)]


def alone(path: Path) -> tuple[int, float, str, float]:
    """The first import in a process of its own: records, seconds, cursor, megabytes at the peak."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.bench_ident", "--import", str(path)],
        check=True,
        capture_output=True,
        text=True,
    )
    told = json.loads(done.stdout)
    return told["records"], told["seconds"], told["cursor"], told["peak_mb"]


def measure(folder: Path, sizes: list[int], watched: int, ticks: int) -> list[Measured]:
    paths = [folder / f"clinic-{size}.db" for size in sizes]
    for path, size in zip(paths, sizes, strict=True):
        make(path, size)
    imports = [alone(path) for path in paths]
    cursors = [cursor for _, _, cursor, _ in imports]
    idled = asyncio.run(idle(list(zip(paths, cursors, strict=True)), watched, ticks))
    return [
        Measured(size, tick, middle, passed, records, seconds, peak)
        for size, (records, seconds, _, peak), (tick, middle, passed) in zip(
            sizes, imports, idled, strict=True
        )
    ]


def table(found: list[Measured]) -> str:
    heads = {
        "receptions": 12,
        "idle tick, ms": 14,
        "middle, ms": 11,
        "change pass, s": 15,
        "first import, s": 16,
        "records": 10,
        "records/s": 10,
        "peak, MB": 9,
    }
    lines = [" ".join(f"{name:>{width}}" for name, width in heads.items())]
    lines += [
        f"{each.receptions:>12,} {each.tick * 1000:>14.1f} {each.middle * 1000:>11.1f} {each.change_pass:>15.2f} {each.first_import:>16.1f} "
        f"{each.records:>10,} {each.records / each.first_import:>10,.0f} {each.peak_mb:>9.0f}"
        for each in found
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="What reading iDent costs as its tables grow")
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--watched", type=int, default=500)
    parser.add_argument("--ticks", type=int, default=40)
    parser.add_argument("--import", dest="path", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.path:
        records, seconds, cursor = asyncio.run(first_import(given.path))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        json.dump({"records": records, "seconds": seconds, "cursor": cursor, "peak_mb": peak}, sys.stdout)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), [given.small, given.large], given.watched, given.ticks)
    small, large = found
    times, middle = large.tick / small.tick, large.middle / small.middle
    more = large.peak_mb - small.peak_mb
    print(table(found))
    print(
        f"idle tick: {times:.2f} times the small clinic's, the middle one {middle:.2f} times (at most {LONGER})"
    )
    print(f"import's memory: {more:+.0f} MB over the small clinic's (at most {MORE_MB:.0f})")
    return 0 if max(times, middle) <= LONGER and more <= MORE_MB else 1


if __name__ == "__main__":
    sys.exit(main())
