"""From a change to the requests that make it, in their order.

A card is made whole: key, contacts, stage and fields in one item of one request, so that there is no half-made card.
An enquiry, which has a caller but no contact yet, takes its contact with it (`leads/complex`). An update takes its contacts first, then leaves «Неразобранное», then fields and stage in one item: robots start on the
stage, and they must find the right contact and the right fields.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from connectors.amocrm.cards import RESPONSIBLE, WIRE_ROW
from connectors.amocrm.entities import DEAL, Kind, kind_of
from connectors.amocrm.fields import LISTS, Field, canonical, encode, option_id
from connectors.amocrm.schema import CALLER, CONTACT_NAME, PHONE, Schema
from kreslo.connectors.errors import ConfigurationError, DataError
from kreslo.connectors.model import (
    AddNote,
    AddTask,
    Card,
    Change,
    CreateCard,
    Entity,
    FieldType,
    MultiChange,
    Semantic,
    StageRef,
    UpdateCard,
    Value,
)
from kreslo.connectors.values import as_tuple, clean, contacts_of

_LABEL = "WORK"  # amoCRM's own default for phones and e-mails
COMPLEX = "leads/complex"
_FOLLOW_UP = 1
"""The task type that every account has: «Связаться»."""


class Step(msgspec.Struct, frozen=True):
    """Items of one request, as many as the change needs there. `verb`, `path`: where they go; `key`: under which the
    answer has its rows, "" where it names nothing. `again`: sending it twice does no harm. `solo`: the request holds
    this one item, as an object.
    """

    verb: str
    path: str
    key: str
    items: tuple[dict[str, Any], ...]
    again: bool = True
    solo: bool = False

    @property
    def route(self) -> str:
        return f"{self.verb} {self.path}"


def request_id(intent: str) -> str:
    """Never a number: that is how amoCRM names the items that have none."""
    return f"k{intent}"


class Writer:
    """Turns changes into steps against one schema. `unsorted`: uids of incoming leads by the lead's id; `callers`: the
    contact that has the caller's number, by intent, where there is exactly one.
    """

    def __init__(
        self, schema: Schema, key_field: str, unsorted: Mapping[str, str], callers: Mapping[str, str]
    ) -> None:
        self._callers = callers
        self._schema = schema
        self._key_field = key_field
        self._unsorted = unsorted

    def steps(self, change: Change, seen: Card | None) -> list[Step]:
        """`seen`: the card as it was just read, where the change needs it. Raises DataError for a change that cannot be
        written as it is, ConfigurationError for an account that lacks what it needs.
        """
        match change.action:
            case CreateCard() as action:
                return [self._create(change.intent, action)]
            case UpdateCard() as action:
                return self._update(change.intent, action, seen)
            case AddNote() as action:
                return [_note(change.intent, action)]
            case AddTask() as action:
                return [_task(change.intent, action, seen)]

    # --- create -----------------------------------------------------------------------------------------------

    def _create(self, intent: str, action: CreateCard) -> Step:
        kind = kind_of(action.entity)
        fields = {code: value for code, value in action.fields.items() if value not in (None, "", ())}
        item: dict[str, Any] = {"request_id": request_id(intent)}
        item |= self._body(kind, fields, None)
        item.setdefault("custom_fields_values", []).append(self._key(kind, action.key))
        embedded: dict[str, Any] = {}
        if tags := item.pop("tags_to_add", None):
            embedded["tags"] = tags
        item.pop("tags_to_delete", None)
        if kind is DEAL:
            if action.stage is not None:
                item |= self._place(action.stage)
            if action.contacts:
                embedded["contacts"] = [
                    {"id": int(one), "is_main": at == 0} for at, one in enumerate(action.contacts)
                ]
            elif caller := self._caller(intent, fields):
                embedded["contacts"] = [caller]
        if embedded:
            item["_embedded"] = embedded
        whole = kind is DEAL and any("id" not in one for one in embedded.get("contacts", ()))
        if whole:
            return Step("POST", COMPLEX, COMPLEX, (item,), again=False)
        return Step("POST", kind.path, kind.path, (item,), again=False)

    def _caller(self, intent: str, fields: Mapping[str, Value]) -> dict[str, Any] | None:
        """The contact of a deal that names a caller: the one with that number, else a new one."""
        phones = contacts_of(FieldType.PHONE, as_tuple(fields.get(PHONE)))
        name = clean(" ".join(as_tuple(fields.get(CONTACT_NAME))))
        if intent in self._callers:
            return {"id": int(self._callers[intent]), "is_main": True}
        if not phones and not name:
            return None
        made: dict[str, Any] = {"name": name or phones[0]}
        field = self._schema.field(Entity.CONTACT, PHONE)
        if field is not None and phones:
            values = [{"value": one, "enum_code": _LABEL} for one in phones]
            made["custom_fields_values"] = [{"field_id": field.id, "values": values}]
        return made

    # --- update -----------------------------------------------------------------------------------------------

    def _update(self, intent: str, action: UpdateCard, seen: Card | None) -> list[Step]:
        kind = kind_of(action.entity)
        steps = (
            _links(action.id, seen, action.contacts) if action.contacts is not None and kind is DEAL else []
        )
        item = self._body(kind, action.fields, seen)
        for code, multi in action.multi.items():
            if kind is DEAL and code in CALLER:
                continue
            self._merge(item, self._several(kind, code, multi, seen))
        if action.key:
            item.setdefault("custom_fields_values", []).append(self._key(kind, action.key))
        if action.stage is not None:
            if seen is not None and seen.semantic is Semantic.UNSORTED and seen.stage != action.stage:
                steps.append(self._accept(action, action.stage, seen))
            item |= self._place(action.stage)
        if item:
            whole = {"id": int(action.id), "request_id": request_id(intent), **item}
            steps.append(Step("PATCH", kind.path, kind.path, (whole,)))
        return steps

    def _accept(self, action: UpdateCard, stage: StageRef, seen: Card) -> Step:
        """Out of «Неразобранное»: on the wished status where it is of the same pipeline, else on the first one."""
        uid = self._unsorted.get(action.id)
        if uid is None or seen.stage is None:
            raise ConfigurationError(
                "Сделка стоит в «Неразобранном», но в списке неразобранного её нет: повторим"
            )
        here = seen.stage.funnel
        wanted = self._schema.semantic(stage) is not Semantic.UNSORTED and stage.funnel == here
        item: dict[str, Any] = {"status_id": int(stage.stage if wanted else self._schema.first_open(here))}
        if owner := seen.wire.get(RESPONSIBLE) or self._schema.catalog.me:
            item["user_id"] = int(owner)
        return Step("POST", f"leads/unsorted/{uid}/accept", "", (item,), solo=True)

    # --- fields -----------------------------------------------------------------------------------------------

    def _body(self, kind: Kind, values: Mapping[str, Value], seen: Card | None) -> dict[str, Any]:
        """An item's own properties, its `custom_fields_values`, and tags to add and to delete."""
        item: dict[str, Any] = {}
        for code, value in values.items():
            field = self._field(kind, code)
            if kind is DEAL and code in CALLER:
                continue  # it stands on the contact, which is a card of its own once it is made
            if field.definition.type in LISTS or field.code == "tags":
                present = _held(field, seen)
                wanted = _texts(field, as_tuple(value))
                gone = tuple(one for one in present if one not in wanted)
                self._merge(item, self._several(kind, field.code, MultiChange(add=wanted, remove=gone), seen))
            elif field.id:
                entry = {"field_id": field.id, "values": encode(field, value, self._schema.zone)}
                item.setdefault("custom_fields_values", []).append(entry)
            else:
                item[field.code] = self._own(field, value)
        self._name(kind, item, seen)
        return item

    def _own(self, field: Field, value: Value) -> Any:
        found = canonical(field, value, self._schema.zone)
        match field.definition.type:
            case FieldType.ENUM:
                if found is None and field.code == "responsible_user_id":
                    raise DataError("У карточки должен быть ответственный")
                return None if found is None else option_id(field, found)
            case FieldType.MONEY:
                return 0 if found is None else int(str(found))
            case _:
                return "" if found is None else found

    def _name(self, kind: Kind, item: dict[str, Any], seen: Card | None) -> None:
        """A contact's name is put together by us where only its parts are written: who wins, the name or its parts, is
        not documented, and so they must agree.
        """
        if kind is DEAL or "name" in item or not {"first_name", "last_name"} & item.keys():
            return
        parts = {
            part: item[part] if part in item else str((seen.fields.get(part) if seen else None) or "")
            for part in ("first_name", "last_name")
        }
        order = ("last_name", "first_name") if self._schema.last_name_first else ("first_name", "last_name")
        name = " ".join(parts[part] for part in order if parts[part])
        if name:
            item["name"] = name

    def _several(self, kind: Kind, code: str, multi: MultiChange, seen: Card | None) -> dict[str, Any]:
        """A field of several values. A field that is written is written whole, so what staff wrote is sent back with
        its labels; what stands there in any spelling is not added again.
        """
        field = self._field(kind, code)
        if field.code == "tags":
            return {
                "tags_to_add": [{"name": one} for one in _texts(field, multi.add)],
                "tags_to_delete": [{"name": one} for one in _texts(field, multi.remove)],
            }
        if field.definition.type not in LISTS:
            if not field.definition.multiple:
                raise DataError(f"Поле {field.name} хранит одно значение")
            present = as_tuple(seen.fields.get(code) if seen else None)
            kept = [one for one in (*present, *multi.add) if one not in multi.remove]
            return _custom(field, encode(field, tuple(dict.fromkeys(kept)), self._schema.zone))
        removed = set(_texts(field, multi.remove)) - set(_texts(field, multi.add))
        cells: list[dict[str, Any]] = []
        held: set[str] = set()
        for text, label in _rows(field, seen):
            found = contacts_of(field.definition.type, (text,))
            if found and not removed & set(found):
                held.update(found)
                cells.append({"value": text, **({"enum_id": int(label)} if label else {})})
        added = [one for one in _texts(field, multi.add) if one not in held]
        cells += [{"value": one, "enum_code": _LABEL} for one in added]
        return _custom(field, cells or None)

    def _merge(self, item: dict[str, Any], more: dict[str, Any]) -> None:
        for name, value in more.items():
            if value:
                item[name] = [*item.get(name, ()), *value]

    def _key(self, kind: Kind, key: str) -> dict[str, Any]:
        field = self._schema.key_field(kind.entity)
        if field is None:
            raise ConfigurationError(
                f"В amoCRM нет поля {self._key_field} в {kind.russian}: выполните kreslo setup"
            )
        return {"field_id": field.id, "values": [{"value": key}]}

    def _field(self, kind: Kind, code: str) -> Field:
        field = self._schema.field(kind.entity, code)
        if field is None:
            raise ConfigurationError(f"В amoCRM нет поля {code} в {kind.russian}: исправьте настройку")
        if field.definition.read_only:
            raise ConfigurationError(f"Поле {field.name} Kreslo записывать не умеет: исправьте настройку")
        return field

    def _place(self, stage: StageRef) -> dict[str, Any]:
        """Both, always: 142 and 143 stand in every pipeline."""
        return {"pipeline_id": int(stage.funnel), "status_id": int(stage.stage)}


