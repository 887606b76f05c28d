"""/leads/pipelines/{pipeline}/statuses."""

from typing import Any

from connectors.amocrm.sandbox.calls import EMPTY, Call, Method, Reply
from connectors.amocrm.sandbox.cards import Kind
from connectors.amocrm.sandbox.lists import whole
from connectors.amocrm.sandbox.pipelines import Pipeline, Status
from connectors.amocrm.sandbox.problems import invalid_one, problem
from connectors.amocrm.sandbox.tokens import ACCOUNT_ID
from kreslo.connectors.sandboxing import php

_MOST = 100


def status_shown(call: Call, pipeline: Pipeline, status: Status) -> dict[str, Any]:
    return {
        "id": status.id,
        "name": status.name,
        "sort": status.sort,
        "is_editable": status.editable,
        "pipeline_id": pipeline.id,
        "color": status.color,
        "type": status.type,
        "account_id": ACCOUNT_ID,
        "_links": call.href(f"leads/pipelines/{pipeline.id}/statuses/{status.id}"),
    }


def _pipeline(call: Call) -> Pipeline:
    pipeline = call.account.pipelines.all.get(int(call.args["pipeline"]))
    if pipeline is None:
        raise problem(404, "Pipeline not found")
    return pipeline


def _status(call: Call, pipeline: Pipeline) -> Status:
    status = pipeline.statuses.get(call.id)
    if status is None:
        raise invalid_one("NotSupportedChoice", "id")
    return status


def find_many(call: Call) -> Reply:
    pipeline = _pipeline(call)
    rows = [status_shown(call, pipeline, status) for status in pipeline.in_order()]
    return whole(call, f"leads/pipelines/{pipeline.id}/statuses", "statuses", rows)


def find_one(call: Call) -> Reply:
    pipeline = _pipeline(call)
    status = pipeline.statuses.get(call.id)
    if status is None:
        raise problem(404, "Status not found")
    return Reply(status_shown(call, pipeline, status))


def add(call: Call) -> Reply:
    pipeline, items = _pipeline(call), call.array()
    if len(pipeline.statuses) + len(items) > _MOST:
        raise invalid_one("TooMany", "", detail="This collection should contain 100 elements or less.")
    for at, item in enumerate(items):
        if not isinstance(item.get("name"), str) or not item["name"]:
            raise invalid_one("FieldMissing", "name", request_id=php.text(item.get("request_id", at)))
    rows = []
    for at, item in enumerate(items):
        made = call.account.pipelines.add_status(
            pipeline, item["name"], sort=item.get("sort"), color=item.get("color")
        )
        rows.append(
            {**status_shown(call, pipeline, made), "request_id": php.text(item.get("request_id", at))}
        )
    return whole(call, f"leads/pipelines/{pipeline.id}/statuses", "statuses", rows)


def change(call: Call) -> Reply:
    pipeline, item = _pipeline(call), call.object()
    status = _status(call, pipeline)
    if isinstance(item.get("name"), str) and item["name"]:
        status.name = item["name"]
    if status.editable and isinstance(item.get("sort"), int):
        status.sort = item["sort"]
    if status.editable and isinstance(item.get("color"), str):
        status.color = item["color"]
    return Reply(status_shown(call, pipeline, status))


def remove(call: Call) -> Reply:
    pipeline = _pipeline(call)
    status = _status(call, pipeline)
    if not status.editable or call.account.stores[Kind.LEAD].on_stage(pipeline.id, status.id):
        raise problem(422, "Only statuses without leads can be deleted")
    del pipeline.statuses[status.id]
    return EMPTY


METHODS = (
    Method("GET", "leads/pipelines/{pipeline}/statuses", find_many),
    Method("POST", "leads/pipelines/{pipeline}/statuses", add, admin=True),
    Method("GET", "leads/pipelines/{pipeline}/statuses/{id}", find_one),
    Method("PATCH", "leads/pipelines/{pipeline}/statuses/{id}", change, admin=True),
    Method("DELETE", "leads/pipelines/{pipeline}/statuses/{id}", remove, admin=True),
)
