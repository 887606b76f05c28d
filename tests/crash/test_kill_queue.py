"""The same kills while Kreslo is an application in Bitrix24 that hears staff through its queue of events, and iDent takes
its tickets over HTTP; `make crash` gives it a share of the kills.
"""

from pathlib import Path

import pytest

from tests.crash.killing import kill_often
from tests.crash.queue_stage import QueueStage

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]


async def test_killed_at_any_point_the_queue_loses_no_event_and_a_lead_is_one_ticket(tmp_path: Path) -> None:
    toll = await kill_often("bitrix24", tmp_path, kills=6, seed=1, patients=40, kind=QueueStage)
    assert toll.violations == []
    assert toll.kills == 6
    assert toll.confirmed > 50
    assert any(point.startswith("login: ") for point in [*toll.aimed, *toll.never_killed_at])
