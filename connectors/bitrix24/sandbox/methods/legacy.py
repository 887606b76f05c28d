"""crm.contact.*, crm.deal.*, crm.lead.*: add, update, get, list, delete, fields."""

from functools import partial
from typing import Any

from connectors.bitrix24.sandbox import filters, rules, sorting, values
from connectors.bitrix24.sandbox.calls import Answer, Call, Method, paged
from connectors.bitrix24.sandbox.cards import Card, Kind
from connectors.bitrix24.sandbox.drafts import check_required, legacy_draft
from connectors.bitrix24.sandbox.errors import crm_error
from connectors.bitrix24.sandbox.fields import MULTI_FIELDS, Field
from connectors.bitrix24.sandbox.portal import Portal
from connectors.bitrix24.sandbox.simple_mode import convert_at_once
from kreslo.connectors.sandboxing import php

_ABSENT = {Kind.LEAD: "Lead is not found", Kind.CONTACT: "Contact is not found", Kind.DEAL: "Not found"}


def methods() -> list[Method]:
    acts = {
        "add": _add,
        "update": _update,
        "get": _get,
        "list": _list,
        "delete": _delete,
        "fields": _fields,
    }
    return [
        Method(f"crm.{kind.word}.{act}", "crm", partial(run, kind))
        for kind in Kind
        for act, run in acts.items()
    ]


def _add(kind: Kind, call: Call) -> int:
    raw = _sent_fields(call)
    importing = kind is not Kind.DEAL and php.truthy(_params(call).get("IMPORT"))
    draft = legacy_draft(call.portal, kind, raw, updating=False, importing=importing)
    if call.portal.switches.legacy_checks_mandatory:
        check_required(call.portal, kind, draft)
    if kind is Kind.CONTACT and not (draft.fields.get("NAME") or draft.fields.get("LAST_NAME")):
        raise crm_error("Не заполнены обязательные поля: «Имя» или «Фамилия»")
    card = rules.create(call.portal, kind, draft, call.user_id, quiet=importing)
    convert_at_once(call.portal, card, call.user_id)
    return card.id


def _update(kind: Kind, call: Call) -> bool:
    card = _existing(kind, call, _ABSENT[kind])
    draft = legacy_draft(call.portal, kind, _sent_fields(call), updating=True)
    rules.update(call.portal, card, draft, call.user_id, always=True)
    return True


def _get(kind: Kind, call: Call) -> dict[str, Any]:
    return legacy_card(call.portal, _existing(kind, call, "Not found"))


def _delete(kind: Kind, call: Call) -> bool:
    rules.delete(call.portal, _existing(kind, call, _ABSENT[kind]), call.user_id)
    return True


def _existing(kind: Kind, call: Call, absent: str) -> Card:
    card_id = php.integer(call.legacy("id"))
    if card_id <= 0:
        raise crm_error("ID is not defined or invalid.")
    card = call.portal.card(kind, card_id)
    if card is None:
        raise crm_error(absent)
    return card


def _sent_fields(call: Call) -> Any:
    raw = call.legacy("fields")
    if not php.is_array(raw):
        raise crm_error("Parameter 'fields' must be array.")
    return raw


def _params(call: Call) -> dict[str, Any]:
    return dict(php.pairs(call.array("params")))


def _list(kind: Kind, call: Call) -> Answer:
    portal = call.portal
    known = portal.fields(kind)

    def find(code: str) -> Field | None:
        field = known.get(code)
        return field if field is not None and (field.in_lists or code in MULTI_FIELDS) else None

    refuses = portal.switches.unknown_filter == "refused"
    group = filters.parse(call.array("filter"), filters.Dialect(find, portal.zone, refuses=refuses))
    order = [
        (field, direction == "DESC")
        for code, direction in sorting.directions(call.array("order"))
        if (field := find(code)) is not None and code not in MULTI_FIELDS
    ]
    cards = sorting.listed(call, kind, group, order)
    chosen = _selected(known, [php.text(name) for name in php.members(call.array("select"))])
    page, total, following = paged(cards, call, legacy=True)
    return Answer([_row(portal, card, chosen) for card in page], total, following)


def _selected(known: dict[str, Field], select: list[str]) -> list[Field]:
    names = select or ["*", "UF_*"]
    chosen: dict[str, Field] = {}
    for name in names:
        if name == "*":
            chosen.update(
                {code: field for code, field in known.items() if field.in_lists and not field.dynamic}
            )
        elif name == "UF_*":
            chosen.update({code: field for code, field in known.items() if field.dynamic})
        elif name in known and (known[name].in_lists or name in MULTI_FIELDS):
            chosen[name] = known[name]
    if not chosen or any(name in MULTI_FIELDS for name in chosen):
        chosen = {"ID": known["ID"], **chosen}
    return list(chosen.values())


def legacy_card(portal: Portal, card: Card) -> dict[str, Any]:
    """A card as `get` shows it: everything, phones and e-mails where it has them."""
    fields = [field for field in portal.fields(card.kind).values() if field.in_lists]
    row = _row(portal, card, fields)
    for kind in MULTI_FIELDS:
        rows = _multi_rows(card, kind)
        if rows:
            row[kind] = rows
    return row


def _row(portal: Portal, card: Card, fields: list[Field]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for field in fields:
        if field.code in MULTI_FIELDS:
            rows = _multi_rows(card, field.code)
            if rows:
                row[field.code] = rows
        else:
            row[field.code] = values.legacy(field, card.fields.get(field.code), portal.zone)
    return row


def _multi_rows(card: Card, kind: str) -> list[dict[str, str]]:
    return [
        {"ID": str(row.id), "VALUE_TYPE": row.value_type, "VALUE": row.value, "TYPE_ID": kind}
        for row in card.multi
        if row.type == kind
    ]


def _fields(kind: Kind, call: Call) -> dict[str, Any]:
    return {code: description(field) for code, field in call.portal.fields(kind).items()}


def description(field: Field) -> dict[str, Any]:
    """One field as `crm.deal.fields` describes it."""
    shown: dict[str, Any] = {
        "type": field.type,
        "isRequired": field.mandatory,
        "isReadOnly": field.read_only,
        "isImmutable": field.immutable,
        "isMultiple": field.multiple,
        "isDynamic": field.dynamic,
    }
    if field.options:
        shown["items"] = [{"ID": str(option), "VALUE": row["VALUE"]} for option, row in field.options.items()]
    if field.status_type:
        shown["statusType"] = field.status_type
    shown["title"] = field.code if field.dynamic else field.title
    if field.dynamic:
        shown.update({"listLabel": field.title, "formLabel": field.title, "filterLabel": field.title})
    return shown
