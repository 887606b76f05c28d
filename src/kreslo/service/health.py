"""GET /health, /health/live, /health/ready, /status: for a watchdog, for a balancer, for `kreslo status`."""

from collections.abc import Sequence
from typing import Any

import msgspec
from fastapi import APIRouter, Response, status

from kreslo.service.hosted import Hosted
from kreslo.sync.status import BridgeStatus


def health_routes(bridges: Sequence[Hosted]) -> APIRouter:
    """Live: every bridge's loops turn; a watchdog restarts what is not. Ready: source and target were reached and the
    first read is complete; what is not ready needs time or a person, not a restart. 503 where the answer is no.
    """
    routes = APIRouter(tags=["health"])

    def answer(response: Response, *, ok: bool, body: dict[str, Any]) -> dict[str, Any]:
        if not ok:
            response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
        return body

    @routes.get("/health")
    async def health(response: Response) -> dict[str, Any]:
        states = [bridge.status() for bridge in bridges]
        live, ready = _live(states), _ready(states)
        body = {"live": live, "ready": ready, "bridges": {state.name: _short(state) for state in states}}
        return answer(response, ok=live and ready, body=body)

    @routes.get("/health/live")
    async def health_live(response: Response) -> dict[str, Any]:
        live = _live([bridge.status() for bridge in bridges])
        return answer(response, ok=live, body={"live": live})

    @routes.get("/health/ready")
    async def health_ready(response: Response) -> dict[str, Any]:
        ready = _ready([bridge.status() for bridge in bridges])
        return answer(response, ok=ready, body={"ready": ready})

    @routes.get("/status")
    async def whole_status() -> dict[str, Any]:
        return {"bridges": [msgspec.to_builtins(bridge.status()) for bridge in bridges]}

    return routes


def _live(states: Sequence[BridgeStatus]) -> bool:
    return all(state.live for state in states)


def _ready(states: Sequence[BridgeStatus]) -> bool:
    return all(state.ready for state in states)


def _short(state: BridgeStatus) -> dict[str, Any]:
    error = state.last_error
    return {
        "live": state.live,
        "ready": state.ready,
        "paused": state.paused,
        "last_error": None if error is None or error.over else error.message,
    }
