"""crm.item.*: the universal family, for leads (1), deals (2) and contacts (3)."""

from typing import Any

from connectors.bitrix24.sandbox import filters, rules, sorting, values
from connectors.bitrix24.sandbox.calls import Answer, Call, Method, paged
from connectors.bitrix24.sandbox.cards import Card, Kind
from connectors.bitrix24.sandbox.drafts import check_required, item_draft, item_field
from connectors.bitrix24.sandbox.errors import RestError, missing_argument
from connectors.bitrix24.sandbox.fields import Field
from connectors.bitrix24.sandbox.methods.legacy import description
from connectors.bitrix24.sandbox.portal import Portal
from connectors.bitrix24.sandbox.rules import Draft
from connectors.bitrix24.sandbox.simple_mode import convert_at_once
from kreslo.connectors.sandboxing import php

_IMPORT_AT_ONCE = 20


def methods() -> list[Method]:
    acts = {
        "add": _add,
        "update": _update,
        "get": _get,
        "list": _list,
        "delete": _delete,
        "fields": _fields,
        "import": _import,
    }
    found = [Method(f"crm.item.{act}", "crm", run) for act, run in acts.items()]
    return [*found, Method("crm.item.batchImport", "crm", _batch_import, _asked)]


def _asked(params: dict[str, Any]) -> int:
    return max(1, len(php.members(params.get("data"))))


def _add(call: Call) -> dict[str, Any]:
    kind = _kind(call)
    draft = _draft(call, kind, _sent_fields(call), updating=False)
    check_required(call.portal, kind, draft)
    card = rules.create(call.portal, kind, draft, call.user_id)
    convert_at_once(call.portal, card, call.user_id)
    return {"item": item_card(call.portal, card, original_names=_original(call))}


def _update(call: Call) -> dict[str, Any]:
    kind = _kind(call)
    card = _existing(call, kind)
    draft = _draft(call, kind, _sent_fields(call), updating=True, card=card)
    rules.update(call.portal, card, draft, call.user_id, always=False)
    return {"item": item_card(call.portal, card, original_names=_original(call))}


def _get(call: Call) -> dict[str, Any]:
    card = _existing(call, _kind(call))
    return {"item": item_card(call.portal, card, original_names=_original(call))}


def _delete(call: Call) -> list[Any]:
    rules.delete(call.portal, _existing(call, _kind(call)), call.user_id)
    return []


def _import(call: Call) -> dict[str, Any]:
    return {"item": {"id": _imported(call, _kind(call), _sent_fields(call))}}


def _batch_import(call: Call) -> dict[str, Any]:
    kind = _kind(call)
    data = call.params.get("data")
    if not php.is_array(data):
        raise missing_argument("data")
    rows = php.members(data)
    if len(rows) > _IMPORT_AT_ONCE:
        text = f"You cannot import more than {_IMPORT_AT_ONCE} items"
        raise RestError("MAX_IMPORT_BATCH_SIZE_EXCEEDED", text)
    return {"items": [_imported_one(call, kind, row) for row in rows]}


def _imported_one(call: Call, kind: Kind, row: Any) -> dict[str, Any]:
    """A card that cannot be made is told in its place; the others are made."""
    try:
        return {"item": {"id": _imported(call, kind, row)}}
    except RestError as error:
        return error.body()


def _imported(call: Call, kind: Kind, raw: Any) -> int:
    draft = _draft(call, kind, raw, updating=False, importing=True)
    return rules.create(call.portal, kind, draft, call.user_id, quiet=True).id


def _kind(call: Call) -> Kind:
    if "entityTypeId" not in call.params:
        raise missing_argument("entityTypeId")
    try:
        return Kind(php.integer(call.params["entityTypeId"]))
    except ValueError as error:
        raise RestError("NOT_FOUND", "Smart process not found") from error


def _existing(call: Call, kind: Kind) -> Card:
    if "id" not in call.params:
        raise missing_argument("id")
    card = call.portal.card(kind, php.integer(call.params["id"]))
    if card is None:
        raise RestError("NOT_FOUND", "Element not found")
    return card


