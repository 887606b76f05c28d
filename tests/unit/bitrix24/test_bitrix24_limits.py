import asyncio

import pytest

from connectors.bitrix24.limits import Bucket, Operating, bucket_of
from connectors.bitrix24.options import Plan
from kreslo.connectors.testing import HandClock


@pytest.mark.parametrize(("plan", "burst", "rate"), [(Plan.STANDARD, 50, 2), (Plan.ENTERPRISE, 250, 5)])
async def test_the_bucket_never_overflows(plan: Plan, burst: int, rate: int) -> None:
    clock = HandClock()
    bucket = Bucket(clock, plan)
    level, at = 0.0, 0.0
    for _ in range(3 * burst):
        await bucket.take()
        level = max(0.0, level - (clock.monotonic() - at) * rate) + 1
        at = clock.monotonic()
        assert level <= burst
    assert clock.monotonic() <= 3 * burst / rate, "and it is no slower than it must be"


async def test_those_who_wait_at_once_do_not_slip_through_together() -> None:
    clock = HandClock()
    bucket = Bucket(clock, Plan.STANDARD)
    await asyncio.gather(*(bucket.take() for _ in range(145)))
    assert clock.monotonic() == pytest.approx(50.0)


async def test_an_overflow_that_others_caused_is_waited_out() -> None:
    clock = HandClock()
    bucket = Bucket(clock, Plan.STANDARD)
    bucket.overflowed()
    await bucket.take()
    assert clock.slept == pytest.approx(0.5)


def test_bridges_to_one_portal_share_a_bucket() -> None:
    clock = HandClock()
    one = bucket_of(clock, "a.bitrix24.ru", Plan.STANDARD)
    assert bucket_of(clock, "a.bitrix24.ru", Plan.STANDARD) is one
    assert bucket_of(clock, "b.bitrix24.ru", Plan.STANDARD) is not one
    assert bucket_of(HandClock(), "a.bitrix24.ru", Plan.STANDARD) is not one


@pytest.mark.parametrize("reset", ["2026-03-02T12:05:00+03:00", 1772442300, None, "soon"])
def test_the_end_of_a_block_is_read_in_every_form(reset: object) -> None:
    clock = HandClock()
    operating = Operating(clock)
    operating.told("crm.deal.add", {"operating": 480, "operating_reset_at": reset, "finish": 1772442000})
    known = reset not in (None, "soon")
    assert operating.parked_for("crm.deal.add") == pytest.approx(300 if known else 600)
    assert operating.parked_for("crm.deal.update") == 0


@pytest.mark.parametrize("time", [None, [], {}, {"operating": None}, {"operating": 0.0}])
def test_an_answer_without_working_time_parks_nothing(time: object) -> None:
    operating = Operating(HandClock())
    operating.told("crm.deal.add", time)
    assert operating.parked_for("crm.deal.add") == 0
    assert operating.delay(["crm.deal.add"]) == 0


# --- a plan that is learned -----------------------------------------------------------------------------------------


async def test_a_plan_is_learned_from_the_portal_and_given_up_when_it_refuses() -> None:
    clock = HandClock()
    bucket = Bucket(clock, Plan.AUTO)
    assert bucket.plan is Plan.STANDARD
    bucket.learned(Plan.ENTERPRISE)
    await asyncio.gather(*(bucket.take() for _ in range(225)))
    assert clock.slept == 0
    bucket.overflowed()
    bucket.learned(Plan.ENTERPRISE)
    assert bucket.plan is Plan.STANDARD


def test_a_plan_that_was_chosen_is_not_learned() -> None:
    bucket = Bucket(HandClock(), Plan.STANDARD)
    bucket.learned(Plan.ENTERPRISE)
    assert bucket.plan is Plan.STANDARD


# --- working time ---------------------------------------------------------------------------------------------------


def told(clock: HandClock, total: float, duration: float) -> dict[str, float]:
    now = clock.now().timestamp()
    return {"operating": total, "duration": duration, "start": now, "finish": now}


def test_what_is_under_way_counts_before_it_is_told() -> None:
    clock = HandClock()
    operating = Operating(clock)
    operating.told("crm.deal.add", told(clock, 400.0, 400.0))
    assert operating.fits("crm.deal.add", 0.0)
    operating.begin("crm.deal.add", 80.0)
    assert not operating.fits("crm.deal.add", 0.0)
    operating.end("crm.deal.add", 80.0)
    assert operating.fits("crm.deal.add", 60.0)
    assert not operating.fits("crm.deal.add", 75.0)


def test_working_time_comes_back_minute_by_minute() -> None:
    clock = HandClock()
    operating = Operating(clock)
    operating.told("crm.deal.add", told(clock, 200.0, 200.0))
    clock.advance(120)
    operating.told("crm.deal.add", told(clock, 470.0, 270.0))
    assert operating.wait_for("crm.deal.add", 50.0) == pytest.approx(480.0)
    clock.advance(480)
    assert operating.fits("crm.deal.add", 180.0)
    assert not operating.fits("crm.deal.add", 220.0)


def test_what_others_use_with_our_webhook_is_counted_too() -> None:
    clock = HandClock()
    operating = Operating(clock)
    operating.told("crm.deal.add", told(clock, 450.0, 1.0))
    assert not operating.fits("crm.deal.add", 40.0)


def test_an_expected_cost_rises_at_once_and_falls_slowly() -> None:
    clock = HandClock()
    operating = Operating(clock)
    costs = []
    for duration in (1.0, 3.0, 1.0):
        operating.told("crm.deal.add", {"duration": duration * 10}, items=10)
        costs.append(operating.cost("crm.deal.add"))
    assert costs == pytest.approx([1.0, 3.0, 2.4])
    operating.lost("crm.deal.add", 10, 60.0)
    assert operating.cost("crm.deal.add") == pytest.approx(12.0)
