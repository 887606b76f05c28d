"""Watching what a CRM is made of: a stage restored or a field made is why what was refused is tried again."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import structlog

from kreslo.connectors.contract import Target
from kreslo.connectors.model import Catalog, Outcome, OutcomeKind
from kreslo.journal import BridgeJournal
from kreslo.sync.threads import Threads

log = structlog.get_logger(__name__)

EVERY = timedelta(minutes=10)
"""How often the CRM is looked at while something is parked; and at once when it has refused something."""


class CatalogWatch:
    """While anything is parked, funnels, stages and fields are compared with those of the last look: the one right after the
    CRM refused it, as a rule.
    """

    def __init__(self, journal: BridgeJournal, target: Target, threads: Threads) -> None:
        self._journal = journal
        self._target = target
        self._threads = threads
        self._now = False
        self._next: datetime | None = None

    def heard(self, outcomes: Sequence[Outcome]) -> None:
        """What was sent has these outcomes."""
        self._now = self._now or any(each.kind is OutcomeKind.PERMANENT for each in outcomes)

    async def look(self, now: datetime, parked: int) -> int:
        """How much was released; `parked`: how much stood parked lately. Raises what `Target.catalog` raises; then it looks
        again at the next call.
        """
        if not (self._now or (parked and (self._next is None or now >= self._next))):
            return 0
        seen = digest_of(await self._target.catalog())
        self._now, self._next = False, now + EVERY
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
