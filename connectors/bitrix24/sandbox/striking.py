"""The portal's own words for a fault."""

from starlette.responses import Response

from connectors.bitrix24.sandbox.errors import RestError
from kreslo.connectors.sandboxing import php
from kreslo.connectors.sandboxing.faults import Fault
from kreslo.connectors.sandboxing.striking import gateway_page


def answer_to(fault: Fault) -> Response:
    """What a fault that answers at all answers."""
    if fault.kind == "502html":
        return gateway_page("502 Bad Gateway")
    if fault.kind == "504html":
        return gateway_page("504 Gateway Time-out")
    code, text, status = {
        "503": ("QUERY_LIMIT_EXCEEDED", "Too many requests", 503),
        "429": ("OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.", 429),
    }.get(fault.kind, ("INTERNAL_SERVER_ERROR", "Internal server error", 500))
    body = RestError(code, text).body()
    return Response(php.encode(body), status, media_type="application/json; charset=utf-8")
