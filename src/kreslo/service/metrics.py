"""GET /metrics: the figures of `/status` for Prometheus, in its text format (version 0.0.4)."""

from collections.abc import Iterator, Sequence

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from kreslo.service.hosted import Hosted
from kreslo.sync.status import BridgeStatus

_GAUGES = {
    "live": "1 while the bridge's loop turns",
    "ready": "1 when both sides were reached and the first read is complete",
    "lag_seconds": "Age of the oldest change without a confirmed card",
    "waiting": "Cases to be decided",
    "sending": "Writes that are not confirmed yet",
    "unknown": "Writes of which nobody knows yet whether they were done",
    "parked": "What does not go on by itself",
    "review": "Questions that wait for a person",
    "cards": "Cards, by role",
    "compared_cards": "Cards compared by the last comparison",
    "drift": "Cards that the last comparison found to differ, by kind",
    "confirmed": "Writes that the CRM has confirmed, as far as the journal keeps them",
    "read": "Records read since the start",
}
_LABELS = {"cards": "role", "drift": "kind"}
"""Of figures that are counted apart: by what, beside the bridge."""


def metrics_routes(bridges: Sequence[Hosted]) -> APIRouter:
    """No names and no phones: bridges, roles and kinds are the only labels."""
    routes = APIRouter(tags=["health"])
    # A registry of its own: what the library counts of the process by itself is not asked for.
    registry = CollectorRegistry()
    registry.register(_Figures(bridges))

    @routes.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})

    return routes


class _Figures(Collector):
    """The status of each bridge at the moment it is asked for, never kept."""

    def __init__(self, bridges: Sequence[Hosted]) -> None:
        self._bridges = bridges

    def collect(self) -> Iterator[Metric]:
        states = [bridge.status() for bridge in self._bridges]
        for name, means in _GAUGES.items():
            own = _LABELS.get(name)
            family = GaugeMetricFamily(f"kreslo_{name}", means, labels=["bridge", own] if own else ["bridge"])
            for state in states:
                for labels, value in _values(name, state):
                    family.add_metric([state.name, *labels], value)
            yield family


def _values(name: str, state: BridgeStatus) -> Iterator[tuple[list[str], float]]:
    """A metric's labels beside the bridge, and its values."""
    if name == "cards":
        yield from (([role], count) for role, count in state.cards.items())
    elif name == "drift":
        yield from (([kind], count) for kind, count in (state.drift.by_kind if state.drift else {}).items())
    elif name == "compared_cards":
        yield from [([], state.drift.cards)] if state.drift else []
    else:
        yield [], float(getattr(state, name))
