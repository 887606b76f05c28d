"""The account's own pipelines, statuses, fields, users and settings, read in a few requests."""

from collections import Counter
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from connectors.amocrm.client import Client
from connectors.amocrm.entities import DEAL, KINDS, LOST, WON, Kind
from connectors.amocrm.fields import Field
from connectors.amocrm.options import AmocrmOptions
from connectors.amocrm.wire import embedded
from kreslo.connectors.errors import ConfigurationError, DataError, MissingRightError
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

TITLE = "TITLE"
"""The neutral name of a card's title; amoCRM calls it `name`."""

CONTACT_NAME, PHONE = "CONTACT_NAME", "PHONE"
"""Of deals: the caller's name and phones. amoCRM keeps them on a contact, which is made with the deal in one request."""
CALLER = frozenset((CONTACT_NAME, PHONE))

_TYPES = {
    **dict.fromkeys(("text", "textarea", "url", "streetaddress", "tracking_data"), FieldType.TEXT),
    "numeric": FieldType.NUMBER,
    "monetary": FieldType.MONEY,
    "checkbox": FieldType.BOOLEAN,
    **dict.fromkeys(("select", "radiobutton", "multiselect"), FieldType.ENUM),
    **dict.fromkeys(("date", "birthday"), FieldType.DATE),
    "date_time": FieldType.DATETIME,
}
_LISTS = {"PHONE": FieldType.PHONE, "EMAIL": FieldType.EMAIL}


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """The catalog, and what the wire needs beyond it. `pipelines`: rows as the account gave them; `zone`: the
    account's; `last_name_first`: how it puts a contact's name together; `filters`: whether it filters by custom
    fields (a paid option; without it such a filter is ignored and everything is given).
    """

    catalog: Catalog
    fields: dict[Entity, dict[str, Field]]
    pipelines: list[dict[str, Any]]
    zone: tzinfo
    currency: str = "RUB"
    filters: bool = False
    last_name_first: bool = False
    account_id: str = ""

    def field(self, entity: Entity, code: str) -> Field | None:
        return self.fields.get(entity, {}).get("name" if code == TITLE else code)

    def key_field(self, entity: Entity) -> Field | None:
        code = self.catalog.key_fields.get(entity)
        return None if code is None else self.field(entity, code)

    def stage(self, place: StageRef) -> Stage | None:
        for funnel in self.catalog.funnels:
            if funnel.id == place.funnel:
                return next((stage for stage in funnel.stages if stage.id == place.stage), None)
        return None

    def semantic(self, place: StageRef) -> Semantic:
        """A status that the catalog does not know (made since) is taken for an open one."""
        known = self.stage(place)
        return known.semantic if known else _semantic(place.stage, 0)

    def first_open(self, funnel: str) -> str:
        """Where an incoming lead of this pipeline is accepted to. Raises DataError where there is no such status."""
        for known in self.catalog.funnels:
            if known.id == funnel:
                for stage in known.stages:
                    if stage.semantic is Semantic.OPEN:
                        return stage.id
        raise DataError("В воронке нет ни одного этапа, на который можно принять «Неразобранное»")


async def load(client: Client, options: AmocrmOptions) -> Schema:
    """Read it all. Raises what the client raises; the names of users are done without where they may not be read."""
    account = (await client.ask("account", {"with": "is_api_filter_enabled,datetime_settings"})).body
    if not isinstance(account, dict):
        raise ConfigurationError("Аккаунт amoCRM не рассказал о себе: проверьте адрес")
    pipelines = (await client.ask("leads/pipelines")).rows("pipelines")
    users = await _users(client)
    reasons = await _loss_reasons(client)
    fields: dict[Entity, dict[str, Field]] = {}
    for kind in KINDS:
        rows = await client.pages(f"{kind.path}/custom_fields", "custom_fields", {"order": {"id": "asc"}})
        fields[kind.entity] = {
            field.code: field for field in (*_own(kind, users, reasons), *_custom(kind, rows))
        }
    catalog = Catalog(
        funnels=_funnels(pipelines),
        fields=tuple(field.definition for of_kind in fields.values() for field in of_kind.values()),
        users=users,
        key_fields={entity: options.key_field for entity in fields if options.key_field in fields[entity]},
        me=options.user or str(account.get("current_user_id") or ""),
    )
    settings = (account.get("_embedded") or {}).get("datetime_settings") or {}
    return Schema(
        catalog=catalog,
        fields=fields,
        pipelines=pipelines,
        zone=_zone(str(settings.get("timezone") or "")),
        currency=str(account.get("currency") or "RUB"),
        filters=account.get("is_api_filter_enabled") is True,
        last_name_first=str(account.get("contact_name_display_order")) == "2",
        account_id=str(account.get("id") or ""),
    )


