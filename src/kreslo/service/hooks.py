"""POST /hooks/{bridge}/{secret}: what a CRM sends when a card changed there."""

import hmac
from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import APIRouter, HTTPException, Request, status

from kreslo.connectors.contract import HOOK_SECRET_HEADER
from kreslo.connectors.errors import DataError, OutageError, PermissionDeniedError
from kreslo.service.hosted import Hosted

_log = structlog.get_logger(__name__)

MOST_BYTES = 1_000_000
"""A hook names one card, some hundred bytes; what is a thousand times larger is no hook."""


def hook_routes(bridges: Mapping[str, Hosted], *, secret: str = "") -> APIRouter:
    """`secret`: the last part of the address, where the administrator has set one; compared in constant time. The
    CRM's own token in the body is the connector's matter. A hook is only taken down here and answered at once:
    CRMs slow down or drop a listener that lets them wait.
    """
    routes = APIRouter(tags=["hooks"])

    async def take(bridge: str, given: str, request: Request) -> dict[str, Any]:
        hosted = bridges.get(bridge)
        if hosted is None or not hmac.compare_digest(given.encode(), (secret or given).encode()):
            # One answer for both: an outsider learns no bridge's name.
            raise HTTPException(status.HTTP_404_NOT_FOUND, "no such hook")
        body = await _body(request)
        try:
            # A CRM that signs nothing proves itself by the address alone, which the connector does not see.
            taken = await hosted.accept_webhook({**request.headers, HOOK_SECRET_HEADER: given}, body)
        except PermissionDeniedError as error:
            _log.warning("a hook with a wrong secret was refused", bridge=bridge, detail=error.detail)
            raise HTTPException(status.HTTP_403_FORBIDDEN, error.message) from error
        except DataError as error:
            _log.warning("a body that is no hook was refused", bridge=bridge, detail=error.detail)
            raise HTTPException(status.HTTP_400_BAD_REQUEST, error.message) from error
        except OutageError as error:
            # It could not be written down (a full disk, a locked journal): the CRM is not told that we have it.
            _log.warning(
                "a hook could not be kept", bridge=bridge, message=error.message, detail=error.detail
            )
            raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE, "the hook could not be kept") from error
        return {"accepted": taken}

    @routes.post("/hooks/{bridge}")
    async def hook(bridge: str, request: Request) -> dict[str, Any]:
        return await take(bridge, "", request)

    @routes.post("/hooks/{bridge}/{given}")
    async def secret_hook(bridge: str, given: str, request: Request) -> dict[str, Any]:
        return await take(bridge, given, request)

    return routes


async def _body(request: Request) -> bytes:
    taken = bytearray()
    async for piece in request.stream():
        taken += piece
        if len(taken) > MOST_BYTES:
            raise HTTPException(status.HTTP_413_CONTENT_TOO_LARGE, "too large for a hook")
    return bytes(taken)
