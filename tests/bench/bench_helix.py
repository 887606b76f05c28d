"""The first import from Helix's files: 30,000 patients and 200,000 visits of eight years. How fast on one core, and whether
memory stays flat. Run it: python -m tests.bench.bench_helix

Prints rows a second of one core for: the formats alone; telephones and names besides; all of it with identity, the
state on disk, and given to the engine.
"""

import asyncio
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random

import structlog

from connectors.helix import HelixOptions, HelixSource
from connectors.helix.columns import Columns
from connectors.helix.formats import Bad, open_table
from connectors.helix.rows import Rows
from connectors.helix.tables import Row
from kreslo.connectors.contract import Seams
from kreslo.connectors.testing.clock import HandClock

PEOPLE = 30_000
VISITS = 200_000
YEARS = range(2018, 2026)
TODAY = date(2026, 11, 21)
SURNAMES = ("Ивлев", "Шуйский", "Мельник", "Кравец", "Ольшанский", "Верещагин", "Ракитин", "Тополев")
NAMES = ("Игорь", "Пётр", "Олег", "Роман", "Антон", "Глеб", "Максим", "Павел")
FATHERS = ("Петрович", "Львович", "Глебович", "Ильич", "Олегович", "Романович")
FLAT = 2 << 20
"""How many bytes more ten times as many rows may take."""


def write(folder: Path, people: int, visits: int) -> None:
    """Files as 1C writes them, a quarter of the telephones as people write them."""
    chance = Random(7)
    who = [_person(chance, number) for number in range(people)]
    with (folder / "patients.csv").open("w", encoding="cp1251", newline="") as file:
        file.write("ФИО;Телефон;Дата рождения;Номер медкарты\r\n")
        for number, person in enumerate(who):
            file.write(
                f"{person};{1 + number % 28:02}.{1 + number % 12:02}.{1950 + number % 60};К-{number:05}\r\n"
            )
    for year in YEARS:
        with (folder / f"done_{year}.csv").open("w", encoding="cp1251", newline="") as file:
            file.write("ФИО;Телефон;Дата и время;Врач;Специальность;Сумма;Примечание\r\n")
            for number in range(visits // len(YEARS)):
                day = date(year, 1 + number % 12, 1 + number % 28)
                file.write(
                    f"{chance.choice(who)};{day:%d.%m.%Y} {9 + number % 9}:{number % 60:02}:00;Ким;Хирург;"
                    f"{number % 9000},50;\r\n"
                )


def _person(chance: Random, number: int) -> str:
    # Made-up surnames in great number: no cache of names may help more than it would in a clinic.
    name = f"{chance.choice(SURNAMES)}-{_word(number)} {chance.choice(NAMES)} {chance.choice(FATHERS)}"
    phone = f"8900{2_000_001 + number:07}"
    if number % 4 == 0:
        phone = f"8 (900) {phone[4:7]}-{phone[7:9]}-{phone[9:]}, мама"
    return f"{name};{phone}"


def _word(number: int) -> str:
    letters = "абвгдеклмн"
    return "А" + "".join(letters[int(digit)] for digit in str(number)) + "ов"


def timed(what: str, rows: int, work: Callable[[], None], least: int = 0) -> bool:
    start = time.process_time()
    work()
    speed = rows / (time.process_time() - start)  # of one core, whoever shares the machine
    enough = speed >= least
    wanted = f", at least {least:,} wanted" if least else ""
    sys.stdout.write(f"{what:<42} {speed:>10,.0f} rows/s{wanted}{'' if enough else '  TOO SLOW'}\n")
    return enough


def opened(options: HelixOptions) -> Iterator[tuple[Rows, Iterator[Row]]]:
    """Each file's rows with their reader."""
    for name, profile in options.profiles.items():
        for path in sorted(options.folder.glob(profile.files[0])):
            table = open_table(path, profile, Columns(profile))
            yield Rows(options, profile, TODAY), _good(table.rows, name)


def _good(items: Iterator[Row | Bad], name: str) -> Iterator[Row]:
    for item in items:
        assert not isinstance(item, Bad), (name, item)
        yield item


def peak(options: HelixOptions, sizes: Sequence[tuple[int, int]]) -> list[int]:
    """The most bytes that reading and understanding files of these sizes took at once."""
    peaks = []
    tracemalloc.start()
    for people, visits in sizes:
        write(options.folder, people, visits)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        for rows, items in opened(options):
            for item in items:
                rows.draft(item)
        peaks.append(tracemalloc.get_traced_memory()[1] - before)
    tracemalloc.stop()
    return peaks


def main() -> int:
    structlog.configure(processors=[lambda *_: (_ for _ in ()).throw(structlog.DropEvent)])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        drop = folder / "drop"
        drop.mkdir()
        write(drop, PEOPLE, VISITS)
        profiles = {
            "patients": {"row": "patient", "files": "patients*.csv"},
            "done": {"row": "completed", "files": "done_*.csv"},
        }
        options = HelixOptions.model_validate(
            {
                "timezone": "Europe/Moscow",
                "folder": drop,
                "state": folder / "state",
                "settle": "0s",
                "profiles": profiles,
            }
        )

        def parse() -> None:
            for _, items in opened(options):
                for _ in items:
                    pass

        def draft() -> None:
            for rows, items in opened(options):
                for item in items:
                    rows.draft(item)

        async def whole() -> None:
            clock = HandClock(datetime(2026, 11, 21, tzinfo=UTC))
            source = HelixSource(options, Seams(clock=clock, chance=Random(1)))
            try:
                async for _ in source.read(None):
                    pass
            finally:
                await source.close()

        count = PEOPLE + VISITS
        good = timed("read and parsed", count, parse, 20_000)
        good &= timed("with telephones and names", count, draft, 5_000)
        timed("with identity, state on disk, and given", count, lambda: asyncio.run(whole()))
        sizes = [(500, 4_000), (5_000, 40_000)]
        # The bounded caches of names are filled first.
        _, few, many = peak(options, [sizes[1], *sizes])
        flat = many < few + FLAT
        sys.stdout.write(
            f"peak memory: {few >> 10} KiB for {sum(sizes[0]):,} rows, {many >> 10} KiB for {sum(sizes[1]):,}"
            f"{'' if flat else '  NOT FLAT'}\n"
        )
        return 0 if good and flat else 1


if __name__ == "__main__":
    raise SystemExit(main())
