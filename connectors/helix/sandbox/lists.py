"""The lists that the demo clinic's 1C makes besides its visits: who gets recommendations, a poll, an invitation."""

from datetime import datetime, timedelta

from connectors.helix.sandbox.clinic import Books, Listed, Visit
from connectors.helix.sandbox.people import SURGEON

RECOMMENDATIONS, NPS, CHECKUP = "recommendations", "nps", "checkup"
BEFORE, AFTER = "Перед имплантацией", "После удаления зуба"
CHECKUP_DAYS = (150, 180)
"""Five to six months after the last visit."""

_TREATED = timedelta(minutes=30)


def recommend(books: Books, now: datetime) -> list[Listed]:
    """The surgeon's marks on the visits of yesterday, today and tomorrow: a leaflet before, another one after."""
    since, until = (now.date() + timedelta(days=days) for days in (-1, 1))
    rows = []
    for visit in books.visits:
        if visit.doctor != SURGEON or not since <= visit.start.date() <= until:
            continue
        if visit.state in {"booked", "arrived"} and visit.start > now:
            rows.append(_of(visit, RECOMMENDATIONS, now, BEFORE))
        elif visit.state == "done" and visit.start + _TREATED <= now:
            rows.append(_of(visit, RECOMMENDATIONS, now, AFTER))
    return _known(books, rows)


def poll(books: Books, now: datetime) -> list[Listed]:
    """Who was treated yesterday."""
    yesterday = now.date() - timedelta(days=1)
    treated = [visit for visit in books.visits if visit.state == "done" and visit.start.date() == yesterday]
    return _known(books, [_of(visit, NPS, now) for visit in treated])


def invite(books: Books, now: datetime) -> list[Listed]:
    """Who was seen last five to six months ago and has nothing ahead."""
    since, until = (now - timedelta(days=days) for days in reversed(CHECKUP_DAYS))
    seen: dict[int, Visit] = {}
    for visit in sorted((*books.dormant, *books.visits), key=lambda each: each.start):
        if visit.state != "cancelled":
            seen[visit.patient] = visit
    return _known(books, [_of(visit, CHECKUP, now) for visit in seen.values() if since < visit.start < until])


def _of(visit: Visit, campaign: str, now: datetime, mark: str = "") -> Listed:
    return Listed(campaign, visit.patient, at=now, start=visit.start, doctor=visit.doctor, mark=mark)


def _known(books: Books, rows: list[Listed]) -> list[Listed]:
    """The rows, as they were when they were first listed; new ones go into the books."""
    before = {row.told(): row for row in books.lists}
    books.lists += [row for row in rows if row.told() not in before]
    return [before.get(row.told(), row) for row in rows]
