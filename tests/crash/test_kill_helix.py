"""The Helix source among the kills: files half written, dropped twice, broken and late. `make crash` kills more often."""

from pathlib import Path

import pytest

from tests.crash.helix_stage import HelixStage
from tests.crash.killing import kill_often

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]


async def test_killed_while_files_arrive_it_doubles_loses_and_repeats_nothing(tmp_path: Path) -> None:
    toll = await kill_often("bitrix24", tmp_path, kills=6, seed=1, patients=40, kind=HelixStage)
    assert toll.violations == []
    assert toll.kills == 6
    assert toll.confirmed > 50
    assert any(point.startswith("files: ") for point in [*toll.aimed, *toll.never_killed_at])
