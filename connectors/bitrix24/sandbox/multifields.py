"""Writing phones, e-mails and the like: the legacy form (`PHONE: [{…}]`) and that of crm.item.* (`fm`)."""

from collections.abc import Callable
from typing import Any

import msgspec

from connectors.bitrix24.sandbox.cards import Card, MultiValue
from connectors.bitrix24.sandbox.errors import RestError
from connectors.bitrix24.sandbox.fields import MULTI_FIELDS
from kreslo.connectors.sandboxing import php


class MultiOp(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a request. `id` 0: a new value. `value` "": delete. `join`: a new value that equals a present one
    in type and spelling is taken for it.
    """

    type: str
    id: int = 0
    value: str = ""
    value_type: str = ""
    join: bool = False


def legacy_ops(kind: str, rows: Any, *, join: bool = True) -> list[MultiOp]:
    """`[{VALUE, VALUE_TYPE}]`, `[{ID, VALUE}]`, `[{ID, DELETE: "Y"}]`; a row with an ID alone deletes. `join`: see MultiOp."""
    ops = []
    for row in php.members(rows):
        if not isinstance(row, dict):
            continue
        row_id = php.integer(row.get("ID"))
        value = "" if php.text(row.get("DELETE")).upper() == "Y" else php.text(row.get("VALUE")).strip()
        if row_id or value:
            value_type = php.text(row.get("VALUE_TYPE"))
            ops.append(MultiOp(type=kind, id=row_id, value=value, value_type=value_type, join=join))
    return ops


def item_ops(rows: Any) -> list[MultiOp]:
    """`fm`: a list adds; a map with ids as keys changes, other keys add. Rows without `typeId` and rows that are texts
    are passed over in silence.
    """
    keyed = isinstance(rows, dict)
    ops = []
    for key, row in php.pairs(rows):
        if not isinstance(row, dict) or php.text(row.get("typeId")).upper() not in MULTI_FIELDS:
            continue
        row_id = php.integer(key) if keyed and key.isdecimal() else 0
        value = php.text(row.get("value")).strip()
        if row_id or value:
            kind = php.text(row.get("typeId")).upper()
            ops.append(MultiOp(type=kind, id=row_id, value=value, value_type=php.text(row.get("valueType"))))
    return ops


def check(ops: list[MultiOp]) -> None:
    """Raises RestError on an e-mail that is none."""
    for op in ops:
        if op.type == "EMAIL" and op.value and ("@" not in op.value.strip("@") or " " in op.value):
            raise RestError("ERROR_CORE", f"Поле «E-mail» содержит некорректный адрес: {op.value}")


def apply(card: Card, ops: list[MultiOp], new_id: Callable[[], int]) -> bool:
    """Change the card's values; the store's indexes are the caller's care. True where anything changed."""
    before = _signature(card)
    for op in ops:
        present = _present(card, op)
        if present is None:
            if op.value:
                card.multi.append(MultiValue(new_id(), op.type, op.value_type or "WORK", op.value))
        elif op.value:
            present.value = op.value
            present.value_type = op.value_type or present.value_type
        else:
            card.multi.remove(present)
    for kind in ("PHONE", "EMAIL"):
        if f"HAS_{kind}" in card.fields:
            card.fields[f"HAS_{kind}"] = "Y" if any(row.type == kind for row in card.multi) else "N"
    return before != _signature(card)


def _present(card: Card, op: MultiOp) -> MultiValue | None:
    for row in card.multi:
        if row.type != op.type:
            continue
        if op.id and row.id == op.id:
            return row
        if not op.id and op.join and row.value == op.value and row.value_type == (op.value_type or "WORK"):
            return row
    return None


def _signature(card: Card) -> list[tuple[int, str, str]]:
    return [(row.id, row.value_type, row.value) for row in card.multi]
