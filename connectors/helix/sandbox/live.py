"""The demo clinic at work: people book, come, cancel, write to the site; 1C drops its files, now and then a bad one."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from connectors.helix.sandbox import clinic, files, lists
from connectors.helix.sandbox.clinic import ZONE, Books
from kreslo.connectors.seams import Clock


async def live(path: Path, *, seed: int, clock: Clock, speed: float) -> None:
    """Goes on until cancelled. `speed` 60 is an hour a minute; a batch of files comes every ten minutes of the clinic's
    day. Raises ConfigurationError where there is no clinic, ValueError on a speed that is not positive.
    """
    if speed <= 0:
        raise ValueError(f"speed must be positive, not {speed}")
    clinic.load(path)
    chance = Random(f"{seed}/helix/{clock.now():%Y-%m-%dT%H:%M:%S}")
    while True:
        await clock.sleep(600 / speed)
        await asyncio.to_thread(turn, path, chance, clock.now().astimezone(ZONE).replace(tzinfo=None))


def turn(path: Path, chance: Random, now: datetime) -> None:
    """Ten minutes of the clinic, and the files that tell of them. `now` is local, naive."""
    books = clinic.load(path)
    drop = path / "drop"
    done = _happened(books, chance, now)
    books.drops += 1
    clinic.save(path, books)
    files.visits(drop, books, now, chance)
    files.took_place(drop, books, done, now)
    if chance.random() < 0.5:
        form = clinic.ask(books, chance, now)
        clinic.save(path, books)
        files.forms(drop, [form], now)
    if books.drops % 3 == 0:
        files.recommendations(drop, books, lists.recommend(books, now), now)
        clinic.save(path, books)
    if not any(row.at.date() == now.date() for row in books.lists):
        lists_of_the_day(drop, books, now)
        clinic.save(path, books)
    if chance.random() < 0.1:
        files.put(
            drop, f"visits_{now:%Y-%m-%d_%H%M%S}_bad.csv", "Ошибка выгрузки: база занята\r\n".encode("cp866")
        )


def lists_of_the_day(drop: Path, books: Books, now: datetime) -> None:
    """Polls and invitations: each once a day."""
    files.poll(drop, books, lists.poll(books, now), now)
    files.invitations(drop, books, lists.invite(books, now), now)


def _happened(books: Books, chance: Random, now: datetime) -> list[clinic.Visit]:
    """Two new bookings, sometimes a cancellation; whose time has come is treated and pays."""
    for _ in range(2):
        clinic.book(books, chance, now)
    ahead = [
        visit for visit in books.visits if visit.state == "booked" and visit.start > now + timedelta(hours=2)
    ]
    if ahead and chance.random() < 0.4:
        chance.choice(ahead).state = "cancelled"
    over = now - timedelta(minutes=30)
    done = [visit for visit in books.visits if visit.state in {"booked", "arrived"} and visit.start <= over]
    for visit in done:
        visit.state = "done"
    for visit in books.visits:
        if visit.state == "booked" and visit.start <= now:
            visit.state = "arrived"
    return done
