"""/tasks."""

from typing import Any

from connectors.amocrm.sandbox import working
from connectors.amocrm.sandbox.calls import EMPTY, Call, Method, Reply, many, wrapped
from connectors.amocrm.sandbox.cards import Kind
from connectors.amocrm.sandbox.lists import paged
from connectors.amocrm.sandbox.methods.account import TASK_TYPES
from connectors.amocrm.sandbox.problems import Errors, Refused, forbidden, invalid, problem
from connectors.amocrm.sandbox.records import Task
from connectors.amocrm.sandbox.selecting import attribute_tests, integers, ordered, words
from connectors.amocrm.sandbox.tokens import ACCOUNT_ID

_ORDERS = ("id", "created_at", "complete_till")


def find_many(call: Call) -> Reply:
    asked = call.filter()
    numbers = ("id", "created_by", "responsible_user_id", "task_type_id", "updated_at")
    tests = attribute_tests(asked, call.account.switches, numbers=numbers, ranges=("updated_at",), texts=())
    types, kinds, ids = (
        integers(asked.get("task_type")),
        words(asked.get("entity_type")),
        integers(asked.get("entity_id")),
    )
    if types:
        tests.append(lambda task: task.task_type_id in types)
    if "is_completed" in asked:
        done = bool(integers(asked["is_completed"]) - {0})
        tests.append(lambda task: task.is_completed is done)
    if kinds:
        tests.append(lambda task: task.kind is not None and task.kind.value in kinds)
        if ids:
            tests.append(lambda task: task.entity_id in ids)
    found = [task for task in call.account.tasks if all(test(task) for test in tests)]
    # `order[updated_at]` is read, its direction is not.
    return paged(
        call, "tasks", ordered(found, call.query.get("order"), _ORDERS), lambda task: _shown(call, task)
    )


def find_one(call: Call) -> Reply:
    task = call.account.tasks.get(call.id)
    return EMPTY if task is None else Reply(_shown(call, task))


def _shown(call: Call, task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "created_by": task.created_by,
        "updated_by": task.updated_by,
        "created_at": task.created_at,
        "updated_at": task.updated_at,
        "responsible_user_id": task.responsible_user_id,
        "group_id": 0,
        "entity_id": task.entity_id or None,
        "entity_type": task.kind.value if task.kind else None,
        "duration": task.duration,
        "is_completed": task.is_completed,
        "task_type_id": task.task_type_id,
        "text": task.text,
        "result": {"text": task.result} if task.result else [],
        "complete_till": task.complete_till,
        "account_id": ACCOUNT_ID,
        "_links": call.href(f"tasks/{task.id}"),
    }


def add(call: Call) -> Reply:
    def commit(item: dict[str, Any], request_id: str) -> dict[str, Any]:
        task = working.add_task(call.account, item, call.author)
        return {"id": task.id, "request_id": request_id, "_links": call.href(f"tasks/{task.id}")}

    rows = many(call, call.array(), lambda item, errors: _checked(call, item, errors, new=True), commit)
    return Reply(wrapped(call, "tasks", "tasks", rows))


def _checked(call: Call, item: dict[str, Any], errors: Errors, *, new: bool) -> dict[str, Any]:
    account = call.account
    for name, types, word in (("text", str, "string"), ("complete_till", int, "int")):
        if new and item.get(name) in (None, ""):
            errors.add("FieldMissing", name)
        elif item.get(name) is not None and not isinstance(item[name], types):
            errors.wrong_type(name, word)
    kind = next((kind for kind in Kind if kind.value == item.get("entity_type")), None)
    if item.get("entity_type") is not None and kind is None:
        errors.add("NotSupportedChoice", "entity_type")
    if item.get("entity_id") is not None and (kind is None or account.card(kind, item["entity_id"]) is None):
        errors.add("NotSupportedChoice", "entity_id")
    if item.get("task_type_id") is not None and item["task_type_id"] not in TASK_TYPES:
        errors.add("NotSupportedChoice", "task_type_id")
    owner = item.get("responsible_user_id")
    if owner is not None and (owner not in account.people or not account.people[owner].active):
        errors.add("NotSupportedChoice", "responsible_user_id")
    return {**item, "kind": kind}


def change_many(call: Call) -> Reply:
    def prepare(item: dict[str, Any], errors: Errors) -> dict[str, Any]:
        if not isinstance(item.get("id"), int) or call.account.tasks.get(item["id"]) is None:
            errors.add("NotSupportedChoice", "id")
        return _checked(call, item, errors, new=False)

    rows = many(call, call.array(), prepare, lambda item, request_id: _write(call, item, request_id))
    return Reply(wrapped(call, "tasks", "tasks", rows))


def change_one(call: Call) -> Reply:
    if call.account.tasks.get(call.id) is None:
        raise problem(404, "Task not found")
    errors = Errors()
    item = _checked(call, call.object(), errors, new=False)
    if errors.found:
        raise invalid([Refused(errors.found, "0")])
    row = _write(call, {**item, "id": call.id}, "0")
    return Reply(wrapped(call, "tasks", "tasks", [row]))


def _write(call: Call, item: dict[str, Any], request_id: str) -> dict[str, Any]:
    task = call.account.tasks.get(item["id"])
    if task is None:
        raise problem(404, "Task not found")
    working.change_task(call.account, task, item, call.author)
    links = call.href(f"tasks/{task.id}")
    return {"id": task.id, "updated_at": task.updated_at, "request_id": request_id, "_links": links}


def no_delete(_: Call) -> Reply:
    raise forbidden()


METHODS = (
    Method("GET", "tasks", find_many),
    Method("POST", "tasks", add),
    Method("PATCH", "tasks", change_many),
    Method("GET", "tasks/{id}", find_one),
    Method("PATCH", "tasks/{id}", change_one),
    Method("DELETE", "tasks/{id}", no_delete),
)
