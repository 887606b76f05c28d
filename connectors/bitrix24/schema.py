"""The portal's own funnels, stages, fields and users, read in one or two requests."""

import json
from typing import Any

import msgspec

from connectors.bitrix24.answers import Refusal
from connectors.bitrix24.client import Client, Reply, accepted
from connectors.bitrix24.entities import DEAL, KINDS, LEAD_FUNNEL, Kind
from connectors.bitrix24.fields import Field
from connectors.bitrix24.options import Bitrix24Options, Plan
from connectors.bitrix24.wire import Call, rows, section
from kreslo.connectors.model import (
    Catalog,
    Entity,
    FieldDef,
    FieldType,
    Funnel,
    Semantic,
    Stage,
    StageRef,
    User,
)

_TYPES = {
    "string": FieldType.TEXT,
    "text": FieldType.TEXT,
    "url": FieldType.TEXT,
    "address": FieldType.TEXT,
    "crm_currency": FieldType.TEXT,
    "char": FieldType.BOOLEAN,
    "boolean": FieldType.BOOLEAN,
    "integer": FieldType.NUMBER,
    "double": FieldType.NUMBER,
    "money": FieldType.MONEY,
    "date": FieldType.DATE,
    "datetime": FieldType.DATETIME,
    "enumeration": FieldType.ENUM,
    "crm_status": FieldType.ENUM,
}
_AMOUNTS = frozenset(("OPPORTUNITY", "TAX_VALUE"))
_DICTIONARIES = {"SOURCE_ID": "SOURCE", "HONORIFIC": "HONORIFIC"}
_ITEM_NAMES = {
    "DATE_CREATE": "createdTime",
    "DATE_MODIFY": "updatedTime",
    "CREATED_BY_ID": "createdBy",
    "MODIFY_BY_ID": "updatedBy",
    "MOVED_BY_ID": "movedBy",
    "STATUS_ID": "stageId",
    "STATUS_SEMANTIC_ID": "stageSemanticId",
}
# What cards stand on is written through `stage`, `contacts` and `lead`, never as a field.
_PLACES = frozenset(("STAGE_ID", "STATUS_ID", "CATEGORY_ID", "CONTACT_ID", "CONTACT_IDS", "LEAD_ID"))


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """The catalog, and what the wire needs beyond it. `currency`: the portal's base currency; `statuses`: the rows
    of crm.status.list by dictionary; `phone_field`: the text field of deals that holds a number, "" where there is none.
    """

    catalog: Catalog
    fields: dict[Entity, dict[str, Field]]
    currency: str
    statuses: dict[str, list[dict[str, Any]]]
    phone_field: str = ""

    def field(self, entity: Entity, code: str) -> Field | None:
        return self.fields.get(entity, {}).get(code)

    def place(self, entity: Entity, stage_id: str, funnel: str) -> tuple[StageRef, Semantic]:
        """Where a card stands. A stage that the catalog does not know (made since) is taken for an open one."""
        for known in self.catalog.funnels:
            if known.entity is entity and known.id == funnel:
                for stage in known.stages:
                    if stage.id == stage_id:
                        return StageRef(funnel, stage_id), stage.semantic
        return StageRef(funnel, stage_id), Semantic.OPEN

    def open_stages(self, entity: Entity) -> list[str]:
        funnels = [funnel for funnel in self.catalog.funnels if funnel.entity is entity]
        return [stage.id for funnel in funnels for stage in funnel.stages if stage.semantic is Semantic.OPEN]


