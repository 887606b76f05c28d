"""The bench at a size that a test can afford: what must hold at any size."""

import pytest

from tests.bench.bench_bitrix24 import Plan, measure, table
from tests.bench.driven import run_driven


@pytest.mark.parametrize("cost", [0.05, 0.5])
def test_an_import_is_polite_and_whole(cost: float) -> None:
    plan = Plan(contacts=1200, deals=2400, held=300, cost=cost)
    figures = run_driven(measure(plan))
    assert figures.made == {"lead": 0, "contact": 1500, "deal": 2400}, table([figures])
    assert (figures.doubled, figures.parked) == (0, 0)
    assert figures.refused_in_a_row <= 1
    assert figures.request_share <= 1.4  # a small import has few whole requests; the full one: make bench
    assert figures.seconds <= 1.4 * max(plan.least_seconds, plan.contacts * cost)
