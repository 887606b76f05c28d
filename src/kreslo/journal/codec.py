"""Payloads as JSON bytes and back, losing nothing.

msgspec cannot decode a union of several types that are all text in JSON (`Value`: str, Decimal, date, datetime), so a
field value that is not plain JSON is written with its type, `{"decimal": "1.50"}`, and structs that hold values are
decoded through a twin whose values are untyped. The twins are made from the structs themselves: a field that is
added there is stored here.
"""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from kreslo.connectors.model import (
    Action,
    AddNote,
    AddTask,
    Card,
    CreateCard,
    UpdateCard,
    Value,
)
from kreslo.decisions.case import Base
from kreslo.decisions.desired import CardRef, ReviewWish
from kreslo.merging.plan import Overwrite

_VALUES = dict[str, Value]


def _twin(cls: type[msgspec.Struct], swaps: dict[Any, Any]) -> type[msgspec.Struct]:
    fields: list[Any] = []
    for field in msgspec.structs.fields(cls):
        kind = swaps.get(field.type, field.type)
        if field.default is not msgspec.NODEFAULT:
            fields.append((field.name, kind, field.default))
        elif field.default_factory is not msgspec.NODEFAULT:
            fields.append((field.name, kind, msgspec.field(default_factory=field.default_factory)))
        else:
            fields.append((field.name, kind))
    return msgspec.defstruct(
        f"Stored{cls.__name__}", fields, kw_only=True, frozen=True, tag=cls.__struct_config__.tag
    )


_PLAIN: dict[Any, Any] = {_VALUES: dict[str, Any], Value: Any}
_Card = _twin(Card, _PLAIN)
_NESTED: dict[Any, Any] = {**_PLAIN, Card | None: _Card | None}
_TWINS: dict[type[msgspec.Struct], type[msgspec.Struct]] = {
    Card: _Card,
    Base: _twin(Base, _PLAIN),
    CreateCard: _twin(CreateCard, _NESTED),
    UpdateCard: _twin(UpdateCard, _NESTED),
    Overwrite: _twin(Overwrite, _PLAIN),
}
_REALS = {twin: real for real, twin in _TWINS.items()}
# Which fields of a struct hold values, and which hold a struct that does.
_HOLDERS: dict[type[msgspec.Struct], tuple[str, ...]] = {
    cls: tuple(f.name for f in msgspec.structs.fields(cls) if f.type == _VALUES) for cls in _TWINS
}

_StoredAction = _TWINS[CreateCard] | _TWINS[UpdateCard] | AddNote | AddTask
_StoredIntent = msgspec.defstruct(
    "StoredIntent",
    [
        ("action", _StoredAction),
        ("contacts", tuple[CardRef, ...] | None, None),
        ("after", _TWINS[Base] | None, None),
    ],
    kw_only=True,
    frozen=True,
)

_encoder = msgspec.json.Encoder(order="deterministic")
_base = msgspec.json.Decoder(_TWINS[Base])
_card = msgspec.json.Decoder(_Card)
_intent = msgspec.json.Decoder(_StoredIntent)
_overwrite = msgspec.json.Decoder(_TWINS[Overwrite])
_review = msgspec.json.Decoder(ReviewWish)


class IntentBody(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an intent that rests encrypted."""

    action: Action
    contacts: tuple[CardRef, ...] | None = None
    after: Base | None = None


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """Why a case was decided as it was, for `explain`."""

    rules: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()
    filtered: dict[str, str] = {}


_trace = msgspec.json.Decoder(Trace)


def pack_base(base: Base) -> bytes:
    return _encoder.encode(_store(base))


def unpack_base(data: bytes) -> Base:
    return _restore(_base.decode(data))  # type: ignore[no-any-return]


def pack_card(card: Card) -> bytes:
    return _encoder.encode(_store(card))


def unpack_card(data: bytes) -> Card:
    return _restore(_card.decode(data))  # type: ignore[no-any-return]


def pack_intent(body: IntentBody) -> bytes:
    return _encoder.encode(
        {
            "action": _store(body.action),
            "contacts": body.contacts,
            "after": None if body.after is None else _store(body.after),
        }
    )


def unpack_intent(data: bytes) -> IntentBody:
    stored: Any = _intent.decode(data)
    return IntentBody(
        action=_restore(stored.action),
        contacts=stored.contacts,
        after=None if stored.after is None else _restore(stored.after),
    )


def pack_overwrite(overwrite: Overwrite) -> bytes:
    tagged = msgspec.structs.replace(overwrite, theirs=_tag(overwrite.theirs), ours=_tag(overwrite.ours))
    return _encoder.encode(tagged)


def unpack_overwrite(data: bytes) -> Overwrite:
    stored: Any = _overwrite.decode(data)
    return Overwrite(
        card=stored.card, field=stored.field, theirs=_untag(stored.theirs), ours=_untag(stored.ours)
    )


def pack_review(wish: ReviewWish) -> bytes:
    return _encoder.encode(wish)


def unpack_review(data: bytes) -> ReviewWish:
    return _review.decode(data)


def pack_trace(trace: Trace) -> bytes:
    return _encoder.encode(trace)


def unpack_trace(data: bytes) -> Trace:
    return _trace.decode(data)


def action_identity(action: Action, contacts: tuple[CardRef, ...] | None) -> bytes:
    """What makes two planned actions the same: what they would write, not the card as it was seen then; a note or
    task is its marker.
    """
    if isinstance(action, AddNote | AddTask):
        return _encoder.encode((type(action).__name__, action.marker))
    if isinstance(action, UpdateCard):
        action = msgspec.structs.replace(action, seen=None)
    return _encoder.encode((_store(action), contacts))


def _store(struct: Any) -> Any:
    """The struct with its values tagged: still an instance of its own class, only to be encoded."""
    holders = _HOLDERS.get(type(struct))
    if holders is None:
        return struct
    changed: dict[str, Any] = {name: _tag_all(getattr(struct, name)) for name in holders}
    if isinstance(struct, UpdateCard) and struct.seen is not None:
        changed["seen"] = _store(struct.seen)
    return msgspec.structs.replace(struct, **changed)


def _restore(stored: Any) -> Any:
    real = _REALS.get(type(stored))
    if real is None:
        return stored
    values = {name: getattr(stored, name) for name in stored.__struct_fields__}
    for name in _HOLDERS[real]:
        values[name] = {code: _untag(value) for code, value in values[name].items()}
    if real is UpdateCard and values["seen"] is not None:
        values["seen"] = _restore(values["seen"])
    return real(**values)


def _tag_all(values: dict[str, Value]) -> dict[str, Any]:
    return {code: _tag(value) for code, value in values.items()}


def _tag(value: Value) -> Any:
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, datetime):  # before date: a datetime is one
        return {"datetime": value.isoformat()}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    return value


_UNTAG: dict[str, Callable[[str], Value]] = {
    "decimal": Decimal,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
}


def _untag(value: Any) -> Value:
    if isinstance(value, dict):
        [(kind, text)] = value.items()
        return _UNTAG[kind](text)
    if isinstance(value, list):
        return tuple(value)
    return value  # type: ignore[no-any-return]
