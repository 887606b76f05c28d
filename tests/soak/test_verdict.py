"""What the soak calls broken."""

from typing import Any

import msgspec
import pytest

from tests.soak.verdict import Figures, Sample, broken, shown

FLAT = [Sample(rss=100.0, handles=20, queue=3, lag=1.0)] * 40
GOOD = Figures(samples=FLAT, drained_seconds=5.0, parked=0, refusals=0, violations=())


def growing(**by: float) -> list[Sample]:
    """From sample to sample by so much."""
    return [
        Sample(
            rss=100.0 + number * by.get("rss", 0),
            handles=20 + int(number * by.get("handles", 0)),
            queue=3,
            lag=1.0,
        )
        for number in range(40)
    ]


def test_a_flat_day_holds() -> None:
    assert broken(GOOD) == []
    assert shown(GOOD)["rss_mb_by_quarter"] == [100.0] * 4


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"samples": growing(rss=1)}, "memory grew"),
        ({"samples": growing(handles=0.5)}, "handles grew"),
        ({"drained_seconds": 61.0}, "to drain"),
        ({"parked": 1}, "parked"),
        ({"refusals": 1}, "limits refused"),
        ({"violations": ["a card is doubled"]}, "doubled"),
    ],
)
def test_each_thing_that_does_not_hold_is_told(change: dict[str, Any], word: str) -> None:
    (told,) = broken(msgspec.structs.replace(GOOD, **change))
    assert word in told


def test_a_day_too_short_to_judge_is_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        broken(msgspec.structs.replace(GOOD, samples=FLAT[:3]))
