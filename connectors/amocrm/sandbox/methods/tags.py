"""/{entity}/tags: the tags that cards of a kind may carry."""

from typing import Any

from connectors.amocrm.sandbox.calls import Call, Method, Reply, many
from connectors.amocrm.sandbox.cards import Tag
from connectors.amocrm.sandbox.lists import paged
from connectors.amocrm.sandbox.problems import Errors
from connectors.amocrm.sandbox.selecting import integers
from kreslo.connectors.sandboxing import php


def find_many(call: Call) -> Reply:
    asked = call.filter()
    ids, names = integers(asked.get("id")), {php.text(one) for one in php.members(asked.get("name"))}
    query = php.text(call.query.get("query")).casefold()
    found = [
        tag
        for (kind, name), tag in call.account.tags.items()
        if kind is call.kind
        and (not ids or tag.id in ids)
        and (not names or name in names)
        and query in name.casefold()
    ]
    return paged(call, "tags", sorted(found, key=lambda tag: tag.id), _shown)


def add(call: Call) -> Reply:
    """A tag of that name that there is already is given back, with its id."""

    def prepare(item: dict[str, Any], errors: Errors) -> str:
        name = item.get("name")
        if name in (None, ""):
            errors.add("FieldMissing", "name")
        elif not isinstance(name, str):
            errors.wrong_type("name", "string")
        return str(name)

    def commit(name: str, request_id: str) -> dict[str, Any]:
        return {**_shown(call.account.tag(call.kind, name)), "request_id": request_id}

    rows = many(call, call.array(), prepare, commit)
    links = call.href(f"{call.kind.value}/tags")
    return Reply({"_total_items": len(rows), "_links": links, "_embedded": {"tags": rows}})


def _shown(tag: Tag) -> dict[str, Any]:
    return {"id": tag.id, "name": tag.name, "color": None}


METHODS = (Method("GET", "{kind}/tags", find_many), Method("POST", "{kind}/tags", add))
