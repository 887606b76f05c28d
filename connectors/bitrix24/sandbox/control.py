"""/_control: drives the sandbox from outside the REST API; docs/sandboxes.md describes it."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from connectors.bitrix24.sandbox.portal import Portal
from connectors.bitrix24.sandbox.state import state_of


def control_routes(portal: Portal) -> list[BaseRoute]:
    async def state(request: Request) -> JSONResponse:
        only = request.query_params.get("only", "")
        return JSONResponse(state_of(portal, {part for part in only.split(",") if part}))

    async def stats(_: Request) -> JSONResponse:
        return JSONResponse(portal.stats.shown())

    return [Route("/_control/state", state), Route("/_control/stats", stats)]
