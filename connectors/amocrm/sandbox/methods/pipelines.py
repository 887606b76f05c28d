"""/leads/pipelines and /leads/loss_reasons."""

from typing import Any

from connectors.amocrm.sandbox.calls import EMPTY, Call, Method, Reply
from connectors.amocrm.sandbox.cards import LOST, WON, Kind
from connectors.amocrm.sandbox.lists import whole
from connectors.amocrm.sandbox.methods.statuses import status_shown
from connectors.amocrm.sandbox.pipelines import LossReason, Pipeline
from connectors.amocrm.sandbox.problems import ApiError, Errors, Refused, invalid, invalid_one, problem
from connectors.amocrm.sandbox.tokens import ACCOUNT_ID
from kreslo.connectors.sandboxing import php

_MOST_PIPELINES, _MOST_STATUSES = 50, 100


def find_many(call: Call) -> Reply:
    in_order = sorted(call.account.pipelines.all.values(), key=lambda pipeline: (pipeline.sort, pipeline.id))
    return whole(call, "leads/pipelines", "pipelines", [shown(call, pipeline) for pipeline in in_order])


def find_one(call: Call) -> Reply:
    row = shown(call, _pipeline(call))
    if call.account.switches.pipeline_by_id == "wrapped":
        return Reply({"_links": call.href(f"leads/pipelines/{call.id}"), "_embedded": {"pipelines": [row]}})
    return Reply(row)


def _pipeline(call: Call) -> Pipeline:
    pipeline = call.account.pipelines.all.get(call.id)
    if pipeline is None:
        raise problem(404, "Pipeline not found")
    return pipeline


def shown(call: Call, pipeline: Pipeline) -> dict[str, Any]:
    return {
        "id": pipeline.id,
        "name": pipeline.name,
        "sort": pipeline.sort,
        "is_main": pipeline.is_main,
        "is_unsorted_on": pipeline.is_unsorted_on,
        "is_archive": False,
        "account_id": ACCOUNT_ID,
        "_links": call.href(f"leads/pipelines/{pipeline.id}"),
        "_embedded": {"statuses": [status_shown(call, pipeline, status) for status in pipeline.in_order()]},
    }


def add(call: Call) -> Reply:
    items = call.array()
    pipelines = call.account.pipelines
    if len(pipelines.all) + len(items) > _MOST_PIPELINES:
        raise invalid_one("TooMany", "", detail="This collection should contain 50 elements or less.")
    _check(items)
    rows = []
    for at, item in enumerate(items):
        main = item.get("is_main") is True
        made = pipelines.add(
            item["name"],
            sort=item.get("sort"),
            is_main=main,
            is_unsorted_on=item.get("is_unsorted_on") is not False,
        )
        for status in _statuses(item):
            if status.get("id") in {WON, LOST}:
                made.statuses[status["id"]].name = status["name"]
            else:
                pipelines.add_status(made, status["name"], sort=status.get("sort"), color=status.get("color"))
        rows.append({**shown(call, made), "request_id": php.text(item.get("request_id", at))})
    return whole(call, "leads/pipelines", "pipelines", rows)


def _check(items: list[dict[str, Any]]) -> None:
    refused = []
    for at, item in enumerate(items):
        errors = Errors()
        if not isinstance(item.get("name"), str) or not item["name"]:
            errors.add("FieldMissing", "name")
        statuses = _statuses(item)
        if len(statuses) > _MOST_STATUSES:
            errors.add(
                "TooMany", "_embedded.statuses", "This collection should contain 100 elements or less."
            )
        for place, status in enumerate(statuses):
            if not isinstance(status.get("name"), str) or not status["name"]:
                errors.add("FieldMissing", f"_embedded.statuses.{place}.name")
        if not any(status.get("id") not in {WON, LOST} for status in statuses):
            errors.add("TooFew", "_embedded.statuses")
        if errors.found:
            refused.append(Refused(errors.found, php.text(item.get("request_id", at))))
    if refused:
        raise invalid(refused)


def _statuses(item: dict[str, Any]) -> list[dict[str, Any]]:
    embedded = item.get("_embedded")
    rows = embedded.get("statuses") if isinstance(embedded, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def change(call: Call) -> Reply:
    pipeline, item = _pipeline(call), call.object()
    if isinstance(item.get("name"), str) and item["name"]:
        pipeline.name = item["name"]
    if isinstance(item.get("sort"), int):
        pipeline.sort = item["sort"]
    if item.get("is_main") is True:
        for other in call.account.pipelines.all.values():
            other.is_main = other is pipeline
    return Reply(shown(call, pipeline))


def remove(call: Call) -> Reply:
    pipeline = call.account.pipelines.all.get(call.id)
    if pipeline is None:
        raise invalid_one("NotSupportedChoice", "id")
    store = call.account.stores[Kind.LEAD]
    if pipeline.is_main or any(store.on_stage(pipeline.id, status) for status in pipeline.statuses):
        raise problem(422, "Only pipelines without leads can be deleted")
    del call.account.pipelines.all[pipeline.id]
    return EMPTY


def find_reasons(call: Call) -> Reply:
    reasons = sorted(call.account.pipelines.reasons.values(), key=lambda reason: reason.sort)
    if not reasons:
        return EMPTY
    return whole(call, "leads/loss_reasons", "loss_reasons", [_reason(call, reason) for reason in reasons])


def find_reason(call: Call) -> Reply:
    reason = call.account.pipelines.reasons.get(call.id)
    return EMPTY if reason is None else Reply(_reason(call, reason))


def add_reasons(call: Call) -> Reply:
    items = call.array()
    for at, item in enumerate(items):
        if not isinstance(item.get("name"), str) or not item["name"]:
            raise invalid_one("FieldMissing", "name", request_id=php.text(item.get("request_id", at)))
    now = call.account.now()
    rows = []
    for at, item in enumerate(items):
        reason = call.account.pipelines.add_reason(item["name"], now, sort=item.get("sort"))
        rows.append({**_reason(call, reason), "request_id": php.text(item.get("request_id", at))})
    return whole(call, "leads/loss_reasons", "loss_reasons", rows)


def remove_reason(call: Call) -> Reply:
    if call.account.pipelines.reasons.pop(call.id, None) is None:
        raise ApiError(404, problem(404, "Loss reason not found").body)
    return EMPTY


def _reason(call: Call, reason: LossReason) -> dict[str, Any]:
    return {
        "id": reason.id,
        "name": reason.name,
        "sort": reason.sort,
        "created_at": reason.created_at,
        "updated_at": reason.updated_at,
        "_links": call.href(f"leads/loss_reasons/{reason.id}"),
    }


METHODS = (
    Method("GET", "leads/pipelines", find_many),
    Method("POST", "leads/pipelines", add, admin=True),
    Method("GET", "leads/pipelines/{id}", find_one),
    Method("PATCH", "leads/pipelines/{id}", change, admin=True),
    Method("DELETE", "leads/pipelines/{id}", remove, admin=True),
    Method("GET", "leads/loss_reasons", find_reasons),
    Method("POST", "leads/loss_reasons", add_reasons, admin=True),
    Method("GET", "leads/loss_reasons/{id}", find_reason),
    Method("DELETE", "leads/loss_reasons/{id}", remove_reason, admin=True),
)
