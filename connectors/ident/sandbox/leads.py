"""The leads that stand in the CRM on the first day: some became bookings in the clinic's diary, most did not."""

import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from connectors.ident.sandbox import phones
from connectors.ident.sandbox.census import reading
from connectors.ident.sandbox.moments import instant, local
from connectors.ident.sandbox.names import MEN, SHORT, SURNAMES, WOMEN, feminine
from kreslo.connectors.sandboxes import Lead

BOOKED_STAGE = "Записан на консультацию"
BOOKED, OPEN, WITHIN = 60, 90, timedelta(days=60)

ADVERTS = (  # source, utm_source, utm_campaign
    ("WEB", "yandex", "implantaciya"),
    ("WEB", "yandex", "ortodont-brekety"),
    ("WEB", "vk", "gigiena-osen"),
    ("WEB", "2gis", "karta"),
    ("WEB", "", ""),
    ("CALL", "", ""),
    ("CALL", "", ""),
    ("WEBFORM", "yandex", "deti"),
    ("OPENLINE", "", ""),
)

# Patients whose first entry in the diary is young; of those entered more than once, the first counts.
_NEWCOMERS = """
SELECT p.ID, p.Surname, p.Name, p.MobilePhone, t.ParentSNP, MIN(r.DateTimeAdded) AS entered
FROM Receptions r JOIN Persons p ON p.ID = r.ID_Patients JOIN Patients t ON t.ID_Persons = p.ID
GROUP BY p.ID HAVING entered >= ? ORDER BY entered, p.ID
"""
_RETURNING = """
SELECT p.ID, p.Surname, p.Name, p.MobilePhone, t.ParentSNP, MIN(r.DateTimeAdded) AS entered
FROM Receptions r JOIN Persons p ON p.ID = r.ID_Patients JOIN Patients t ON t.ID_Persons = p.ID
WHERE r.PlanStart > ? AND r.ReceptionCanceled IS NULL AND r.ID_ReceptionsTransferFrom IS NULL
GROUP BY p.ID HAVING entered >= ? ORDER BY entered, p.ID
"""

_Candidate = tuple[int, str, str, str | None, str | None, str]


def leads(path: Path, *, seed: int, now: datetime) -> list[Lead]:
    """About 150, oldest first; fewer where the clinic has fewer than 60 newcomers. Raises ConfigurationError if there
    is no clinic.
    """
    chance = Random(f"{seed}/leads")
    since = str(local(now - WITHIN + timedelta(days=4)))
    with reading(path) as connection:
        found = [*_booked(chance, connection, since, now)]
    found += _unbooked(chance, now)
    return sorted(found, key=lambda lead: lead.created_at)


def _booked(chance: Random, connection: sqlite3.Connection, since: str, now: datetime) -> Iterator[Lead]:
    """One lead a phone, entered before the visit was; mothers' leads for their children among them. The first two
    phones have written twice.
    """
    newcomers: list[_Candidate] = connection.execute(_NEWCOMERS, (since,)).fetchall()
    returning: list[_Candidate] = connection.execute(_RETURNING, (str(local(now)), since)).fetchall()
    children = [row for row in newcomers if row[4]]
    rest = [row for row in newcomers if not row[4]]
    chance.shuffle(rest)
    seen: set[str] = set()
    for row in (*children, *rest, *returning):
        number = next(iter(phones.written(row[3])), None)
        if number is None or number in seen or len(seen) >= BOOKED:
            continue
        seen.add(number)
        entered = instant(row[5])
        source, utm_source, utm_campaign = chance.choice(ADVERTS)
        lead = Lead(
            name=_caller(chance, row, number),
            phone=phones.bracketed(number, "+7") if chance.random() < 0.5 else number,
            created_at=entered - timedelta(minutes=chance.choice((6, 11, 25, 70, 300, 1_400, 2_100))),
            stage=BOOKED_STAGE,
            source=source,
            utm_source=utm_source,
            utm_campaign=utm_campaign,
        )
        yield lead
        if len(seen) <= 2:
            yield Lead(
                name=lead.name,
                phone=number,
                created_at=lead.created_at - timedelta(hours=chance.randint(3, 40)),
                stage=BOOKED_STAGE,
                source="OPENLINE",
            )


def _caller(chance: Random, row: _Candidate, number: str) -> str:
    """Who stands on the lead: the mother where a child is booked, else the patient, as messengers know them."""
    _, surname, name, _, parent, _ = row
    if parent:
        return parent.split()[1]
    return nickname(chance, surname, name, number)


def nickname(chance: Random, surname: str, name: str, number: str) -> str:
    short = SHORT.get(name, name)
    return chance.choice(
        (
            name,
            name,
            short,
            f"{name} {surname}",
            f"{name} 🌸",
            f"{short} ✨",
            phones.spaced(number),
            short.lower(),
            "",
        )
    )


def stranger(chance: Random, number: str, at: datetime, stage: str = "Новый") -> Lead:
    """A lead of somebody whom the clinic does not know."""
    woman = chance.random() < 0.6
    surname = chance.choice(SURNAMES)
    name = chance.choice(WOMEN if woman else MEN)
    source, utm_source, utm_campaign = chance.choice(ADVERTS)
    return Lead(
        name=nickname(chance, feminine(surname) if woman else surname, name, number),
        phone=phones.typed(chance, number),
        created_at=at,
        stage=stage,
        source=source,
        utm_source=utm_source,
        utm_campaign=utm_campaign,
    )


def _unbooked(chance: Random, now: datetime) -> Iterator[Lead]:
    for number in range(OPEN):
        at = now - WITHIN * chance.random()
        # The second writes again under the first one's number.
        phone = phones.mobile(phones.LEADS + (0 if number == 1 else number))
        yield stranger(chance, phone, at.replace(microsecond=0), chance.choice(("Новый", "В работе")))