def _sent_fields(call: Call) -> Any:
    raw = call.params.get("fields")
    if not php.is_array(raw):
        raise missing_argument("fields")
    return raw


def _original(call: Call) -> bool:
    return php.truthy(call.params.get("useOriginalUfNames"))


def _draft(
    call: Call, kind: Kind, raw: Any, *, updating: bool, importing: bool = False, card: Card | None = None
) -> Draft:
    portal = call.portal
    draft = item_draft(
        portal, kind, raw, original_names=_original(call), updating=updating, importing=importing
    )
    if kind is Kind.CONTACT:
        return draft
    category = draft.fields.get("CATEGORY_ID")
    if kind is Kind.DEAL and category is not None and category not in portal.dictionaries.categories:
        raise _invalid("Воронка")
    present = (card.fields.get("CATEGORY_ID") if card else 0) or 0
    stage = draft.fields.get(kind.stage_field)
    target = category if category is not None and kind is Kind.DEAL else present
    if stage is not None and portal.dictionaries.stage(kind, target, stage) is None:
        raise _invalid("Стадия")
    return draft


def _invalid(title: str) -> RestError:
    return RestError("CRM_FIELD_ERROR_VALUE_NOT_VALID", f"Недопустимое значение поля «{title}»")


def _list(call: Call) -> Answer:
    portal, kind, original = call.portal, _kind(call), _original(call)

    def find(name: str) -> Field | None:
        return item_field(portal, kind, name, original_names=original)

    group = filters.parse(call.params.get("filter"), filters.Dialect(find, portal.zone, strict=True))
    cards = sorting.listed(call, kind, group, _order(call, find))
    select = [php.text(name) for name in php.members(call.params.get("select"))]
    page, total, following = paged(cards, call, legacy=False)
    rows = [item_card(portal, card, original_names=original, select=select) for card in page]
    return Answer({"items": rows}, total, following)


def _order(call: Call, find: Any) -> list[tuple[Field, bool]]:
    order = []
    for name, direction in sorting.directions(call.params.get("order")):
        field = find("id" if name == "ID" else name)  # clients in the wild order items by ID, and are served
        if field is None:
            raise RestError("INVALID_ARG_VALUE", f"Invalid order: field '{name}' is not allowed in order")
        if direction not in {"ASC", "DESC"}:
            text = f"Invalid order: allowed sort directions are `ASC, DESC`. But got '{direction}' for field '{name}'"
            raise RestError("INVALID_ARG_VALUE", text)
        order.append((field, direction == "DESC"))
    return order


def item_card(
    portal: Portal, card: Card, *, original_names: bool, select: list[str] | None = None
) -> dict[str, Any]:
    """A card in the universal shape. Multi-fields (`fm`) come only where everything is selected."""
    everything = not select or "*" in select
    row: dict[str, Any] = {}
    for name, field in portal.item_fields(card.kind).items():
        shown = field.code if original_names and field.dynamic else name
        if not everything and shown not in (select or []):
            continue
        value = card.read("CONTACT_IDS") if field.code == "CONTACT_IDS" else card.fields.get(field.code)
        row[shown] = values.item(field, value, portal.zone)
    if everything:
        row["entityTypeId"] = card.kind.value
        if card.kind is not Kind.DEAL:
            row["fm"] = [
                {"id": value.id, "valueType": value.value_type, "value": value.value, "typeId": value.type}
                for value in card.multi
            ]
    return row


def _fields(call: Call) -> dict[str, Any]:
    kind, original = _kind(call), _original(call)
    shown: dict[str, Any] = {}
    for name, field in call.portal.item_fields(kind).items():
        row = description(field)
        row["upperName"] = field.code if field.dynamic else _upper(name)
        if field.dynamic:
            row["title"] = field.title
            for label in ("listLabel", "formLabel", "filterLabel"):
                del row[label]
        if field.code == "CATEGORY_ID" or (field.code == "LEAD_ID" and kind is Kind.DEAL):
            row.update({"isReadOnly": False, "isImmutable": False})
        shown[field.code if original and field.dynamic else name] = row
    return {"fields": shown}


def _upper(name: str) -> str:
    return "".join("_" + letter if letter.isupper() else letter for letter in name).upper()
