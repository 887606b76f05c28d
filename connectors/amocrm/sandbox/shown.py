"""Cards as a read gives them."""

from typing import Any

from connectors.amocrm.sandbox import values
from connectors.amocrm.sandbox.calls import Call
from connectors.amocrm.sandbox.cards import Card, Kind
from connectors.amocrm.sandbox.tokens import ACCOUNT_ID


def card_shown(call: Call, card: Card) -> dict[str, Any]:
    account, path = call.account, f"{card.kind.value}/{card.id}"
    open_tasks = [
        task.complete_till for task in account.tasks.of(card.kind, card.id) if not task.is_completed
    ]
    head = {
        "id": card.id,
        "name": card.name,
        "responsible_user_id": card.responsible_user_id,
        "group_id": 0,
        "created_by": card.created_by,
        "updated_by": card.updated_by,
        "created_at": card.created_at,
        "updated_at": card.updated_at,
        "closest_task_at": min(open_tasks, default=None),
        "is_deleted": card.deleted_at is not None,
        "custom_fields_values": values.show(account.fields, card),
        "account_id": ACCOUNT_ID,
        "_links": {"self": {"href": f"{call.base}/api/v4/{path}?page=1&limit=50"}},
        "_embedded": _embedded(call, card),
    }
    if card.kind is Kind.LEAD:
        return {
            **head,
            "price": card.price,
            "status_id": card.status_id,
            "pipeline_id": card.pipeline_id,
            "loss_reason_id": card.loss_reason_id,
            "closed_at": card.closed_at,
            "score": None,
            "labor_cost": None,
            "is_price_computed": False,
            **({"source_id": None} if "source_id" in call.asked_with() else {}),
        }
    if card.kind is Kind.CONTACT:
        names = {"first_name": card.first_name, "last_name": card.last_name}
        return {**head, **names, "is_unsorted": card.is_unsorted}
    return head


def deleted_shown(call: Call, card: Card) -> dict[str, Any]:
    """`with=only_deleted`: of a lead hardly anything is left; of others nothing says that they are deleted."""
    if card.kind is not Kind.LEAD:
        return {**card_shown(call, card), "is_deleted": False}
    return {
        "id": card.id,
        "name": None,
        "price": None,
        "status_id": None,
        "updated_at": card.updated_at,
        "is_deleted": True,
        "account_id": ACCOUNT_ID,
        "_links": call.href(f"leads/{card.id}"),
    }


def _embedded(call: Call, card: Card) -> dict[str, Any]:
    account, asked = call.account, call.asked_with()
    embedded: dict[str, Any] = {
        "tags": [{"id": tag.id, "name": tag.name, "color": None} for tag in card.tags]
    }
    if card.kind is not Kind.COMPANY:
        ids = [] if card.company_id is None else [card.company_id]
        embedded["companies"] = [{"id": one, "_links": call.href(f"companies/{one}")} for one in ids]
    if card.kind is Kind.LEAD and "contacts" in asked:
        embedded["contacts"] = [
            {
                "id": link.contact_id,
                "is_main": link.is_main,
                "_links": call.href(f"contacts/{link.contact_id}"),
            }
            for link in card.contacts
        ]
    if card.kind is Kind.LEAD and "loss_reason" in asked:
        reason = account.pipelines.reasons.get(card.loss_reason_id or 0)
        embedded["loss_reason"] = [{"id": reason.id, "name": reason.name}] if reason else []
    if card.kind is Kind.LEAD and "catalog_elements" in asked:
        embedded["catalog_elements"] = []
    if card.kind is not Kind.LEAD and "leads" in asked:
        leads = account.stores[Kind.LEAD].of(card.kind, card.id)
        embedded["leads"] = [{"id": lead.id, "_links": call.href(f"leads/{lead.id}")} for lead in leads]
    if card.kind is Kind.COMPANY and "contacts" in asked:
        contacts = account.stores[Kind.CONTACT].of(card.kind, card.id)
        embedded["contacts"] = [{"id": one.id, "_links": call.href(f"contacts/{one.id}")} for one in contacts]
    return embedded
