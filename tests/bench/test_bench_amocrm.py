"""The bench at a size that a test can afford: what must hold at any size."""

import pytest

from tests.bench.bench_amocrm import Plan, measure, table
from tests.bench.driven import run_driven


@pytest.mark.parametrize("answer", [0.0, 0.3])
def test_an_import_is_polite_and_whole_and_keeps_the_pace(answer: float) -> None:
    plan = Plan(contacts=2000, deals=4000, held=500, answer=answer)
    figures = run_driven(measure(plan))
    assert (figures.contacts, figures.deals) == (2500, 4000), table([figures])
    assert (figures.doubled, figures.refused) == (0, 0)
    assert figures.at_once <= 7
    assert figures.request_share <= 1.15, table([figures])
    assert figures.time_share <= 1.1, table([figures])