def needs_seen(change: Change) -> bool:
    """Whether the card has to be read just before this change is written: what is written whole, what depends on where
    the card stands, whose task it is to be.
    """
    action = change.action
    if isinstance(action, AddTask):
        return not action.user
    if not isinstance(action, UpdateCard):
        return False
    named = {"PHONE", "EMAIL", "tags", "first_name", "last_name"} & action.fields.keys()
    return bool(action.multi or named or action.stage is not None or action.contacts is not None)


def values_of(change: Change) -> Iterable[tuple[str, Value]]:
    """Field codes that the change names, with their values."""
    action = change.action
    if isinstance(action, CreateCard):
        return tuple(action.fields.items())
    if isinstance(action, UpdateCard):
        return (*action.fields.items(), *((code, multi.add) for code, multi in action.multi.items()))
    return ()


def _links(deal: str, seen: Card | None, wanted: tuple[str, ...]) -> list[Step]:
    """The contacts that leave, then those that come. A contact that becomes the main one leaves first: whether a link
    that stands can be written again is not documented.
    """
    present = seen.contacts if seen else ()
    if wanted == present:
        return []
    leaving = [one for one in present if one not in wanted]
    if wanted and present and wanted[0] in present and present[0] != wanted[0]:
        leaving.append(wanted[0])
    staying = [one for one in present if one not in leaving]
    coming = [one for one in wanted if one not in staying]
    steps = []
    if leaving:
        steps.append(Step("POST", "leads/unlink", "", tuple(_link(deal, one) for one in leaving)))
    if coming:
        items = tuple({**_link(deal, one), "metadata": {"is_main": one == wanted[0]}} for one in coming)
        steps.append(Step("POST", "leads/link", "", items))
    return steps


