"""event.*: bindings of an application, and its offline queue."""

from typing import Any

from connectors.bitrix24.sandbox import moments
from connectors.bitrix24.sandbox.calls import Answer, Call, Method, paged
from connectors.bitrix24.sandbox.errors import RestError
from connectors.bitrix24.sandbox.happenings import PING, Handler, Queued
from kreslo.connectors.sandboxing import php

NAMES = frozenset(
    f"ONCRM{kind}{act}" for kind in ("LEAD", "DEAL", "CONTACT") for act in ("ADD", "UPDATE", "DELETE")
) | {"ONCRMDEALMOVETOCATEGORY", PING}
_LIMIT = 50


def methods() -> list[Method]:
    acts = {
        "event.bind": _bind,
        "event.get": _get,
        "event.unbind": _unbind,
        "events": lambda _: sorted(NAMES),
        "event.offline.get": _offline_get,
        "event.offline.list": _offline_list,
        "event.offline.clear": _offline_clear,
        "event.offline.error": _offline_error,
    }
    return [Method(name, "", run, app_only=True) for name, run in acts.items()]


def _event(call: Call) -> str:
    name = php.text(call.legacy("event")).upper()
    if name not in NAMES:
        raise RestError("ERROR_EVENT_NOT_FOUND", "Event not found")
    return name


def _offline(call: Call) -> bool:
    return php.text(call.legacy("event_type")) == "offline"


def _bind(call: Call) -> bool:
    name, happenings = _event(call), call.portal.happenings
    if _offline(call):
        if not call.portal.switches.admin:
            text = "Access denied! Offline events binding requires administrator access rights"
            raise RestError("ACCESS_DENIED", text, status=403)
        connectors = happenings.bound.setdefault(name, [])
        connector = _connector(call)
        if connector in connectors:
            raise RestError("ERROR_CORE", "Unable to set event handler: Handler already binded")
        connectors.append(connector)
        return True
    url = php.text(call.legacy("handler"))
    number = call.portal.next_id("handler")
    happenings.handlers.append(
        Handler(id=number, url=url, token=call.portal.application_token, events=[name])
    )
    return True


def _connector(call: Call) -> str:
    connector = php.text(call.legacy("auth_connector"))
    if connector and not call.portal.switches.extended_offline:
        raise RestError("ACCESS_DENIED", "Feature rest_auth_connector is not available", status=403)
    return connector


def _get(call: Call) -> list[dict[str, Any]]:
    happenings = call.portal.happenings
    online = [
        {"event": name, "handler": handler.url, "auth_type": "0", "offline": 0}
        for handler in happenings.handlers
        for name in handler.events
    ]
    offline = [
        {"event": name, "connector_id": connector, "offline": 1}
        for name, connectors in happenings.bound.items()
        for connector in connectors
    ]
    return online + offline


def _unbind(call: Call) -> dict[str, int]:
    name, happenings = _event(call), call.portal.happenings
    if _offline(call):
        connectors = happenings.bound.get(name, [])
        before = len(connectors)
        happenings.bound[name] = [one for one in connectors if one != php.text(call.legacy("auth_connector"))]
        return {"count": before - len(happenings.bound[name])}
    url = php.text(call.legacy("handler"))
    gone = [one for one in happenings.handlers if one.events == [name] and one.url == url]
    happenings.handlers = [one for one in happenings.handlers if one not in gone]
    return {"count": len(gone)}


def _offline_get(call: Call) -> dict[str, Any]:
    asked = call.legacy("clear")
    clear = True if asked is None else php.truthy(asked)
    if not clear and not call.portal.switches.extended_offline:
        raise RestError("ACCESS_DENIED", "Feature rest_offline_extended is not available", status=403)
    limit = php.integer(call.legacy("limit")) or _LIMIT
    process, rows = call.portal.happenings.take(limit, _connector(call), clear=clear)
    return {"process_id": process, "events": [_row(call, row) for row in rows]}


def _offline_list(call: Call) -> Answer:
    connector = php.text(call.legacy("auth_connector"))
    rows = [row for row in call.portal.happenings.queue if not connector or row.connector == connector]
    page, total, following = paged(rows, call, legacy=True)
    shown = [
        {**_row(call, row), "PROCESS_ID": row.process_id, "ERROR": "1" if row.error else "0"} for row in page
    ]
    return Answer(shown, total, following)


def _row(call: Call, row: Queued) -> dict[str, Any]:
    return {
        "ID": str(row.id),
        "TIMESTAMP_X": moments.show_datetime(row.at, call.portal.zone),
        "EVENT_NAME": row.name,
        "EVENT_DATA": row.data,
        "EVENT_ADDITIONAL": False,
        "MESSAGE_ID": row.message_id,
    }


def _offline_clear(call: Call) -> bool:
    ids = [php.integer(one) for one in php.members(call.legacy("id"))]
    call.portal.happenings.confirm(_process(call), ids, _messages(call))
    return True


def _offline_error(call: Call) -> bool:
    call.portal.happenings.put_back(_process(call), _messages(call))
    return True


def _process(call: Call) -> str:
    process = php.text(call.legacy("process_id"))
    if not process:
        raise RestError("ERROR_ARGUMENT", "Argument 'PROCESS_ID' is null or empty")
    return process


def _messages(call: Call) -> list[str]:
    return [php.text(one) for one in php.members(call.legacy("message_id"))]