async def load(client: Client, options: Bitrix24Options) -> Schema:
    """Read it all. Raises what the client raises; titles of user fields, users and names of crm.item.* are done
    without where the webhook may not read them.
    """
    calls = {
        "profile": Call("profile"),
        "categories": Call("crm.category.list", {"entityTypeId": DEAL.type_id}),
        "statuses": Call("crm.status.list", {"order": {"SORT": "ASC"}}),
        "currency": Call("crm.currency.list"),
        "users": Call("user.get", {"start": 0}),
        "license": Call("app.info"),
        "mode": Call("crm.settings.mode.get"),
    }
    for kind in KINDS:
        calls[f"{kind.word} fields"] = Call(kind.method("fields"))
        calls[f"{kind.word} own"] = Call(kind.method("userfield.list"), {"filter": {"LANG": "ru"}})
        if kind.stage_code:
            calls[f"{kind.word} items"] = Call("crm.item.fields", {"entityTypeId": kind.type_id})
    said = dict(zip(calls, await client.ask_all(list(calls.values())), strict=True))
    if _is_enterprise(said["license"]):
        client.learned(Plan.ENTERPRISE)
    statuses: dict[str, list[dict[str, Any]]] = {}
    for row in rows(accepted(said["statuses"], "crm.status.list").result):
        statuses.setdefault(str(row.get("ENTITY_ID", "")), []).append(row)
    fields = {kind.entity: _fields(kind, said, statuses) for kind in KINDS}
    profile = accepted(said["profile"], "profile").result
    currency = said["currency"]
    categories = rows(accepted(said["categories"], "crm.category.list").result)
    catalog = Catalog(
        funnels=_funnels(categories, statuses, leads=not _is_simple(said["mode"])),
        fields=tuple(field.definition for of_kind in fields.values() for field in of_kind.values()),
        users=await _users(client, said["users"]),
        key_fields={entity: options.key_field for entity in fields if options.key_field in fields[entity]},
        me=options.user or str(profile.get("ID", "")),
    )
    currencies = [] if isinstance(currency, Refusal) else rows(currency.result)
    base = next((str(row.get("CURRENCY")) for row in currencies if row.get("BASE") == "Y"), "RUB")
    phone = options.phone_field if options.phone_field in fields[Entity.DEAL] else ""
    return Schema(catalog=catalog, fields=fields, currency=base, statuses=statuses, phone_field=phone)


def _is_simple(reply: Reply) -> bool:
    """Whether the portal works without leads: one that is made becomes a deal at once."""
    return not isinstance(reply, Refusal) and str(reply.result) == "2"


def _is_enterprise(reply: Reply) -> bool:
    """Whether app.info names the Enterprise plan (`ru_ent250`, `enterprise`). Refused where it is not to be known."""
    if isinstance(reply, Refusal):
        return False
    told = section(reply.result)
    names = [str(told.get(name) or "").lower() for name in ("LICENSE_FAMILY", "LICENSE_TYPE", "LICENSE")]
    return any(part.startswith("ent") for name in names for part in name.split("_"))


async def _users(client: Client, first: Reply) -> tuple[User, ...]:
    if isinstance(first, Refusal):  # no `user_basic` among the webhook's accesses: ids do without names
        return ()
    found = rows(first.result)
    if first.next and first.total:
        starts = range(first.next, first.total, 50)
        pages = await client.ask_all([Call("user.get", {"start": start}) for start in starts])
        for page in pages:
            found += rows(accepted(page, "user.get").result)
    named = (
        (row, " ".join(str(row.get(part) or "") for part in ("LAST_NAME", "NAME")).strip()) for row in found
    )
    return tuple(User(str(row["ID"]), name or str(row["ID"])) for row, name in named)


# --- funnels ----------------------------------------------------------------------------------------------------


def stage_dictionary(category: str) -> str:
    """`ENTITY_ID` of the stages of a deal funnel."""
    return "DEAL_STAGE" if category == "0" else f"DEAL_STAGE_{category}"


def _funnels(
    categories: list[dict[str, Any]], statuses: dict[str, list[dict[str, Any]]], *, leads: bool
) -> tuple[Funnel, ...]:
    funnels = [
        Funnel(
            Entity.DEAL,
            str(row["id"]),
            str(row.get("name", "")),
            _stages(statuses.get(stage_dictionary(str(row["id"])), [])),
        )
        for row in sorted(categories, key=lambda row: (_whole(row.get("sort")), _whole(row.get("id"))))
    ]
    if leads:
        funnels.append(Funnel(Entity.LEAD, "", LEAD_FUNNEL, _stages(statuses.get("STATUS", []))))
    return tuple(funnels)


def _stages(found: list[dict[str, Any]]) -> tuple[Stage, ...]:
    stages = [
        Stage(
            str(row["STATUS_ID"]), str(row.get("NAME", "")).strip(), _whole(row.get("SORT")), semantic_of(row)
        )
        for row in found
    ]
    return tuple(sorted(stages, key=lambda stage: stage.sort))


def semantic_of(row: dict[str, Any]) -> Semantic:
    """Of a row of crm.status.list: SEMANTICS is null (in progress), S or F; in some answers only EXTRA tells."""
    extra = section(row.get("EXTRA"))
    told = str(row.get("SEMANTICS") or extra.get("SEMANTICS") or "").lower()
    return {"s": Semantic.WON, "success": Semantic.WON, "f": Semantic.LOST}.get(
        told, Semantic.LOST if told in ("failure", "apology") else Semantic.OPEN
    )


