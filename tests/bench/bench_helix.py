"""How fast Helix files are read on one core, and whether memory stays flat. Run it: python tests/bench/bench_helix.py

Prints rows a second for: the format alone; phones and names besides; all of it with identity and state on disk.
"""

import asyncio
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random

import structlog

from connectors.helix import HelixOptions, HelixSource
from connectors.helix.columns import Columns
from connectors.helix.formats import Bad, open_table
from connectors.helix.options import ProfileOptions
from connectors.helix.rows import Rows
from kreslo.connectors.contract import Seams
from kreslo.connectors.testing.clock import HandClock

ROWS = 60_000
SURNAMES = ("Ивлев", "Шуйский", "Мельник", "Кравец", "Ольшанский", "Верещагин", "Ракитин", "Тополев")
NAMES = ("Игорь", "Пётр", "Олег", "Роман", "Антон", "Глеб", "Максим", "Павел")
FATHERS = ("Петрович", "Львович", "Глебович", "Ильич", "Олегович", "Романович")
TITLES = "ФИО;Телефон;Дата и время;Врач;Специальность;Сумма;Примечание\r\n"


def write(path: Path, count: int) -> None:
    """A file as 1C writes it, a quarter of its telephones as people write them."""
    chance = Random(7)
    with path.open("w", encoding="cp1251", newline="") as file:
        file.write(TITLES)
        for number in range(count):
            # Made-up surnames in great number: no cache of names may help more than it would in a clinic.
            name = f"{chance.choice(SURNAMES)}-{_word(number // 3)} {chance.choice(NAMES)} {chance.choice(FATHERS)}"
            phone = f"8900{2_000_001 + number // 3:07}"
            if number % 4 == 0:
                phone = f"8 (900) {phone[4:7]}-{phone[7:9]}-{phone[9:]}, мама"
            day = date(2018 + number % 8, 1 + number % 12, 1 + number % 28)
            file.write(
                f"{name};{phone};{day:%d.%m.%Y} {9 + number % 9}:30:00;Ким;Хирург;{number % 9000},50;\r\n"
            )


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


def main() -> int:
    structlog.configure(processors=[lambda *_: (_ for _ in ()).throw(structlog.DropEvent)])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        drop = folder / "drop"
        drop.mkdir()
        path = drop / "done.csv"
        write(path, ROWS)
        profile = ProfileOptions.model_validate({"row": "completed", "files": "*.csv"})
        options = HelixOptions.model_validate(
            {
                "timezone": "Europe/Moscow",
                "folder": drop,
                "state": folder / "state",
                "settle": "0s",
                "profiles": {"done": {"row": "completed", "files": "*.csv"}},
            }
        )

        def parse() -> None:
            for item in open_table(path, profile, Columns(profile)).rows:
                assert not isinstance(item, Bad), item

        def draft() -> None:
            rows = Rows(options, profile, date(2026, 11, 21))
            for item in open_table(path, profile, Columns(profile)).rows:
                assert not isinstance(item, Bad), item
                rows.draft(item)

        async def whole() -> None:
            clock = HandClock(datetime(2026, 11, 21, tzinfo=UTC))
            source = HelixSource(options, Seams(clock=clock, chance=Random(1)))
            try:
                async for _ in source.read(None):
                    pass
            finally:
                await source.close()

        good = timed("read and parsed", ROWS, parse, 20_000)
        good &= timed("with telephones and names", ROWS, draft, 5_000)
        timed("with identity, state on disk, and given", ROWS, lambda: asyncio.run(whole()))
        tracemalloc.start()
        write(path, 5_000)
        parse()
        few = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        write(path, ROWS)
        tracemalloc.reset_peak()
        parse()
        many = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        flat = many < few + (2 << 20)
        sys.stdout.write(
            f"peak memory: {few >> 10} KiB for 5,000 rows, {many >> 10} KiB for {ROWS:,}{'' if flat else '  NOT FLAT'}\n"
        )
        return 0 if good and flat else 1


if __name__ == "__main__":
    raise SystemExit(main())
