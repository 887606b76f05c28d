"""Watching what a CRM is made of: a stage restored or a field made is why what was refused is tried again."""

import hashlib
from datetime import datetime, timedelta

import msgspec
import structlog

from kreslo.connectors.contract import Target
from kreslo.connectors.model import Catalog
from kreslo.journal import BridgeJournal
from kreslo.sync.threads import Threads

log = structlog.get_logger(__name__)

EVERY = timedelta(minutes=10)
"""How often the CRM is looked at while something is parked; and at once when more is."""


class CatalogWatch:
    """While anything is parked, funnels, stages and fields are compared with those of the last look."""

    def __init__(self, journal: BridgeJournal, target: Target, threads: Threads) -> None:
        self._journal = journal
        self._target = target
        self._threads = threads
        self._parked = 0
        self._next: datetime | None = None

    async def look(self, now: datetime, parked: int) -> int:
        """How much was released. Raises what `Target.catalog` raises; then it looks again at the next call."""
        more, self._parked = parked > self._parked, parked
        if not parked or not (more or self._next is None or now >= self._next):
            return 0
        catalog = await self._target.catalog()
        self._next = now + EVERY
        seen = digest_of(catalog)
        known = await self._threads.run(self._journal.flag, "catalog")
        if seen == known:
            return 0
        await self._threads.run(self._journal.save_flag, "catalog", seen)
        if not known:
            return 0
        released = await self._threads.run(self._journal.release_refused, now)
        log.info("crm_changed", released=released)
        return released


def digest_of(catalog: Catalog) -> str:
    """Of all that a card can stand on or hold, in one order."""
    funnels = sorted(msgspec.json.encode(each) for each in catalog.funnels)
    fields = sorted(msgspec.json.encode(each) for each in catalog.fields)
    return hashlib.sha256(b"\n".join([*funnels, *fields])).hexdigest()
