"""Comments in a card's timeline, to-dos, and the list of activities."""

from typing import Any

from connectors.bitrix24.sandbox import moments
from connectors.bitrix24.sandbox.calls import Answer, Call, Method, paged
from connectors.bitrix24.sandbox.cards import Card, Kind
from connectors.bitrix24.sandbox.errors import RestError, crm_error, missing_argument
from connectors.bitrix24.sandbox.tables import filtered, ordered, selected
from kreslo.connectors.sandboxing import php

_KINDS = {kind.word: kind for kind in Kind}
_COMMENT_FIELDS = ("ID", "ENTITY_ID", "ENTITY_TYPE", "CREATED", "COMMENT", "AUTHOR_ID")
_INTEGERS = {"ID", "OWNER_ID", "OWNER_TYPE_ID", "TYPE_ID", "RESPONSIBLE_ID", "AUTHOR_ID", "ENTITY_ID"}
_MOMENTS = {"CREATED", "LAST_UPDATED", "DEADLINE", "START_TIME", "END_TIME"}
_TODO_TYPE = "6"


def methods() -> list[Method]:
    return [
        Method("crm.timeline.comment.add", "crm", _add_comment),
        Method("crm.timeline.comment.list", "crm", _comments),
        Method("crm.activity.todo.add", "crm", _add_todo),
        Method("crm.activity.list", "crm", _activities),
    ]


def _add_comment(call: Call) -> int:
    fields = call.params.get("fields")  # this method takes the lower-case name only
    if not php.is_array(fields):
        raise missing_argument("fields")
    sent = dict(php.pairs(fields))
    for name in ("ENTITY_ID", "ENTITY_TYPE"):
        if not php.text(sent.get(name)):
            raise missing_argument(name)
    kind = _KINDS.get(php.text(sent["ENTITY_TYPE"]).lower())
    card = None if kind is None else call.portal.card(kind, php.integer(sent["ENTITY_ID"]))
    if kind is None or card is None:
        raise RestError("OWNER_NOT_FOUND", "Owner was not found")
    if not php.text(sent.get("COMMENT")).strip():
        raise RestError("INVALID_ARG_VALUE", "Empty comment message")
    comment_id = call.portal.next_id("comment")
    author = php.integer(sent.get("AUTHOR_ID")) or call.user_id
    row = {"ID": comment_id, "ENTITY_ID": card.id, "ENTITY_TYPE": kind.word, "CREATED": call.portal.now()}
    call.portal.comments.append({**row, "COMMENT": php.text(sent["COMMENT"]), "AUTHOR_ID": author})
    stirred(call, card)
    return comment_id


def stirred(call: Call, card: Card) -> None:
    """Something happened on the card's timeline."""
    with call.portal.store(card.kind).changing(card):
        card.fields.update({"LAST_ACTIVITY_TIME": call.portal.now(), "LAST_ACTIVITY_BY": call.user_id})


def _comments(call: Call) -> Answer:
    asked = dict(php.pairs(call.array("filter")))
    if not asked.get("ENTITY_ID") or not asked.get("ENTITY_TYPE"):
        raise crm_error("Filter by ENTITY_ID and ENTITY_TYPE is required")
    rows = filtered(
        call.portal.comments,
        asked,
        call.portal.zone,
        integers=_INTEGERS,
        moments=_MOMENTS,
        fields=_COMMENT_FIELDS,
    )
    rows = ordered(rows, call.array("order") or {"ID": "ASC"}, integers=_INTEGERS)
    page, total, following = paged(rows, call, legacy=True)
    shown = [selected({**shown_row(row, call), "FILES": {}}, call.array("select")) for row in page]
    return Answer(shown, total, following)


def shown_row(row: dict[str, Any], call: Call) -> dict[str, Any]:
    """All scalars as texts, instants by the server's clock."""
    return {
        code: value
        if value is None
        else moments.show_datetime(value, call.portal.zone)
        if code in _MOMENTS
        else str(value)
        for code, value in row.items()
    }


def _add_todo(call: Call) -> dict[str, int]:
    for name in ("ownerTypeId", "ownerId", "deadline"):
        if name not in call.params:
            raise missing_argument(name)
    try:
        kind = Kind(php.integer(call.params["ownerTypeId"]))
    except ValueError as error:
        raise RestError("OWNER_NOT_FOUND", "Owner was not found") from error
    card = call.portal.card(kind, php.integer(call.params["ownerId"]))
    if card is None:
        raise RestError("OWNER_NOT_FOUND", "Owner was not found")
    deadline = moments.parse_datetime(php.text(call.params["deadline"]), call.portal.zone)
    if deadline is None:
        raise RestError("WRONG_DATETIME_FORMAT", "Wrong datetime format")
    todo_id = call.portal.next_id("activity")
    now = call.portal.now()
    call.portal.activities.append(
        {
            "ID": todo_id,
            "OWNER_ID": card.id,
            "OWNER_TYPE_ID": kind.value,
            "TYPE_ID": _TODO_TYPE,
            "PROVIDER_ID": "CRM_TODO",
            "PROVIDER_TYPE_ID": "TODO",
            "SUBJECT": php.text(call.params.get("title")) or "Дело",
            "DESCRIPTION": php.text(call.params.get("description")),
            "COMPLETED": "N",
            "RESPONSIBLE_ID": php.integer(call.params.get("responsibleId")) or call.user_id,
            "AUTHOR_ID": call.user_id,
            "DEADLINE": deadline,
            "CREATED": now,
            "LAST_UPDATED": now,
        }
    )
    stirred(call, card)
    return {"id": todo_id}


def _activities(call: Call) -> Answer:
    rows = filtered(
        call.portal.activities, call.array("filter"), call.portal.zone, integers=_INTEGERS, moments=_MOMENTS
    )
    rows = ordered(rows, call.array("order") or {"ID": "ASC"}, integers=_INTEGERS)
    page, total, following = paged(rows, call, legacy=True)
    return Answer([selected(shown_row(row, call), call.array("select")) for row in page], total, following)
