"""crm.stagehistory.list: every stage that a deal or lead has stood on."""

from connectors.bitrix24.sandbox import moments
from connectors.bitrix24.sandbox.calls import Answer, Call, Method, paged
from connectors.bitrix24.sandbox.cards import Kind
from connectors.bitrix24.sandbox.errors import RestError, missing_argument
from connectors.bitrix24.sandbox.tables import filtered, ordered, selected
from kreslo.connectors.sandboxing import php

_INTEGERS = {"ID", "OWNER_ID", "TYPE_ID", "CATEGORY_ID"}
_MOMENTS = {"CREATED_TIME"}


def methods() -> list[Method]:
    return [Method("crm.stagehistory.list", "crm", _list)]


def _list(call: Call) -> Answer:
    if "entityTypeId" not in call.params:
        raise missing_argument("entityTypeId")
    type_id = php.integer(call.params["entityTypeId"])
    kind = {Kind.DEAL.value: Kind.DEAL, Kind.LEAD.value: Kind.LEAD}.get(type_id)
    if kind is None:
        raise RestError("0", f"entity {type_id} is not supported")
    zone = call.portal.zone
    rows = filtered(
        call.portal.history[kind], call.params.get("filter"), zone, integers=_INTEGERS, moments=_MOMENTS
    )
    rows = ordered(rows, call.params.get("order") or {"ID": "ASC"}, integers=_INTEGERS)
    page, total, following = paged(rows, call, legacy=False)
    # Recorded answers have texts where the documentation's sample has numbers.
    shown = [
        {
            code: moments.show_datetime(value, zone) if code in _MOMENTS else str(value)
            for code, value in row.items()
        }
        for row in page
    ]
    return Answer({"items": [selected(row, call.params.get("select")) for row in shown]}, total, following)
