"""The bench at a size that a test can afford: what must hold at any size."""

from tests.bench.bench_amocrm import Plan, measure, table
from tests.bench.driven import run_driven


def test_an_import_is_polite_and_whole() -> None:
    plan = Plan(contacts=1000, deals=2000, held=300)
    figures = run_driven(measure(plan))
    assert (figures.contacts, figures.deals) == (1300, 2000), table([figures])
    assert (figures.doubled, figures.refused) == (0, 0)
    assert figures.at_once <= 7
    assert figures.request_share <= 1.15, table([figures])
    assert figures.time_share <= 1.1, table([figures])
