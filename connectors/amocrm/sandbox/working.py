"""Tasks and notes as they are made and changed, told to webhooks and logged."""

from typing import Any

from connectors.amocrm.sandbox.account import Account
from connectors.amocrm.sandbox.cards import Kind
from connectors.amocrm.sandbox.hook_bodies import note_body, task_body
from connectors.amocrm.sandbox.hooks import Told
from connectors.amocrm.sandbox.records import Note, Task
from connectors.amocrm.sandbox.writing import Author, tell


def add_task(account: Account, item: dict[str, Any], author: Author) -> Task:
    """`item`: checked, with `kind` beside `entity_id`."""
    now = account.now()
    task = Task(
        id=account.next_id("tasks"),
        text=item["text"],
        complete_till=item["complete_till"],
        task_type_id=item.get("task_type_id") or 1,
        kind=item.get("kind") if item.get("entity_id") else None,
        entity_id=item.get("entity_id") or 0,
        responsible_user_id=item.get("responsible_user_id") or author.user_id,
        created_by=author.user_id,
        updated_by=author.user_id,
        created_at=item.get("created_at") or now,
        updated_at=now,
        duration=item.get("duration") or 0,
    )
    account.tasks.put(task)
    account.events.add("task_added", "task", task.id, author.user_id, now)
    tell(account, Told("add_task", "task", "add", task_body(task, account.zone)), author)
    if item.get("is_completed") is True:
        change_task(account, task, item, author)
    return task


def change_task(account: Account, task: Task, item: dict[str, Any], author: Author) -> None:
    old_text, was_done = task.text, task.is_completed
    for name in ("text", "complete_till", "task_type_id", "responsible_user_id", "duration"):
        if item.get(name) is not None:
            setattr(task, name, item[name])
    if isinstance(item.get("is_completed"), bool):
        task.is_completed = item["is_completed"]
    if isinstance(item.get("result"), dict):
        task.result = str(item["result"].get("text") or "")
    task.updated_at, task.updated_by = account.now(), author.user_id
    if task.is_completed and not was_done:
        account.events.add("task_completed", "task", task.id, author.user_id, task.updated_at)
    body = {**task_body(task, account.zone), "old_text": old_text}
    tell(account, Told("update_task", "task", "update", body), author)


def add_note(account: Account, kind: Kind, item: dict[str, Any], author: Author) -> Note:
    """`item`: checked."""
    now = account.now()
    card = account.card(kind, item["entity_id"])
    note = Note(
        id=account.next_id("notes"),
        kind=kind,
        entity_id=item["entity_id"],
        note_type=item["note_type"],
        params=item.get("params") or {},
        responsible_user_id=item.get("responsible_user_id") or (card.responsible_user_id if card else 0),
        created_by=author.user_id if item.get("created_by") is None else item["created_by"],
        updated_by=author.user_id,
        created_at=item.get("created_at") or now,
        updated_at=now,
    )
    account.notes.put(note)
    account.events.add(f"{note.note_type}_note_added", kind.one, note.entity_id, note.created_by, now)
    top = "leads" if kind is Kind.LEAD else "contacts"
    tell(account, Told(f"note_{kind.one}", top, "note", note_body(note)), author)
    return note
