"""From a change to the calls that make it, in their order.

Everything that can stand in one call does: a card is created with its key, its contacts and its stage at once, so
that there is no half-made card. An update takes up to four steps, sent one after another and only while they
succeed: contacts, the product row where one is wanted, then fields (with the stage, inside a funnel), then the move to
another funnel. The stage comes
last because robots start on it, and they must find the right contact and the right fields.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from connectors.bitrix24.cards import WIRE_ROW
from connectors.bitrix24.entities import Kind, kind_of
from connectors.bitrix24.fields import Field, encode
from connectors.bitrix24.options import Bitrix24Options
from connectors.bitrix24.schema import Schema
from connectors.bitrix24.wire import Call, rows
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
    StageRef,
    UpdateCard,
    Value,
)
from kreslo.connectors.values import as_tuple, clean, contacts_of

_ROW_TYPE = "WORK"  # the portal's own default
_SUBJECT = 250

_ROWS = (FieldType.PHONE, FieldType.EMAIL)


BUNDLE_METHOD = "crm.item.batchImport"


class Bundled(msgspec.Struct, frozen=True):
    """A card as one of several in crm.item.batchImport: its fields, and the parameters that all must have in common."""

    fields: dict[str, Any]
    shared: dict[str, Any]


class Step(msgspec.Struct, frozen=True):
    """One call. `made`: the id of what it made, of its result. `missed`: what of it the portal did not do, in words,
    although it said yes. `check`: a read sent behind the call in the same request, whose result `missed` judges then.
    `spare`: another method that does the same, with working time of its own. `bundle`: the same as part of a bundle.
    """

    call: Call
    check: Call | None = None
    spare: Call | None = None
    bundle: Bundled | None = None
    made: Callable[[Any], str] = lambda _: ""
    missed: Callable[[Any], str] = lambda _: ""


class Writer:
    """Turns changes into steps against one schema. `responsible`: the responsible users of cards that tasks stand on."""

    def __init__(
        self, schema: Schema, options: Bitrix24Options, responsible: dict[tuple[Entity, str], str]
    ) -> None:
        self._schema = schema
        self._key_field = options.key_field
        self._product_row = options.product_row
        self._responsible = responsible

    def steps(self, change: Change, seen: Card | None) -> list[Step]:
        """Raises DataError for a change that cannot be written as it is, ConfigurationError for a portal that lacks
        what it needs.
        """
        match change.action:
            case CreateCard() as action:
                return [self._create(action)]
            case UpdateCard() as action:
                return self._update(action, seen)
            case AddNote() as action:
                return [self._note(action)]
            case AddTask() as action:
                return [self._task(action)]

    # --- create -----------------------------------------------------------------------------------------------

    def _create(self, action: CreateCard) -> Step:
        kind = kind_of(action.entity)
        fields = {code: value for code, value in action.fields.items() if value not in (None, "", ())}
        if kind.entity is Entity.DEAL and (action.lead or action.quiet):
            return self._create_item(action, fields)
        body = self._legacy(kind, fields) | self._key(kind, action.key)
        if action.stage is not None:
            body |= _stage(kind, action.stage)
        if action.contacts and kind.stage_code:
            body["CONTACT_IDS"] = list(action.contacts)
        params: dict[str, Any] = {"fields": body}
        if action.quiet:  # contacts and leads: the portal's own import starts no robots
            params["params"] = {"IMPORT": "Y"}
        spare = self._create_item(action, fields).call if kind.entity is Entity.DEAL else None
        return Step(Call(kind.method("add"), params), made=_made_id, spare=spare)

    def _create_item(self, action: CreateCard, fields: Mapping[str, Value]) -> Step:
        """A deal with its lead (`LEAD_ID` of crm.deal.add is read-only), or one made without starting robots."""
        kind = kind_of(action.entity)
        body = self._items(kind, fields) | self._item_key(kind, action.key)
        if action.stage is not None:
            body |= {"categoryId": action.stage.funnel, "stageId": action.stage.stage}
        if action.contacts:
            body["contactIds"] = list(action.contacts)
        if action.lead:
            body["leadId"] = action.lead
        params = _item_params(kind, body)
        call = Call("crm.item.import" if action.quiet else "crm.item.add", params)
        shared = {name: value for name, value in params.items() if name != "fields"}
        bundle = Bundled(body, shared) if action.quiet and not call.solo else None
        return Step(call, made=_item_id, bundle=bundle)

    # --- update -----------------------------------------------------------------------------------------------

    def _update(self, action: UpdateCard, seen: Card | None) -> list[Step]:
        kind = kind_of(action.entity)
        steps = []
        if action.contacts is not None and kind.stage_code:
            steps.append(Step(_contacts_call(kind, action.id, action.contacts)))
        body = self._legacy(
            kind, {code: value for code, value in action.fields.items() if not self._is_rows(kind, code)}
        )
        if self._product_row and kind.entity is Entity.DEAL and "OPPORTUNITY" in body:
            steps.append(Step(_product_call(action.id, self._product_row, body["OPPORTUNITY"])))
        body |= self._key(kind, action.key) if action.key else {}
        for code, value in action.fields.items():
            if self._is_rows(kind, code):
                body |= self._rows(
                    kind, code, _whole(self._field(kind, code), value, _seen(seen)), _seen(seen)
                )
        for code, multi in action.multi.items():
            body |= self._rows(kind, code, multi, _seen(seen))
        moves = (
            action.stage is not None and kind.entity is Entity.DEAL and not _same_funnel(action.stage, seen)
        )
        if action.stage is not None and not moves:
            body |= {kind.stage_code: _stage(kind, action.stage)[kind.stage_code]}
        if body:
            call = Call(kind.method("update"), {"id": action.id, "fields": body})
            placed = action.stage if not moves else None
            steps.append(_checked(kind, action.id, call, placed) if placed else Step(call))
        last: dict[str, str] = {}
        if moves and action.stage is not None:
            last |= {"categoryId": action.stage.funnel, "stageId": action.stage.stage}
        if action.lead and kind.entity is Entity.DEAL:
            last["leadId"] = action.lead
        if last:
            call = Call("crm.item.update", {"entityTypeId": kind.type_id, "id": action.id, "fields": last})
            steps.append(Step(call, missed=lambda result: _missed(result, last)))
        return steps

    # --- notes and tasks ----------------------------------------------------------------------------------------

    def _note(self, action: AddNote) -> Step:
        kind = kind_of(action.entity)
        fields = {
            "ENTITY_ID": action.id,
            "ENTITY_TYPE": kind.word,
            "COMMENT": _marked(action.text, action.marker),
        }
        return Step(Call("crm.timeline.comment.add", {"fields": fields}), made=_plain_id)

    def _task(self, action: AddTask) -> Step:
        kind = kind_of(action.entity)
        user = action.user or self._responsible.get((action.entity, action.id), "")
        if not user:
            raise DataError(f"Карточки {kind.word} {action.id} в портале нет: поручить задачу некому")
        lines = clean(action.text).splitlines() or ["Задача"]
        params = {
            "ownerTypeId": kind.type_id,
            "ownerId": action.id,
            "deadline": action.due_at.isoformat(timespec="seconds"),
            "title": lines[0][:_SUBJECT],
            "description": _marked(action.text, action.marker),
            "responsibleId": user,
        }
        return Step(Call("crm.activity.todo.add", params), made=_plain_id)

    # --- bodies ---------------------------------------------------------------------------------------------------

    def _legacy(self, kind: Kind, values: Mapping[str, Value]) -> dict[str, Any]:
        body: dict[str, Any] = {}
        for code, value in values.items():
            field = self._field(kind, code)
            if field.definition.type in _ROWS:
                body |= self._rows(
                    kind, code, MultiChange(add=contacts_of(field.definition.type, as_tuple(value))), {}
                )
            else:
                body[code] = encode(field, value, currency=self._schema.currency)
        if "OPPORTUNITY" in body:
            body["IS_MANUAL_OPPORTUNITY"] = "Y"  # otherwise product rows overwrite the amount
        return body

    def _items(self, kind: Kind, values: Mapping[str, Value]) -> dict[str, Any]:
        body: dict[str, Any] = {}
        for code, value in values.items():
            field = self._field(kind, code)
            body[field.item_name] = encode(field, value, currency=self._schema.currency, item=True)
        if "OPPORTUNITY" in values:
            body["isManualOpportunity"] = "Y"
        return body

    def _key(self, kind: Kind, key: str) -> dict[str, str]:
        if kind.entity not in self._schema.catalog.key_fields:
            # The portal would drop the key without a word, and the card could never be found again.
            raise ConfigurationError(f"В портале нет поля {self._key_field}: выполните kreslo setup")
        return {self._key_field: key}

    def _item_key(self, kind: Kind, key: str) -> dict[str, str]:
        return {self._field(kind, code).item_name: one for code, one in self._key(kind, key).items()}

    def _is_rows(self, kind: Kind, code: str) -> bool:
        return self._field(kind, code).definition.type in _ROWS

    def _field(self, kind: Kind, code: str) -> Field:
        field = self._schema.field(kind.entity, code)
        if field is None:  # the portal would drop it without a word
            raise ConfigurationError(
                f"В портале нет поля {code} у карточек «{kind.word}»: исправьте настройку"
            )
        if field.definition.read_only and code != self._key_field:
            raise ConfigurationError(f"Поле {field.name} портал не даёт записывать: исправьте настройку")
        return field

    def _rows(self, kind: Kind, code: str, multi: MultiChange, present: dict[str, str]) -> dict[str, Any]:
        """Rows of a multi-field. `present`: as in `Card.wire`. What is there already is not added again, in whichever
        spelling: the portal itself compares spellings only.
        """
        field = self._field(kind, code)
        if field.definition.type not in _ROWS:
            raise DataError(f"Поле {field.name} не хранит списка телефонов или адресов")
        prefix = f"{WIRE_ROW}{code}:"
        held = {
            name.removeprefix(prefix): one
            for name, text in present.items()
            if name.startswith(prefix)
            for one in contacts_of(field.definition.type, (text,))
        }
        removed = set(contacts_of(field.definition.type, multi.remove))
        gone = [{"ID": row, "DELETE": "Y"} for row, one in held.items() if one in removed]
        added = [
            {"VALUE": one, "VALUE_TYPE": _ROW_TYPE}
            for one in contacts_of(field.definition.type, multi.add)
            if one not in held.values() or one in removed
        ]
        return {code: [*gone, *added]} if gone or added else {}


def needs_seen(change: Change) -> bool:
    """Whether the card has to be read before this change can be written: its funnel, or its rows of phones."""
    action = change.action
    if not isinstance(action, UpdateCard) or action.seen is not None:
        return False
    rows = bool(action.multi) or not {"PHONE", "EMAIL"}.isdisjoint(action.fields)
    return rows or (action.stage is not None and action.entity is Entity.DEAL)


def values_of(change: Change) -> Iterable[tuple[str, Value]]:
    """Field codes that the change names, with their values."""
    action = change.action
    if isinstance(action, CreateCard):
        return tuple(action.fields.items())
    if isinstance(action, UpdateCard):
        return (*action.fields.items(), *((code, multi.add) for code, multi in action.multi.items()))
    return ()


def _whole(field: Field, value: Value, present: dict[str, str]) -> MultiChange:
    """The change that leaves exactly `value`."""
    prefix = f"{WIRE_ROW}{field.code}:"
    wanted = contacts_of(field.definition.type, as_tuple(value))
    held = contacts_of(
        field.definition.type, tuple(text for name, text in present.items() if name.startswith(prefix))
    )
    return MultiChange(add=wanted, remove=tuple(one for one in held if one not in wanted))


def _seen(seen: Card | None) -> dict[str, str]:
    return seen.wire if seen is not None else {}


def _same_funnel(stage: StageRef, seen: Card | None) -> bool:
    return seen is not None and seen.stage is not None and seen.stage.funnel == stage.funnel


def _stage(kind: Kind, stage: StageRef) -> dict[str, str]:
    if not kind.stage_code:
        raise DataError(f"У карточек «{kind.word}» нет стадий")
    funnel = {"CATEGORY_ID": stage.funnel} if kind.entity is Entity.DEAL else {}
    return {**funnel, kind.stage_code: stage.stage}


def _checked(kind: Kind, card: str, call: Call, stage: StageRef) -> Step:
    """A legacy update says yes to a stage that the card's funnel does not have, and leaves the card where it was."""
    check = Call(
        kind.method("list"), {"filter": {"@ID": [card]}, "select": ["ID", kind.stage_code], "start": -1}
    )

    def missed(result: Any) -> str:
        found = next((row for row in rows(result) if str(row.get("ID")) == card), None)
        if found is None or str(found.get(kind.stage_code)) == stage.stage:
            return ""
        return (
            f"Портал не перевёл карточку на стадию {stage.stage}: её нет в воронке, где карточка стоит теперь"
        )

    return Step(call, check, missed=missed)


