"""The real process on real files and sockets, killed with SIGKILL at numbered points and at random, while the clinic, its
staff and the CRM's hooks go on; then calm, and the oracle. A few kills here; `make crash KILLS=300` for many.
"""

from pathlib import Path

import pytest

from tests.crash.killing import kill_often

pytestmark = pytest.mark.slow


# amoCRM lets seven requests a second through, so that an import alone takes longer than all of the other one.
@pytest.mark.parametrize(
    ("crm", "kills"), [("bitrix24", 6), pytest.param("amocrm", 2, marks=pytest.mark.exhaustive)]
)
async def test_killed_at_any_point_it_doubles_loses_and_repeats_nothing(
    tmp_path: Path, crm: str, kills: int
) -> None:
    # The smallest clinic: its import must not take longer than the kills do.
    toll = await kill_often(crm, tmp_path, kills=kills, seed=1, patients=40)
    assert toll.violations == []
    assert toll.kills == kills
    assert toll.confirmed > 50
