"""From what a request sends to a Draft: what REST does not know or may not write falls away without a word."""

from typing import Any

from connectors.bitrix24.sandbox import multifields, values
from connectors.bitrix24.sandbox.cards import Kind
from connectors.bitrix24.sandbox.errors import RestError
from connectors.bitrix24.sandbox.fields import MULTI_FIELDS, Field
from connectors.bitrix24.sandbox.portal import Portal
from connectors.bitrix24.sandbox.rules import Draft
from kreslo.connectors.sandboxing import php

IMPORTABLE = frozenset(
    {"DATE_CREATE", "DATE_MODIFY", "CREATED_BY_ID", "MODIFY_BY_ID", "MOVED_BY_ID", "MOVED_TIME"}
)


def legacy_draft(portal: Portal, kind: Kind, raw: Any, *, updating: bool, importing: bool = False) -> Draft:
    """`fields` of crm.contact.add and its kin: unknown, read-only, on update immutable ones, and dates that are none
    are dropped.
    """
    draft = Draft(fields={}, multi=[], system={})
    for code, value in php.pairs(raw):
        field = portal.fields(kind).get(code)
        if field is None:
            continue
        if code in MULTI_FIELDS:
            draft.multi += multifields.legacy_ops(code, value, join=portal.switches.joins_identical)
        elif code == "CONTACT_IDS":
            draft.contacts = [php.integer(below) for below in php.members(value)]
        elif importing and code in IMPORTABLE:
            _put(draft.system, field, value, portal)
        elif not field.read_only and not (updating and field.immutable):
            _put(draft.fields, field, value, portal)
    return draft


def item_draft(
    portal: Portal, kind: Kind, raw: Any, *, original_names: bool, updating: bool, importing: bool = False
) -> Draft:
    """`fields` of crm.item.*: camel names, or upper-case ones for user fields where asked for. A deal may change its
    funnel here, and may be made from a lead.
    """
    draft = Draft(fields={}, multi=[], system={})
    for name, value in php.pairs(raw):
        if name == "fm" and kind is not Kind.DEAL:
            draft.multi += multifields.item_ops(value)
            continue
        field = item_field(portal, kind, name, original_names=original_names)
        if field is None:
            continue
        if field.code == "CONTACT_IDS":
            draft.contacts = [php.integer(below) for below in php.members(value)]
        elif field.code == "LEAD_ID" and kind is Kind.DEAL:
            if not updating or portal.switches.lead_id_on_update:
                _put(draft.fields, field, value, portal)
        elif importing and field.code in IMPORTABLE:
            _put(draft.system, field, value, portal)
        elif not field.read_only:
            _put(draft.fields, field, value, portal)
    return draft


def item_field(portal: Portal, kind: Kind, name: str, *, original_names: bool) -> Field | None:
    """The field that crm.item.* calls so."""
    if original_names and name.startswith("UF_"):
        return portal.fields(kind).get(name)
    field = portal.item_fields(kind).get(name)
    return None if field is not None and original_names and field.dynamic else field


def check_required(portal: Portal, kind: Kind, draft: Draft) -> None:
    """crm.item.add insists on mandatory user fields. Raises RestError."""
    for field in portal.fields(kind).values():
        if field.mandatory and draft.fields.get(field.code) in (None, []):
            raise RestError("CRM_FIELD_ERROR_REQUIRED", f"Обязательное поле «{field.title}» не заполнено")


def _put(into: dict[str, Any], field: Field, raw: Any, portal: Portal) -> None:
    value = values.parse(field, raw, portal.zone)
    if value is not values.DROPPED:
        into[field.code] = value
