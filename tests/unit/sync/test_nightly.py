"""When the nightly comparison runs."""

from datetime import UTC, datetime, timedelta

import pytest

from kreslo.sync.nightly import is_time
from tests.unit.decisions.builders import ZONE, make_bridge

NIGHT = datetime(2026, 11, 16, 3, 30, tzinfo=ZONE).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "last", "wanted"),
    [
        (NIGHT, NIGHT - timedelta(hours=20), True),
        (NIGHT, NIGHT - timedelta(minutes=10), False),  # done tonight
        (NIGHT + timedelta(hours=8), NIGHT - timedelta(hours=10), False),  # by day it waits
        (NIGHT + timedelta(hours=8), NIGHT - timedelta(hours=30), True),  # the machine was off at night
        (NIGHT, None, False),
    ],
)
def test_once_a_night_or_as_soon_as_it_can_be(now: datetime, last: datetime | None, wanted: bool) -> None:
    assert is_time(now, last, make_bridge()) is wanted
