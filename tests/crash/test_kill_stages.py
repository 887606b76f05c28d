"""The same kills on the other stages: Helix's files, half written, dropped twice, broken and late; and Kreslo as an
application in Bitrix24 that hears staff through its queue of events, while iDent takes its tickets over HTTP. `make crash`
gives each a share of the kills.
"""

from pathlib import Path

import pytest

from tests.crash.helix_stage import HelixStage
from tests.crash.killing import kill_often
from tests.crash.queue_stage import QueueStage
from tests.crash.stage import Stage

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]


@pytest.mark.parametrize(("stage", "own"), [(HelixStage, "files: "), (QueueStage, "login: ")])
async def test_killed_on_any_stage_it_doubles_loses_and_repeats_nothing(
    tmp_path: Path, stage: type[Stage], own: str
) -> None:
    """`own`: points that only this stage passes."""
    toll = await kill_often("bitrix24", tmp_path, kills=6, seed=1, patients=40, kind=stage)
    assert toll.violations == []
    assert toll.kills == 6
    assert toll.confirmed > 50
    assert any(point.startswith(own) for point in [*toll.aimed, *toll.never_killed_at])
