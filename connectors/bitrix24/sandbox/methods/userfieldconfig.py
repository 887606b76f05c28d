"""userfieldconfig.*: the universal way to user fields, camel names, enumerations with their options."""

from typing import Any

from connectors.bitrix24.sandbox.calls import Answer, Call, Method, paged
from connectors.bitrix24.sandbox.cards import Kind
from connectors.bitrix24.sandbox.errors import RestError, missing_argument
from connectors.bitrix24.sandbox.fields import Field, item_name
from connectors.bitrix24.sandbox.methods.userfields import made_field
from kreslo.connectors.sandboxing import php

_OWNERS = {f"CRM_{kind.name}": kind for kind in Kind}
_LABELS = ("editFormLabel", "listColumnLabel", "listFilterLabel")


def methods() -> list[Method]:
    acts = {"add": _add, "get": _get, "list": _list}
    return [Method(f"userfieldconfig.{act}", "userfieldconfig", run) for act, run in acts.items()]


def _require_module(call: Call) -> None:
    if "moduleId" not in call.params:
        raise missing_argument("moduleId")
    if php.text(call.params["moduleId"]) != "crm":
        raise RestError("ACCESS_DENIED", "Access denied")


def _add(call: Call) -> dict[str, Any]:
    _require_module(call)
    sent = dict(php.pairs(call.params.get("field")))
    kind = _OWNERS.get(php.text(sent.get("entityId")))
    if kind is None:
        raise RestError("INVALID_ARG_VALUE", "entityId is not defined or invalid")
    fields = {_upper(name): value for name, value in sent.items()}
    fields["LIST"] = [
        {_upper(name): value for name, value in php.pairs(row)} for row in php.members(sent.get("enum"))
    ]
    return {"field": _shown(kind, made_field(call.portal, kind, fields))}


def _upper(name: str) -> str:
    return "".join("_" + letter if letter.isupper() else letter for letter in name).upper()


def _own(call: Call, kind: Kind) -> list[Field]:
    return [field for field in call.portal.fields(kind).values() if field.dynamic]


def _get(call: Call) -> dict[str, Any]:
    _require_module(call)
    wanted = php.text(call.params.get("id"))
    for kind in Kind:
        for field in _own(call, kind):
            if field.user_row["ID"] == wanted:
                return {"field": _shown(kind, field)}
    raise RestError("NOT_FOUND", "User field was not found")


def _list(call: Call) -> Answer:
    """Options come only with `userfieldconfig.get`."""
    _require_module(call)
    asked = {name.lstrip("="): php.text(value) for name, value in php.pairs(call.params.get("filter"))}
    rows = [_shown(kind, field) for kind in Kind for field in _own(call, kind)]
    rows = [row for row in rows if all(str(row.get(name)) == value for name, value in asked.items())]
    page, total, following = paged(rows, call, legacy=False)
    return Answer({"fields": [{**row, "enum": None} for row in page]}, total, following)


def _shown(kind: Kind, field: Field) -> dict[str, Any]:
    shown = {item_name(code): value for code, value in field.user_row.items()}
    shown |= {"entityId": f"CRM_{kind.name}", **{name: {"ru": field.title} for name in _LABELS}}
    options = [
        {"userFieldId": field.user_row["ID"], **{item_name(code): value for code, value in row.items()}}
        for row in field.options.values()
    ]
    return {**shown, "enum": options} if options else shown
