"""The real process on real files and sockets, killed with SIGKILL at numbered points and at random, while the clinic, its
staff and the CRM's hooks go on; then calm, and the oracle. `make crash KILLS=300`.
"""

import os
from pathlib import Path

import pytest

from tests.crash.killing import kill_often, told

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("KILLS", "6"))
SEED = int(os.environ.get("SEED", "1"))
OF_AMOCRM = 4
"""One kill in so many goes to the bridge with amoCRM."""


@pytest.mark.parametrize(
    ("crm", "kills"), [("bitrix24", KILLS - KILLS // OF_AMOCRM), ("amocrm", max(1, KILLS // OF_AMOCRM))]
)
async def test_killed_at_any_point_it_doubles_loses_and_repeats_nothing(
    tmp_path: Path, crm: str, kills: int
) -> None:
    # Few kills go with a small clinic: the import itself must not take longer than they do.
    toll = await kill_often(crm, tmp_path, kills=kills, seed=SEED, patients=40 if kills < 20 else 200)
    print(told(toll))
    assert toll.violations == []
    assert toll.kills == kills
    assert toll.confirmed > 50