# --- fields -----------------------------------------------------------------------------------------------------


def _fields(
    kind: Kind, said: dict[str, Reply], statuses: dict[str, list[dict[str, Any]]]
) -> dict[str, Field]:
    described = section(accepted(said[f"{kind.word} fields"], kind.method("fields")).result)
    own_reply = said[f"{kind.word} own"]
    own = (
        {}
        if isinstance(own_reply, Refusal)
        else {str(row.get("FIELD_NAME")): row for row in rows(own_reply.result)}
    )
    names = _item_names(said.get(f"{kind.word} items"))
    fields: dict[str, Field] = {}
    for code, info in described.items():
        if not isinstance(info, dict) or code == "ID":
            continue
        definition = _definition(kind, code, info, own.get(code, {}), statuses)
        if definition is not None:
            fields[code] = Field(
                definition=definition,
                wire=str(info.get("type", "")),
                item_name=names.get(code) or _item_name(code),
                custom=code.startswith("UF_"),
                precision=_precision(own.get(code, {})),
            )
    return fields


def _definition(
    kind: Kind,
    code: str,
    info: dict[str, Any],
    own: dict[str, Any],
    statuses: dict[str, list[dict[str, Any]]],
) -> FieldDef | None:
    wire = str(info.get("type", ""))
    options: dict[str, str] = {}
    if wire == "crm_multifield":
        if code not in ("PHONE", "EMAIL"):
            return None
        found = FieldType.PHONE if code == "PHONE" else FieldType.EMAIL
    elif code in _PLACES:
        found = FieldType.REFERENCE
    elif code in _AMOUNTS:
        found = FieldType.MONEY
    else:
        found = _TYPES.get(wire, FieldType.REFERENCE)
    if wire == "enumeration":
        options = {
            str(row["ID"]): str(row.get("VALUE", "")) for row in rows(info.get("items") or own.get("LIST"))
        }
    elif wire == "crm_status" and found is FieldType.ENUM:
        name = str(
            info.get("statusType")
            or _DICTIONARIES.get(code)
            or section(own.get("SETTINGS")).get("ENTITY_TYPE")
            or ""
        )
        name = name or (f"{kind.word.upper()}_TYPE" if code == "TYPE_ID" else "")
        options = {str(row["STATUS_ID"]): str(row.get("NAME", "")) for row in statuses.get(name, [])}
    return FieldDef(
        entity=kind.entity,
        code=code,
        title=_title(code, info, own),
        type=found,
        multiple=info.get("isMultiple") is True or found in (FieldType.PHONE, FieldType.EMAIL),
        read_only=info.get("isReadOnly") is True or code in _PLACES,
        options=options,
    )


def _title(code: str, info: dict[str, Any], own: dict[str, Any]) -> str:
    """What staff see: labels of the user field; else those of crm.*.fields, whose `title` of a user field is its code."""
    found = [_label(own.get(name)) for name in ("EDIT_FORM_LABEL", "LIST_COLUMN_LABEL")]
    found += [_label(info.get(name)) for name in ("formLabel", "listLabel", "title")]
    return next((label for label in found if label), code)


def _label(value: Any) -> str:
    if isinstance(value, dict):  # by language
        value = value.get("ru") or next((text for text in value.values() if text), "")
    return str(value or "").strip()


def _item_names(reply: Reply | None) -> dict[str, str]:
    if reply is None or isinstance(reply, Refusal):
        return {}
    described = section(section(reply.result).get("fields"))
    return {
        str(info["upperName"]): name
        for name, info in described.items()
        if isinstance(info, dict) and info.get("upperName")
    }


def _item_name(code: str) -> str:
    """`SOURCE_ID` → `sourceId`. User fields keep their code: such calls say `useOriginalUfNames`."""
    if code in _ITEM_NAMES:
        return _ITEM_NAMES[code]
    if code.startswith("UF_"):
        return code
    first, *rest = code.lower().split("_")
    return first + "".join(part.capitalize() for part in rest)


def _precision(own: dict[str, Any]) -> int:
    settings = own.get("SETTINGS")
    if isinstance(settings, str):
        try:
            settings = json.loads(settings)
        except ValueError:
            settings = {}
    digits = section(settings).get("PRECISION")
    return _whole(digits) if digits is not None else 4


def _whole(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0
