"""crm.{contact,deal,lead}.userfield.add and .list."""

from functools import partial
from typing import Any

from connectors.bitrix24.sandbox.calls import Answer, Call, Method
from connectors.bitrix24.sandbox.cards import Kind
from connectors.bitrix24.sandbox.errors import crm_error
from connectors.bitrix24.sandbox.fields import Field, user_item_name
from connectors.bitrix24.sandbox.portal import Portal
from connectors.bitrix24.sandbox.tables import filtered, ordered
from kreslo.connectors.sandboxing import php

_TYPES = frozenset(
    {
        *(
            "string",
            "integer",
            "double",
            "boolean",
            "enumeration",
            "date",
            "datetime",
            "money",
            "url",
            "address",
        ),
        *("file", "employee", "crm_status", "iblock_section", "iblock_element", "crm"),
    }
)
_CODE_LENGTH = 50
_LABELS = ("EDIT_FORM_LABEL", "LIST_COLUMN_LABEL", "LIST_FILTER_LABEL")


def methods() -> list[Method]:
    acts = {"add": _add, "list": _list}
    return [
        Method(f"crm.{kind.word}.userfield.{act}", "crm", partial(run, kind))
        for kind in Kind
        for act, run in acts.items()
    ]


def _add(kind: Kind, call: Call) -> int:
    return int(made_field(call.portal, kind, dict(php.pairs(call.array("fields")))).user_row["ID"])


def made_field(portal: Portal, kind: Kind, fields: dict[str, Any]) -> Field:
    """A new user field of these upper-case parameters. Raises RestError."""
    if not portal.switches.admin:
        raise crm_error("Access denied.")
    user_type = php.text(fields.get("USER_TYPE_ID"))
    if not user_type:
        raise crm_error("The 'USER_TYPE_ID' field is not found.")
    if user_type not in _TYPES:
        raise crm_error(f"Не найден пользовательский тип «{user_type}»")
    code = _code(portal, kind, php.text(fields.get("FIELD_NAME")).upper())
    field_id = portal.next_id("user field")
    options = _options(portal, fields.get("LIST")) if user_type == "enumeration" else {}
    label = next((found for name in ("LABEL", *_LABELS) if (found := _label(fields.get(name)))), code)
    row = {
        "ID": str(field_id),
        "ENTITY_ID": f"CRM_{kind.name}",
        "FIELD_NAME": code,
        "USER_TYPE_ID": user_type,
        "XML_ID": php.text(fields.get("XML_ID")) or None,
        "SORT": str(php.integer(fields.get("SORT")) or 100),
        "MULTIPLE": _flag(fields.get("MULTIPLE")),
        "MANDATORY": _flag(fields.get("MANDATORY")),
        "SHOW_FILTER": php.text(fields.get("SHOW_FILTER")) or "E",
        "SHOW_IN_LIST": "Y",
        "EDIT_IN_LIST": "Y",
        "IS_SEARCHABLE": "N",
        "SETTINGS": dict(php.pairs(fields.get("SETTINGS"))),
    }
    field = Field(
        code=code,
        type=user_type,
        title=label,
        item_name=user_item_name(code),
        multiple=row["MULTIPLE"] == "Y",
        mandatory=row["MANDATORY"] == "Y",
        options=options,
        user_row=row,
    )
    portal.add_field(kind, field)
    return field


def _code(portal: Portal, kind: Kind, name: str) -> str:
    if not name:
        raise crm_error("The 'FIELD_NAME' field is not found.")
    code = name if name.startswith("UF_CRM_") else f"UF_CRM_{name}"
    if len(code) > _CODE_LENGTH or not code.replace("_", "").isalnum() or not code.isascii():
        raise crm_error(
            f"Недопустимое имя поля {code}: латинские буквы, цифры и _, не длиннее {_CODE_LENGTH}"
        )
    if code in portal.fields(kind):
        raise crm_error(f"Поле {code} для объекта CRM_{kind.name} уже существует.")
    return code


def _options(portal: Portal, rows: Any) -> dict[int, dict[str, Any]]:
    options = {}
    for at, row in enumerate(php.members(rows)):
        if not isinstance(row, dict) or not php.text(row.get("VALUE")):
            continue
        option_id = portal.next_id("option")
        options[option_id] = {
            "ID": str(option_id),
            "SORT": str(php.integer(row.get("SORT")) or (at + 1) * 10),
            "VALUE": php.text(row["VALUE"]),
            "DEF": _flag(row.get("DEF")),
            "XML_ID": php.text(row.get("XML_ID")) or f"xml{option_id:08x}",
        }
    return options


def _label(raw: Any) -> str:
    """A text, or a map by language."""
    if isinstance(raw, dict):
        return php.text(raw.get("ru") or next(iter(raw.values()), ""))
    return php.text(raw)


def _flag(raw: Any) -> str:
    return "Y" if php.text(raw).upper() == "Y" else "N"


def _list(kind: Kind, call: Call) -> Answer:
    if call.portal.switches.userfield_list_needs_admin and not call.portal.switches.admin:
        raise crm_error("Access denied.")
    asked = call.array("filter")
    with_labels = isinstance(asked, dict) and bool(asked.get("LANG"))
    rows = []
    for field in call.portal.fields(kind).values():
        if not field.dynamic:
            continue
        row = dict(field.user_row)
        if with_labels:
            row.update(dict.fromkeys(_LABELS, field.title), ERROR_MESSAGE=None, HELP_MESSAGE=None)
        if field.options:
            row["LIST"] = list(field.options.values())
        rows.append(row)
    numbers = {"ID", "SORT"}
    rows = filtered(rows, asked, call.portal.zone, integers=numbers)
    rows = ordered(rows, call.array("order") or {"SORT": "ASC", "ID": "ASC"}, integers=numbers)
    return Answer(rows, total=len(rows))
