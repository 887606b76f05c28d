"""Product rows of deals and leads, and the amount that the portal makes of them."""

from decimal import Decimal
from typing import Any

from connectors.bitrix24.sandbox.cards import Kind
from connectors.bitrix24.sandbox.errors import RestError, crm_error
from kreslo.connectors.sandboxing import php

OWNERS = {"D": Kind.DEAL, "L": Kind.LEAD}

# camel name of crm.item.productrow.*, name of crm.deal.productrows.*, what stands where nothing was sent
_COLUMNS: tuple[tuple[str, str, Any], ...] = (
    ("productId", "PRODUCT_ID", 0),
    ("productName", "PRODUCT_NAME", ""),
    ("price", "PRICE", Decimal(0)),
    ("quantity", "QUANTITY", Decimal(1)),
    ("discountTypeId", "DISCOUNT_TYPE_ID", 2),
    ("discountRate", "DISCOUNT_RATE", Decimal(0)),
    ("discountSum", "DISCOUNT_SUM", Decimal(0)),
    ("taxRate", "TAX_RATE", None),
    ("taxIncluded", "TAX_INCLUDED", "N"),
    ("measureCode", "MEASURE_CODE", 796),
    ("sort", "SORT", 0),
)

Row = dict[str, Any]


def row_of(sent: Any, *, legacy: bool) -> Row:
    """A row by its camel names. Raises RestError on what is no number."""
    if not isinstance(sent, dict):
        raise crm_error("The parameter rows must be array.") if legacy else RestError("100", "Invalid row")
    row: Row = {}
    for camel, upper, default in _COLUMNS:
        raw = sent.get(upper if legacy else camel)
        row[camel] = default if raw is None or raw == "" else _typed(raw, default)
    if not row["productId"] and not row["productName"]:
        raise RestError("CRM_FIELD_ERROR_REQUIRED", "Обязательное поле «Название товара» не заполнено")
    return row


def _typed(raw: Any, default: Any) -> Any:
    if isinstance(default, str):
        return php.text(raw)
    if isinstance(default, Decimal) or default is None:
        return Decimal(str(php.number(raw)))
    return php.integer(raw)


def total_of(rows: list[Row]) -> Decimal:
    """What the rows come to: price after the discount, as the portal keeps it, by quantity."""
    return sum((row["price"] * row["quantity"] for row in rows), Decimal(0))


def shown(row: Row, owner: str, owner_id: int) -> Row:
    """As crm.item.productrow.* shows it."""
    values = {name: _plain(value) for name, value in row.items()}
    return {"id": row["id"], "ownerId": owner_id, "ownerType": owner, **values}


def shown_legacy(row: Row, owner: str, owner_id: int) -> Row:
    """As crm.deal.productrows.get shows it: texts."""
    values = {upper: None if row[camel] is None else str(_plain(row[camel])) for camel, upper, _ in _COLUMNS}
    return {"ID": str(row["id"]), "OWNER_ID": str(owner_id), "OWNER_TYPE": owner, **values}


def _plain(value: Any) -> Any:
    if not isinstance(value, Decimal):
        return value
    return int(value) if value == value.to_integral_value() else float(value)
