"""POST /calls: a call is hung on whoever has its number, a contact or a company."""

from typing import Any

from connectors.amocrm.sandbox import working
from connectors.amocrm.sandbox.account import Account
from connectors.amocrm.sandbox.calls import Call, Method, Reply, wrapped
from connectors.amocrm.sandbox.cards import Card, Kind
from connectors.amocrm.sandbox.methods.complex_add import digits
from connectors.amocrm.sandbox.problems import Errors, Refused, invalid
from kreslo.connectors.sandboxing import php

_NEEDED = ("direction", "duration", "source", "phone")


def add(call: Call) -> Reply:
    """Unlike other writes, one call that cannot be placed does not refuse the rest of them."""
    rows: list[dict[str, Any]] = []
    refused: list[Refused] = []
    for at, item in enumerate(call.array()):
        request_id = php.text(item.get("request_id", at))
        errors = Errors()
        for name in _NEEDED:
            if item.get(name) is None:
                errors.add("FieldMissing", name)
        holder = _holder(call.account, str(item.get("phone")))
        if holder is None and call.account.switches.call_without_entity == "error":
            errors.add("NotSupportedChoice", "phone")
        if errors.found:
            refused.append(Refused(errors.found, request_id))
        elif holder is not None:
            rows.append(_added(call, holder, item, request_id))
    if refused and not rows:
        raise invalid(refused)
    body = wrapped(call, "calls", "calls", rows)
    return Reply({**body, "_total_items": len(rows), "errors": [one.shown() for one in refused]})


def _added(call: Call, holder: Card, item: dict[str, Any], request_id: str) -> dict[str, Any]:
    params = {name: value for name, value in item.items() if name not in {"direction", "request_id"}}
    inbound = item["direction"] == "inbound"
    fields = {"entity_id": holder.id, "note_type": "call_in" if inbound else "call_out", "params": params}
    note = working.add_note(call.account, holder.kind, fields, call.author)
    entity = {"id": holder.id, "_links": call.href(f"{holder.kind.value}/{holder.id}")}
    return {
        "id": note.id,
        "entity_id": holder.id,
        "entity_type": holder.kind.one,
        "request_id": request_id,
        "_embedded": {"entity": entity},
    }


def _holder(account: Account, phone: str) -> Card | None:
    wanted = digits(phone)[-10:]
    for kind in (Kind.CONTACT, Kind.COMPANY):
        field = account.fields.coded(kind, "PHONE")
        for card in account.stores[kind]:
            cells = card.custom.get(field.id, []) if field else []
            if wanted and any(digits(cell.value)[-10:] == wanted for cell in cells):
                return card
    return None


METHODS = (Method("POST", "calls", add),)
