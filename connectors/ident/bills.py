"""What orders and their lines say of an appointment: its amount, insurance and services."""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from connectors.ident.values import Row, flag, money, reference, text


class Bill(msgspec.Struct, frozen=True):
    amount: Decimal | None = None
    insurance_amount: Decimal | None = None
    insured: bool | None = None
    services: tuple[str, ...] = ()


NO_BILL = Bill()


def bills(orders: Iterable[Row], lines: Iterable[Row]) -> dict[str, Bill | ValueError]:
    """A bill an appointment id, or why its orders cannot be read. An order's amount is the journal's with discount;
    else the sum of its lines (count × price - discount); else the journal's without. What nobody knows is None, not
    zero.
    """
    lines_of: dict[str, list[Row]] = defaultdict(list)
    for line in lines:
        lines_of[reference(line["order_id"])].append(line)
    orders_of: dict[str, list[Row]] = defaultdict(list)
    for order in orders:
        orders_of[reference(order["appointment_id"])].append(order)
    return {appointment: _bill_or_why(own, lines_of) for appointment, own in orders_of.items()}


def _bill_or_why(orders: list[Row], lines_of: dict[str, list[Row]]) -> Bill | ValueError:
    try:
        return _bill(orders, lines_of)
    except ValueError as error:
        return ValueError(f"its orders: {error}")


def _bill(orders: list[Row], lines_of: dict[str, list[Row]]) -> Bill:
    amounts, insurance, insured, services = [], [], [], []
    for order in orders:
        lines = lines_of.get(reference(order["order_id"]), [])
        amount = money(order.get("amount_with_discount"))
        if amount is None:
            amount = _sum(_line(line) for line in lines)
        amounts.append(money(order.get("amount")) if amount is None else amount)
        insurance.append(money(order.get("insurance_amount")))
        insured.append(flag(order.get("has_insurance")))
        services += [name for line in lines if (name := text(line.get("service_name")))]
    known = [value for value in insured if value is not None]
    return Bill(
        amount=_sum(amounts),
        insurance_amount=_sum(insurance),
        insured=any(known) if known else None,
        services=tuple(dict.fromkeys(services)),
    )


def _line(line: Row) -> Decimal | None:
    count, price = line.get("service_count"), money(line.get("price"))
    if count is None or price is None:
        return None
    return money(Decimal(str(count)) * price - (money(line.get("discount")) or Decimal(0)))


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None
