"""crm.duplicate.findbycomm: who has this phone or e-mail, by the portal's match code."""

from typing import Any

from connectors.bitrix24.sandbox.calls import Call, Method
from connectors.bitrix24.sandbox.cards import Kind
from connectors.bitrix24.sandbox.errors import RestError, crm_error
from connectors.bitrix24.sandbox.phones import email_code, phone_code
from kreslo.connectors.sandboxing import php

_VALUES = 20
_HITS = 20
_KINDS = {"LEAD": Kind.LEAD, "CONTACT": Kind.CONTACT, "COMPANY": None}


def methods() -> list[Method]:
    return [Method("crm.duplicate.findbycomm", "crm", _find)]


def _find(call: Call) -> dict[str, list[int]]:
    try:
        return _found(call)
    except RestError as error:
        if call.portal.switches.findbycomm_code == "empty":
            raise
        raise RestError(error.text.rstrip("."), error.text) from error


def _found(call: Call) -> dict[str, list[int]]:
    comm = php.text(call.legacy("type")).upper()
    if not comm:
        raise crm_error("Communication type is not defined.")
    if comm not in {"PHONE", "EMAIL"}:
        raise crm_error(f"Communication type '{comm}' is not supported in current context.")
    values = call.legacy("values")
    if not php.is_array(values) or not php.members(values):
        raise crm_error("Communication values is not defined.")
    asked = [value.strip() for value in php.members(values) if isinstance(value, str) and value.strip()][
        :_VALUES
    ]
    found: dict[str, list[int]] = {}
    for name in _entities(call):
        kind = _KINDS[name]
        hits = [] if kind is None else _hits(call, kind, comm, asked)
        if hits:
            found[name] = hits
        if len(hits) >= _HITS:
            break
    return found


def _entities(call: Call) -> list[str]:
    asked = php.text(call.legacy("entity_type")).upper()
    if not asked:
        return ["LEAD", "CONTACT", "COMPANY"]
    if asked not in _KINDS:
        raise crm_error(f"{asked.capitalize()} is not supported in current context.")
    return [asked]


def _hits(call: Call, kind: Kind, comm: str, asked: list[str]) -> list[int]:
    store = call.portal.store(kind)
    exact = comm == "PHONE" and call.portal.switches.phone_search == "format_sensitive"
    found: dict[int, Any] = {}
    for value in asked:
        if exact:
            holders = store.holding("PHONE", value)
        else:
            holders = store.holding(
                f"CODE:{comm}", phone_code(value) if comm == "PHONE" else email_code(value)
            )
        found.update(dict.fromkeys(sorted(holders)[:_HITS]))
    return list(found)
