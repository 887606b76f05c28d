"""/leads/unsorted: incoming leads. Their list is always the newest first, whatever order is asked for."""

from typing import Any

from connectors.amocrm.sandbox import incoming
from connectors.amocrm.sandbox.calls import Call, Method, Reply, many
from connectors.amocrm.sandbox.cards import Kind
from connectors.amocrm.sandbox.drafts import draft
from connectors.amocrm.sandbox.lists import paged
from connectors.amocrm.sandbox.pipelines import Pipeline
from connectors.amocrm.sandbox.problems import Errors, invalid_one, problem
from connectors.amocrm.sandbox.records import UnsortedItem
from connectors.amocrm.sandbox.selecting import integers, words
from connectors.amocrm.sandbox.tokens import ACCOUNT_ID
from connectors.amocrm.sandbox.writing import Author, Draft
from kreslo.connectors.sandboxing import php

Wanted = tuple[Pipeline, Draft, Draft | None, dict[str, Any]]


def find_many(call: Call) -> Reply:
    asked = call.filter()
    uids, categories, pipelines = (
        words(asked.get("uid")),
        words(asked.get("category")),
        integers(asked.get("pipeline_id")),
    )
    found = [
        item
        for item in call.account.unsorted.values()
        if (not uids or item.uid in uids)
        and (not categories or item.category in categories)
        and (not pipelines or item.pipeline_id in pipelines)
    ]
    found.sort(key=lambda item: (item.created_at, item.lead_id), reverse=True)
    return paged(call, "unsorted", found, lambda item: _shown(call, item))


def find_one(call: Call) -> Reply:
    return Reply(_shown(call, _item(call)))


def _item(call: Call) -> UnsortedItem:
    item = call.account.unsorted.get(call.args["uid"])
    if item is None:
        raise problem(404, "Unsorted not found")
    return item


def _shown(call: Call, item: UnsortedItem) -> dict[str, Any]:
    return {
        "uid": item.uid,
        "source_uid": item.source_uid,
        "source_name": item.source_name,
        "category": item.category,
        "pipeline_id": item.pipeline_id,
        "created_at": item.created_at,
        "metadata": item.metadata,
        "account_id": ACCOUNT_ID,
        "_links": call.href(f"leads/unsorted/{item.uid}"),
        "_embedded": _embedded(call, item),
    }


def _embedded(call: Call, item: UnsortedItem) -> dict[str, Any]:
    contacts = [{"id": one, "_links": call.href(f"contacts/{one}")} for one in item.contact_ids]
    leads = [{"id": item.lead_id, "_links": call.href(f"leads/{item.lead_id}")}]
    return {"contacts": contacts, "leads": leads, "companies": []}


def add(call: Call) -> Reply:
    category = call.args["category"]

    def commit(wanted: Wanted, request_id: str) -> dict[str, Any]:
        pipeline, lead, contact, sent = wanted
        source = (str(sent["source_uid"]), str(sent["source_name"]))
        item = incoming.receive(
            call.account,
            pipeline,
            lead,
            contact,
            call.author,
            category=category,
            source=source,
            metadata=sent["metadata"],
        )
        head = {"uid": item.uid, "account_id": ACCOUNT_ID, "request_id": request_id}
        return {**head, "_links": call.href(f"leads/unsorted/{item.uid}"), "_embedded": _embedded(call, item)}

    rows = many(call, call.array(), lambda sent, errors: _wanted(call, sent, errors), commit)
    links = call.href(f"leads/unsorted/{category}")
    return Reply({"_total_items": len(rows), "_links": links, "_embedded": {"unsorted": rows}})


def _wanted(call: Call, sent: dict[str, Any], errors: Errors) -> Wanted:
    account = call.account
    for name in ("source_uid", "source_name", "metadata"):
        if not sent.get(name):
            errors.add("FieldMissing", name)
    pipeline = account.pipelines.main
    if sent.get("pipeline_id") is not None:
        named = account.pipelines.all.get(sent["pipeline_id"])
        pipeline = named or pipeline
        if named is None:
            errors.add("NotSupportedChoice", "pipeline_id")
    embedded = php.mapping(sent.get("_embedded"))
    leads, contacts = (embedded.get(kind) or [{}] for kind in ("leads", "contacts"))
    lead = draft(account, Kind.LEAD, {**leads[0], "pipeline_id": None, "status_id": None}, errors)
    contact = draft(account, Kind.CONTACT, contacts[0], errors) if contacts[0] else None
    return pipeline, lead, contact, sent


def accept(call: Call) -> Reply:
    item, sent = _item(call), _sent(call)
    pipeline = call.account.pipelines.all[item.pipeline_id]
    status = pipeline.statuses.get(sent["status_id"]) if sent.get("status_id") else pipeline.first()
    if status is None or status.type == 1:
        raise invalid_one("NotSupportedChoice", "status_id")
    incoming.accept(call.account, item, status, _author(call, sent))
    return _closed(call, item)


def decline(call: Call) -> Reply:
    item = _item(call)
    incoming.decline(call.account, item, _author(call, _sent(call)))
    return _closed(call, item)


def link(call: Call) -> Reply:
    item, sent = _item(call), _sent(call)
    target = php.mapping(sent.get("link"))
    lead = (
        call.account.card(Kind.LEAD, target["entity_id"])
        if isinstance(target.get("entity_id"), int)
        else None
    )
    if lead is None or target.get("entity_type") != "leads":
        raise invalid_one("NotSupportedChoice", "link.entity_id")
    incoming.join(call.account, item, lead, _author(call, sent))
    return _closed(call, item)


def _sent(call: Call) -> dict[str, Any]:
    return call.object() if call.body.strip() else {}


def _author(call: Call, sent: dict[str, Any]) -> Author:
    user_id = sent.get("user_id", call.user_id)
    if user_id not in call.account.people:
        raise invalid_one("NotSupportedChoice", "user_id")
    return Author(user_id, "api")


def _closed(call: Call, item: UnsortedItem) -> Reply:
    head = {"uid": item.uid, "pipeline_id": item.pipeline_id, "category": item.category}
    return Reply({**head, "_embedded": _embedded(call, item)})


METHODS = (
    Method("GET", "leads/unsorted", find_many),
    Method("POST", "leads/unsorted/{category}", add),
    Method("GET", "leads/unsorted/{uid}", find_one),
    Method("POST", "leads/unsorted/{uid}/accept", accept),
    Method("DELETE", "leads/unsorted/{uid}/decline", decline),
    Method("POST", "leads/unsorted/{uid}/link", link),
)
