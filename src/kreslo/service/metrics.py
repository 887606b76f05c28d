"""GET /metrics: the figures of `/status` for Prometheus, in its text format (version 0.0.4)."""

from collections.abc import Iterator, Sequence

from fastapi import APIRouter, Response

from kreslo.service.hosted import Hosted
from kreslo.sync.status import BridgeStatus

_TYPE = "text/plain; version=0.0.4; charset=utf-8"
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


def metrics_routes(bridges: Sequence[Hosted]) -> APIRouter:
    """No names and no phones: bridges, roles and kinds are the only labels."""
    routes = APIRouter(tags=["health"])

    @routes.get("/metrics")
    async def metrics() -> Response:
        return Response(told([bridge.status() for bridge in bridges]), media_type=_TYPE)

    return routes


def told(states: Sequence[BridgeStatus]) -> str:
    """All figures of these bridges, a family of metrics after the other, as the format wants it."""
    lines = []
    for name, means in _GAUGES.items():
        lines += [f"# HELP kreslo_{name} {means}", f"# TYPE kreslo_{name} gauge"]
        for state in states:
            for labels, value in _values(name, state):
                inside = "".join(f',{label}="{text}"' for label, text in labels.items())
                lines.append(f'kreslo_{name}{{bridge="{state.name}"{inside}}} {value:.15g}')
    return "\n".join(lines) + "\n"


def _values(name: str, state: BridgeStatus) -> Iterator[tuple[dict[str, str], float]]:
    """A metric's labels beside the bridge, and its values."""
    if name == "cards":
        yield from (({"role": role}, count) for role, count in state.cards.items())
    elif name == "drift":
        yield from (
            ({"kind": kind}, count) for kind, count in (state.drift.by_kind if state.drift else {}).items()
        )
    elif name == "compared_cards":
        yield from [({}, state.drift.cards)] if state.drift else []
    else:
        yield {}, float(getattr(state, name))
