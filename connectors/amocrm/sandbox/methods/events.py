"""/events: the log, the newest first, where lost webhooks are caught up with."""

from typing import Any

from connectors.amocrm.sandbox.calls import Call, Method, Reply
from connectors.amocrm.sandbox.events import LoggedEvent
from connectors.amocrm.sandbox.lists import paged
from connectors.amocrm.sandbox.selecting import in_range, integers, is_range, words
from connectors.amocrm.sandbox.tokens import ACCOUNT_ID
from kreslo.connectors.sandboxing import php

_PLURAL = {"lead": "leads", "contact": "contacts", "company": "companies", "task": "tasks"}
TYPES = (
    *(
        f"{kind}_{what}"
        for kind in ("lead", "contact", "company")
        for what in ("added", "deleted", "restored")
    ),
    *(
        "lead_status_changed",
        "entity_linked",
        "entity_unlinked",
        "entity_merged",
        "entity_responsible_changed",
    ),
    *("name_field_changed", "sale_field_changed", "task_added", "task_completed", "common_note_added"),
)


def find_many(call: Call) -> Reply:
    asked = call.filter()
    created = _created(asked.get("created_at"))
    fits = in_range(created, call.account.switches) if created else None
    checks = (
        ("type", words(asked.get("type"))),
        ("entity_type", {_singular(word) for word in words(asked.get("entity"))}),
        ("entity_id", integers(asked.get("entity_id"))),
        ("created_by", integers(asked.get("created_by"))),
        ("id", words(asked.get("id"))),
    )
    active = [(name, wanted) for name, wanted in checks if wanted]
    found: list[LoggedEvent] = []
    for event in call.account.events.latest():
        if fits is not None and not fits(event.created_at):
            continue
        if all(getattr(event, name) in wanted for name, wanted in active):
            found.append(event)
    return paged(
        call, "events", found, lambda event: _shown(call, event), most=call.account.switches.events_limit
    )


def _created(raw: Any) -> dict[str, Any] | None:
    """`from,to` in one text, or `[from]` and `[to]`."""
    if is_range(raw):
        return dict(raw)
    text = php.text(raw)
    if not text:
        return None
    low, _, high = text.partition(",")
    return {"from": low, "to": high}


def _singular(word: str) -> str:
    return next((one for one, many in _PLURAL.items() if many == word), word)


def _shown(call: Call, event: LoggedEvent) -> dict[str, Any]:
    path = f"{_PLURAL[event.entity_type]}/{event.entity_id}"
    return {
        "id": event.id,
        "type": event.type,
        "entity_id": event.entity_id,
        "entity_type": event.entity_type,
        "created_by": event.created_by,
        "created_at": event.created_at,
        "value_after": event.after,
        "value_before": event.before,
        "account_id": ACCOUNT_ID,
        "_links": call.href(f"events/{event.id}"),
        "_embedded": {"entity": {"id": event.entity_id, "_links": call.href(path)}},
    }


def find_types(call: Call) -> Reply:
    rows = [{"key": key, "type": 0, "lang": key} for key in TYPES]
    return Reply(
        {"_total_items": len(rows), "_links": call.href("events/types"), "_embedded": {"events_types": rows}}
    )


METHODS = (
    Method("GET", "events", find_many, admin=True),
    Method("GET", "events/types", find_types, admin=True),
)
