"""Whether a long day held: memory and handles flat, the queue drained, nothing parked, nobody offended, the promise kept."""

from collections.abc import Sequence
from statistics import median
from typing import Any

import msgspec

GROWTH = 1.10
SPARE_MB = 8.0
"""Memory may grow by a tenth and so many MB from the first quarter of the day to the last: more cases are known then."""

SPARE_HANDLES = 4
DRAINED_SECONDS = 60.0


class Sample(msgspec.Struct, frozen=True):
    """At one moment: resident memory in MB, open handles, cases and writes that wait, seconds of the oldest of them."""

    rss: float
    handles: int
    queue: int
    lag: float


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """`drained_seconds`: from the last change until nothing waited. `refusals`: requests that a limit of the CRM refused."""

    samples: Sequence[Sample]
    drained_seconds: float
    parked: int
    refusals: int
    violations: Sequence[str]


def broken(figures: Figures) -> list[str]:
    """What did not hold, in words; empty if all did."""
    told = []
    first, last = quarter(figures.samples, 0), quarter(figures.samples, 3)
    before, after = (median(sample.rss for sample in part) for part in (first, last))
    if after > before * GROWTH + SPARE_MB:
        told.append(f"memory grew from {before:.1f} to {after:.1f} MB")
    fewest, most = (max(sample.handles for sample in part) for part in (first, last))
    if most > fewest + SPARE_HANDLES:
        told.append(f"open handles grew from {fewest} to {most}")
    if figures.drained_seconds > DRAINED_SECONDS:
        told.append(f"the queue took {figures.drained_seconds:.0f} s to drain")
    if figures.parked:
        told.append(f"{figures.parked} items are parked")
    if figures.refusals:
        told.append(f"the CRM's limits refused {figures.refusals} requests")
    return [*told, *figures.violations]


def quarter(samples: Sequence[Sample], number: int) -> Sequence[Sample]:
    """Of the day, 0 to 3. Raises ValueError on fewer samples than quarters."""
    size = len(samples) // 4
    if not size:
        raise ValueError(f"{len(samples)} samples are too few to compare the beginning of a day with its end")
    return samples[number * size : (number + 1) * size]


def shown(figures: Figures) -> dict[str, Any]:
    """For a line of JSON."""
    samples = figures.samples
    parts = [quarter(samples, number) for number in range(4)]
    return {
        "rss_mb_by_quarter": [round(median(sample.rss for sample in part), 1) for part in parts],
        "handles_by_quarter": [max(sample.handles for sample in part) for part in parts],
        "queue_peak": max(sample.queue for sample in samples),
        "lag_peak_seconds": round(max(sample.lag for sample in samples), 1),
        "lag_median_seconds": round(median(sample.lag for sample in samples), 1),
        "drained_seconds": round(figures.drained_seconds, 1),
        "parked": figures.parked,
        "refusals": figures.refusals,
        "violations": list(figures.violations),
    }
