"""Listing what was made since a write, where our clock was set between the two."""

from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from amo_wire import Wire

from connectors.amocrm.book import Book
from connectors.amocrm.find import Finder
from kreslo.connectors.model import CreatedSince, Entity
from kreslo.connectors.testing.clock import DAY

SCHEMA: Any = None
"""A listing by time needs none."""


@pytest.mark.parametrize(
    ("theirs_ahead", "earliest"),
    [
        pytest.param(-300, -300, id="ours is ahead: that much earlier by theirs"),
        pytest.param(90, 0, id="ours is behind, perhaps only since the write: no later than it says"),
        pytest.param(0, 0, id="both are right"),
    ],
)
async def test_it_begins_no_later_than_the_write_by_the_accounts_clock(
    tmp_path: Path, theirs_ahead: int, earliest: int
) -> None:
    # Begun later, it would be a complete list without the card, which would then be made twice (simulated seed 138).
    def respond(_: httpx.Request) -> httpx.Response:
        theirs = format_datetime(DAY + timedelta(seconds=theirs_ahead), usegmt=True)
        return httpx.Response(204, headers={"date": theirs})

    async with Wire(respond, tmp_path) as wire:
        await wire.client.ask("account")
        finder = Finder(wire.client, wire.clock, SCHEMA, wire.options, Book())
        await finder.find([CreatedSince(Entity.DEAL, DAY)])
        begun = int(wire.requests[-1].url.params["filter[created_at][from]"])
    assert DAY.timestamp() + earliest - 10 <= begun <= DAY.timestamp() + earliest