def _contacts_call(kind: Kind, card: str, contacts: tuple[str, ...]) -> Call:
    if not contacts:  # an empty list leaves no trace in a query
        return Call(kind.method("contact.items.delete"), {"id": card})
    items = [
        {"CONTACT_ID": contact, "SORT": (at + 1) * 10, "IS_PRIMARY": "Y" if at == 0 else "N"}
        for at, contact in enumerate(contacts)
    ]
    return Call(kind.method("contact.items.set"), {"id": card, "items": items})


def _product_call(card: str, name: str, amount: str) -> Call:
    """All rows of the deal are replaced. An empty list leaves no trace in a query, so no amount is a row of nothing."""
    row = {"productName": name, "price": amount, "quantity": 1}
    params = {"ownerType": "D", "ownerId": card, "productRows": [row]}
    return Call("crm.item.productrow.set", params)


def _item_params(kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
    params: dict[str, Any] = {"entityTypeId": kind.type_id, "fields": body}
    if any(name.startswith("UF_") for name in body):
        params["useOriginalUfNames"] = "Y"
    return params


def _marked(text: str, marker: str) -> str:
    plain = clean(text)
    return plain if marker in plain else f"{plain}\n{marker}".strip()


def _plain_id(result: Any) -> str:
    found = result.get("id") if isinstance(result, dict) else result
    return (
        str(found)
        if isinstance(found, int | str) and not isinstance(found, bool) and str(found).isdecimal()
        else ""
    )


def _made_id(result: Any) -> str:
    """Of crm.deal.add, or of its spare crm.item.add."""
    return _plain_id(result) or _item_id(result)


def _item_id(result: Any) -> str:
    return _plain_id(result.get("item")) if isinstance(result, dict) else ""


def _missed(result: Any, wanted: dict[str, str]) -> str:
    """What crm.item.update gives back is the item as it now is."""
    item = result.get("item") if isinstance(result, dict) else None
    if not isinstance(item, dict):
        return ""
    wrong = [name for name, value in wanted.items() if name in item and str(item[name]) != value]
    return f"Портал ответил «да», но не записал: {', '.join(wrong)}" if wrong else ""
