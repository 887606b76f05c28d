"""Notes of cards."""

from typing import Any

from connectors.amocrm.sandbox import working
from connectors.amocrm.sandbox.calls import EMPTY, Call, Method, Reply, many, wrapped
from connectors.amocrm.sandbox.lists import paged
from connectors.amocrm.sandbox.problems import ApiError, Errors, problem
from connectors.amocrm.sandbox.records import Note
from connectors.amocrm.sandbox.selecting import attribute_tests, ordered, words
from connectors.amocrm.sandbox.tokens import ACCOUNT_ID

_NEEDED = {
    "common": ("text",),
    "call_in": ("uniq", "duration", "source", "phone"),
    "call_out": ("uniq", "duration", "source", "phone"),
    "service_message": ("service", "text"),
    "extended_service_message": ("service", "text"),
    "sms_in": ("text", "phone"),
    "sms_out": ("text", "phone"),
    "geolocation": ("text", "address", "longitude", "latitude"),
    "attachment": ("file_uuid", "version_uuid", "file_name"),
    "message_cashier": ("status", "text"),
    "invoice_paid": (),
    "bill_paid": (),
}


def find_many(call: Call) -> Reply:
    account, asked = call.account, call.filter()
    own = int(call.args["entity"]) if "entity" in call.args else None
    found = (
        account.notes.of(call.kind, own)
        if own is not None
        else [one for one in account.notes if one.kind is call.kind]
    )
    types = words(asked.get("note_type"))
    numbers = ("id", "entity_id", "updated_at")
    tests = attribute_tests(asked, account.switches, numbers=numbers, ranges=("updated_at",), texts=())
    if types:
        tests.append(lambda note: note.note_type in types)
    found = [note for note in found if all(test(note) for test in tests)]
    in_order = ordered(found, call.query.get("order"), ("id", "updated_at"))
    return paged(call, "notes", in_order, lambda note: _shown(call, note))


def find_one(call: Call) -> Reply:
    note = call.account.notes.get(call.id)
    return EMPTY if note is None or note.kind is not call.kind else Reply(_shown(call, note))


def _href(call: Call, note: Note) -> dict[str, Any]:
    return call.href(f"{note.kind.value}/{note.entity_id}/notes/{note.id}")


def _shown(call: Call, note: Note) -> dict[str, Any]:
    return {
        "id": note.id,
        "entity_id": note.entity_id,
        "created_by": note.created_by,
        "updated_by": note.updated_by,
        "created_at": note.created_at,
        "updated_at": note.updated_at,
        "responsible_user_id": note.responsible_user_id,
        "group_id": 0,
        "note_type": note.note_type,
        "params": note.params,
        "account_id": ACCOUNT_ID,
        "_links": _href(call, note),
    }


def add(call: Call) -> Reply:
    def commit(item: dict[str, Any], request_id: str) -> dict[str, Any]:
        note = working.add_note(call.account, call.kind, item, call.author)
        row = {"id": note.id, "entity_id": note.entity_id, "request_id": request_id}
        return {**row, "_links": _href(call, note)}

    rows = many(call, call.array(), lambda item, errors: _checked(call, item, errors), commit)
    return Reply(wrapped(call, f"{call.kind.value}/notes", "notes", rows))


def _checked(call: Call, item: dict[str, Any], errors: Errors) -> dict[str, Any]:
    entity_id = int(call.args["entity"]) if "entity" in call.args else item.get("entity_id")
    if entity_id is None:
        errors.add("FieldMissing", "entity_id")
    elif not isinstance(entity_id, int) or call.account.card(call.kind, entity_id) is None:
        errors.add("NotSupportedChoice", "entity_id")
    _check_params(item, errors)
    author = item.get("created_by")
    if author is not None and author != 0 and author not in call.account.people:
        errors.add("NotSupportedChoice", "created_by")
    return {**item, "entity_id": entity_id}


def _check_params(item: dict[str, Any], errors: Errors) -> None:
    note_type, params = item.get("note_type"), item.get("params")
    if note_type is None:
        errors.add("FieldMissing", "note_type")
        return
    if note_type not in _NEEDED:
        errors.add("NotSupportedChoice", "note_type")
        return
    given = params if isinstance(params, dict) else {}
    for name in _NEEDED[note_type]:
        if given.get(name) is None:
            errors.add("FieldMissing", f"params.{name}")
        elif name == "text" and not isinstance(given[name], str):
            errors.wrong_type("params.text", "string")


def change(call: Call) -> Reply:
    single = "id" in call.args
    items = [{**call.object(), "id": call.id}] if single else call.array()

    def prepare(item: dict[str, Any], errors: Errors) -> tuple[Note | None, dict[str, Any]]:
        note = call.account.notes.get(item["id"]) if isinstance(item.get("id"), int) else None
        if note is None or note.kind is not call.kind:
            errors.add("NotSupportedChoice", "id")
        _check_params(item, errors)
        return note, item

    def commit(made: tuple[Note | None, dict[str, Any]], _: str) -> dict[str, Any]:
        note, item = made
        if note is None:
            raise problem(404, "Note not found")
        note.note_type, note.params = item["note_type"], item["params"]
        note.updated_at, note.updated_by = call.account.now(), call.user_id
        row = {"id": note.id, "entity_id": note.entity_id, "updated_at": note.updated_at}
        return {**row, "_links": _href(call, note)}

    rows = many(call, items, prepare, commit)
    return Reply(wrapped(call, f"{call.kind.value}/notes", "notes", rows))


def pin(call: Call) -> Reply:
    note = call.account.notes.get(call.id)
    if note is None or note.kind is not call.kind:
        raise problem(404, "Note not found")
    note.is_pinned = call.args["pin"] == "pin"
    return EMPTY


def no_delete(_: Call) -> Reply:
    raise ApiError(405, None)


METHODS = (
    Method("GET", "{kind}/notes", find_many),
    Method("POST", "{kind}/notes", add),
    Method("PATCH", "{kind}/notes", change),
    Method("GET", "{kind}/notes/{id}", find_one),
    Method("DELETE", "{kind}/notes/{id}", no_delete),
    Method("GET", "{kind}/{entity}/notes", find_many),
    Method("POST", "{kind}/{entity}/notes", add),
    Method("PATCH", "{kind}/{entity}/notes", change),
    Method("GET", "{kind}/{entity}/notes/{id}", find_one),
    Method("PATCH", "{kind}/{entity}/notes/{id}", change),
    Method("DELETE", "{kind}/{entity}/notes/{id}", no_delete),
    Method("POST", "{kind}/{entity}/notes/{id}/{pin}", pin),
)