async def _users(client: Client) -> tuple[User, ...]:
    try:
        rows = await client.pages("users", "users")
    except MissingRightError:  # an external integration, or no administrator
        return ()
    return tuple(User(str(row["id"]), str(row.get("name") or row["id"])) for row in rows)


async def _loss_reasons(client: Client) -> list[dict[str, Any]]:
    try:
        return (await client.ask("leads/loss_reasons")).rows("loss_reasons")
    except (MissingRightError, ConfigurationError, DataError):
        return []


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name or "Europe/Moscow")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("Europe/Moscow")


# --- pipelines --------------------------------------------------------------------------------------------------


def _funnels(rows: list[dict[str, Any]]) -> tuple[Funnel, ...]:
    alive = [row for row in rows if row.get("is_archive") is not True]
    return tuple(
        Funnel(Entity.DEAL, str(row["id"]), str(row.get("name") or ""), _stages(embedded(row, "statuses")))
        for row in sorted(alive, key=lambda row: (int(row.get("sort") or 0), int(row["id"])))
    )


def _stages(rows: list[dict[str, Any]]) -> tuple[Stage, ...]:
    stages = [
        Stage(
            str(row["id"]),
            str(row.get("name") or "").strip(),
            int(row.get("sort") or 0),
            _semantic(str(row["id"]), int(row.get("type") or 0)),
        )
        for row in rows
    ]
    return tuple(sorted(stages, key=lambda stage: stage.sort))


def _semantic(status: str, kind: int) -> Semantic:
    if kind == 1:
        return Semantic.UNSORTED
    return {WON: Semantic.WON, LOST: Semantic.LOST}.get(status, Semantic.OPEN)


# --- fields -----------------------------------------------------------------------------------------------------


def _own(kind: Kind, users: tuple[User, ...], reasons: list[dict[str, Any]]) -> list[Field]:
    """What stands on the card itself, under the names that the API gives it."""

    def made(
        code: str, title: str, type_: FieldType, *, multiple: bool = False, options: Any = None
    ) -> Field:
        definition = FieldDef(kind.entity, code, title, type_, multiple=multiple, options=options or {})
        return Field(definition=definition, wire=code)

    people = {user.id: user.name for user in users}
    own = [
        made("name", "Название" if kind is DEAL else "Имя полностью", FieldType.TEXT),
        made("responsible_user_id", "Ответственный", FieldType.ENUM, options=people),
        made("tags", "Теги", FieldType.TEXT, multiple=True),
    ]
    if kind is DEAL:
        own.append(made("price", "Бюджет", FieldType.MONEY))
        own.append(made(CONTACT_NAME, "Имя контакта", FieldType.TEXT))
        own.append(made(PHONE, "Телефон контакта", FieldType.PHONE, multiple=True))
        known = {str(row["id"]): str(row.get("name") or "") for row in reasons}
        own.append(made("loss_reason_id", "Причина отказа", FieldType.ENUM, options=known))
    else:
        own.append(made("first_name", "Имя", FieldType.TEXT))
        own.append(made("last_name", "Фамилия", FieldType.TEXT))
    return own


def _custom(kind: Kind, rows: list[dict[str, Any]]) -> list[Field]:
    codes = Counter(str(row.get("code") or "").upper() for row in rows)
    return [_field(kind, row, codes) for row in rows]


def _field(kind: Kind, row: dict[str, Any], codes: Counter[str]) -> Field:
    wire, code = str(row.get("type") or ""), str(row.get("code") or "").upper()
    if wire == "multitext":
        found = _LISTS.get(code, FieldType.REFERENCE)
    else:
        found = _TYPES.get(wire, FieldType.REFERENCE)
    options = {str(one["id"]): str(one.get("value") or "") for one in row.get("enums") or ()}
    definition = FieldDef(
        entity=kind.entity,
        code=code if code and codes[code] == 1 else str(row["id"]),
        title=str(row.get("name") or row["id"]).strip(),
        type=found,
        multiple=wire in ("multitext", "multiselect"),
        read_only=found is FieldType.REFERENCE or row.get("is_computed") is True,
        options=options if found is FieldType.ENUM else {},
    )
    return Field(definition=definition, wire=wire, id=int(row["id"]))