def _link(deal: str, contact: str) -> dict[str, Any]:
    return {"entity_id": int(deal), "to_entity_id": int(contact), "to_entity_type": "contacts"}


def _custom(field: Field, values: list[dict[str, Any]] | None) -> dict[str, Any]:
    return {"custom_fields_values": [{"field_id": field.id, "values": values}]}


def _rows(field: Field, seen: Card | None) -> list[tuple[str, str]]:
    """Texts of a field's cells with the ids of their labels, as they stand."""
    prefix = f"{WIRE_ROW}{field.code}:"
    rows = [
        (name.removeprefix(prefix), text)
        for name, text in (seen.wire if seen else {}).items()
        if name.startswith(prefix)
    ]
    return [
        (text, place.partition(":")[2])
        for place, text in sorted(rows, key=lambda row: int(row[0].split(":")[0]))
    ]


def _held(field: Field, seen: Card | None) -> tuple[str, ...]:
    if field.code == "tags":
        return as_tuple(seen.fields.get("tags") if seen else None)
    return _texts(field, tuple(text for text, _ in _rows(field, seen)))


def _texts(field: Field, texts: tuple[str, ...]) -> tuple[str, ...]:
    if field.definition.type in LISTS:
        return contacts_of(field.definition.type, texts)
    return tuple(dict.fromkeys(one for text in texts if (one := clean(text))))


def _note(intent: str, action: AddNote) -> Step:
    kind = kind_of(action.entity)
    item = {
        "entity_id": _number(action.id),
        "note_type": "common",
        "params": {"text": _marked(action.text, action.marker)},
        "request_id": request_id(intent),
    }
    return Step("POST", f"{kind.path}/notes", "notes", (item,), again=False)


def _task(intent: str, action: AddTask, seen: Card | None) -> Step:
    kind = kind_of(action.entity)
    item: dict[str, Any] = {
        "entity_id": _number(action.id),
        "entity_type": kind.path,
        "task_type_id": _FOLLOW_UP,
        "text": _marked(action.text, action.marker),
        "complete_till": int(action.due_at.timestamp()),
        "request_id": request_id(intent),
    }
    if owner := action.user or (seen.wire.get(RESPONSIBLE, "") if seen else ""):
        item["responsible_user_id"] = int(owner)
    return Step("POST", "tasks", "tasks", (item,), again=False)


def _number(card: str) -> int:
    if not card.isdecimal():
        raise DataError(f"«{card}» — не номер карточки amoCRM")
    return int(card)


def _marked(text: str, marker: str) -> str:
    plain = clean(text)
    return plain if marker in plain else f"{plain}\n{marker}".strip()
