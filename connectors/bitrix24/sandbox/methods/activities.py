"""crm.activity.{add,get,update,delete}: the older activities, the only ones with a key of another system's; and
crm.timeline.logmessage.add.
"""

from typing import Any

from connectors.bitrix24.sandbox import moments
from connectors.bitrix24.sandbox.calls import Call, Method
from connectors.bitrix24.sandbox.cards import Card, Kind
from connectors.bitrix24.sandbox.errors import RestError, crm_error, missing_argument
from connectors.bitrix24.sandbox.methods.timeline import shown_row, stirred
from kreslo.connectors.sandboxing import php

_TYPES = {"1": "Встреча", "2": "Звонок", "4": "E-mail"}
_TEXTS = ("SUBJECT", "DESCRIPTION", "PROVIDER_ID", "ORIGINATOR_ID", "ORIGIN_ID", "ORIGIN_VERSION")


def methods() -> list[Method]:
    acts = {"add": _add, "get": _get, "update": _update, "delete": _delete}
    found = [Method(f"crm.activity.{act}", "crm", run) for act, run in acts.items()]
    return [*found, Method("crm.timeline.logmessage.add", "crm", _log)]


def _card(call: Call, type_id: Any, card_id: Any) -> Card | None:
    try:
        return call.portal.card(Kind(php.integer(type_id)), php.integer(card_id))
    except ValueError:
        return None


def _add(call: Call) -> int:
    sent = dict(php.pairs(call.array("fields")))
    card = _card(call, sent.get("OWNER_TYPE_ID"), sent.get("OWNER_ID"))
    if card is None:
        raise crm_error("The owner of the activity is not defined or not found.")
    type_id = php.text(sent.get("TYPE_ID"))
    if type_id not in _TYPES:
        raise crm_error("TYPE_ID is not defined or invalid.")
    now = call.portal.now()
    row: dict[str, Any] = {
        "ID": call.portal.next_id("activity"),
        "OWNER_ID": card.id,
        "OWNER_TYPE_ID": card.kind.value,
        "TYPE_ID": type_id,
        "PROVIDER_ID": "",
        "PROVIDER_TYPE_ID": "",
        "SUBJECT": _TYPES[type_id],
        "DESCRIPTION": "",
        "COMPLETED": "N",
        "RESPONSIBLE_ID": call.user_id,
        "AUTHOR_ID": call.user_id,
        "START_TIME": None,
        "END_TIME": None,
        "DEADLINE": None,
        "CREATED": now,
        "LAST_UPDATED": now,
    }
    _write(call, row, sent)
    call.portal.activities.append(row)
    stirred(call, card)
    return int(row["ID"])


def _write(call: Call, row: dict[str, Any], sent: dict[str, Any]) -> None:
    row.update({code: php.text(sent[code]) for code in _TEXTS if code in sent})
    if "COMPLETED" in sent:
        row["COMPLETED"] = "Y" if php.text(sent["COMPLETED"]).upper() == "Y" else "N"
    if php.integer(sent.get("RESPONSIBLE_ID")):
        row["RESPONSIBLE_ID"] = php.integer(sent["RESPONSIBLE_ID"])
    for code in ("START_TIME", "END_TIME", "DEADLINE"):
        if code in sent:
            row[code] = moments.parse_datetime(php.text(sent[code]), call.portal.zone) or row.get(code)
    if row["TYPE_ID"] in _TYPES:  # meetings and calls are due when they begin, letters when they end
        row["DEADLINE"] = row.get("END_TIME" if row["TYPE_ID"] == "4" else "START_TIME") or row.get(
            "DEADLINE"
        )
    row["LAST_UPDATED"] = call.portal.now()


def _existing(call: Call) -> dict[str, Any]:
    wanted = php.integer(call.legacy("id"))
    for row in call.portal.activities:
        if row["ID"] == wanted:
            return row
    raise crm_error("Activity is not found.")


def _get(call: Call) -> dict[str, Any]:
    return shown_row(_existing(call), call)


def _update(call: Call) -> bool:
    _write(call, _existing(call), dict(php.pairs(call.array("fields"))))
    return True


def _delete(call: Call) -> bool:
    call.portal.activities.remove(_existing(call))
    return True


def _log(call: Call) -> dict[str, Any]:
    """A light record of the timeline; it cannot be listed."""
    sent = dict(php.pairs(call.params.get("fields")))
    for name in ("entityTypeId", "entityId", "title", "text"):
        if not php.text(sent.get(name)):
            raise missing_argument(name)
    card = _card(call, sent["entityTypeId"], sent["entityId"])
    if card is None:
        raise RestError("OWNER_NOT_FOUND", "Owner was not found")
    stirred(call, card)
    shown = {name: php.text(sent.get(name)) for name in ("title", "text", "iconCode")}
    created = moments.show_datetime(call.portal.now(), call.portal.zone)
    return {"logMessage": {"id": call.portal.next_id("log message"), "created": created, **shown}}
