"""Enquiries of people who were not booked. The table is invented, see schema.sql."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from connectors.ident.sandbox import phones
from connectors.ident.sandbox.names import MEN, SHORT, WOMEN
from connectors.ident.sandbox.visits import Visit

Enquiry = tuple[datetime, str, str, str, str]
"""DateTimeAdded, Phone, Name, Result, Source."""

RESULTS = (
    "Узнавали цену",
    "Подумает",
    "Перезвонит сам",
    "Не подошло время",
    "Спрашивали про ДМС",
    "Не дозвонились",
    "",
)
SOURCES = ("Звонок", "Звонок", "Сайт", "WhatsApp", "Telegram", "ВКонтакте")
_EVERY = timedelta(days=40)


def write(chance: Random, rows: Sequence[Visit], now: datetime, patients: int) -> list[Enquiry]:
    """Enquiries in order of entry: dense in the last 40 days, a trace of older ones, and each case of interest:
    strangers, one who asks three times, patients with a visit ahead, patients whose visits lie behind.
    """
    found: list[Enquiry] = []
    strangers = max(10, patients // 140)
    for number in range(strangers):
        phone = phones.mobile(phones.ENQUIRIES + number)
        found.append(_enquiry(chance, now - _EVERY * chance.random(), phone))
    for number, times in ((0, 2), (1, 1)):  # they ask again
        phone = phones.mobile(phones.ENQUIRIES + number)
        found += [_enquiry(chance, now - timedelta(days=5) * chance.random(), phone) for _ in range(times)]
    ahead, behind = _callers(rows, now)
    for pool, count in ((ahead, max(3, patients // 1_000)), (behind, max(3, patients // 800))):
        for phone in chance.sample(pool, min(count, len(pool))):
            found.append(_enquiry(chance, now - timedelta(days=9) * chance.random(), phone))
    for number in range(patients // 20):
        phone = phones.mobile(phones.ENQUIRIES + 1_000 + number)
        found.append(_enquiry(chance, now - timedelta(days=60 + 2_800 * chance.random()), phone))
    return sorted(found)


def _callers(rows: Sequence[Visit], now: datetime) -> tuple[list[str], list[str]]:
    """Phones of patients with a visit ahead, and of those whose visits all lie behind."""
    upcoming: dict[str, None] = {}
    past: dict[str, None] = {}
    for row in rows:
        if row.patient and row.start > now - timedelta(days=60):
            for phone in phones.written(row.patient.person.mobile)[:1]:
                (upcoming if row.start > now and not row.cancelled else past)[phone] = None
    return list(upcoming), [phone for phone in past if phone not in upcoming]


def _enquiry(chance: Random, at: datetime, phone: str) -> Enquiry:
    name = chance.choice(MEN + WOMEN)
    shown = chance.choice((name, name, SHORT.get(name, name), "", "не представился"))
    return (
        at.replace(microsecond=0), phones.typed(chance, phone), shown, chance.choice(RESULTS), chance.choice(SOURCES),
    )  # fmt: skip
