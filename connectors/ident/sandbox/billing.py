"""What a finished visit leaves in the tables of money: work orders, their lines, the journal, payments."""

from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from connectors.ident.sandbox.visits import Visit

Row = tuple[Any, ...]

SERVICES = (
    ("Консультация первичная", 500), ("Консультация повторная", 300), ("Осмотр ортодонта", 700),
    ("Снимок прицельный", 450), ("Ортопантомограмма", 1200), ("Компьютерная томография", 3200),
    ("Анестезия инфильтрационная", 600), ("Анестезия проводниковая", 750), ("Лечение кариеса, одна поверхность", 4300),
    ("Лечение кариеса, две поверхности", 5400), ("Лечение пульпита, один канал", 8900),
    ("Лечение пульпита, три канала", 14800), ("Временная пломба", 900), ("Художественная реставрация", 9800),
    ("Профессиональная гигиена", 5200), ("Гигиена детская", 2900), ("Герметизация фиссуры", 1900),
    ("Лечение молочного зуба", 3300), ("Удаление молочного зуба", 1500), ("Удаление зуба простое", 3400),
    ("Удаление зуба сложное", 6900), ("Удаление зуба мудрости", 9500), ("Снятие швов", 400),
    ("Установка импланта", 38000), ("Формирователь десны", 5500), ("Синус-лифтинг", 32000),
    ("Коронка металлокерамическая", 14500), ("Коронка из диоксида циркония", 26500), ("Вкладка керамическая", 19800),
    ("Слепок", 1400), ("Сканирование челюстей", 2600), ("Примерка", 0), ("Установка брекет-системы, челюсть", 34000),
    ("Активация брекет-системы", 3200), ("Ретейнер", 8600), ("Кюретаж закрытый", 2100), ("Шинирование", 4700),
    ("Отбеливание", 18500), ("Контрольный осмотр", 0), ("Перевязка", 650),
)  # fmt: skip

_WEIGHTS = [1 / (1 + price / 4000) for _, price in SERVICES]
ZERO = 100
"""ServiceItemPrices: service n costs its price in row n, and nothing (an insurer's list) in row ZERO + n."""


def price_rows() -> list[Row]:
    """Rows of ServiceItemPrices."""
    plain = [(number, number, price) for number, (_, price) in enumerate(SERVICES, 1)]
    return plain + [(ZERO + number, number, 0) for number, _, _ in plain]


@dataclass(slots=True)
class Ledger:
    orders: list[Row] = field(default_factory=list)
    lines: list[Row] = field(default_factory=list)
    journal: list[Row] = field(default_factory=list)
    payments: list[Row] = field(default_factory=list)


def settle(chance: Random, visits: list[Visit]) -> Ledger:
    """Orders of all finished visits; in some 5 % a visit has two, so a plain join would count it twice."""
    ledger = Ledger()
    for visit in visits:
        if visit.ended is not None and visit.patient is not None:
            for _ in range(2 if chance.random() < 0.05 else 1):
                _order(chance, ledger, visit)
    return ledger


def _order(chance: Random, ledger: Ledger, visit: Visit) -> None:
    if visit.patient is None or visit.ended is None:
        raise ValueError("only a finished visit of a patient has an order")
    order = len(ledger.orders) + 1
    insured = visit.patient.insured
    patient = visit.patient.person.id
    total = discounts = 0
    for item in chance.choices(range(len(SERVICES)), _WEIGHTS, k=chance.choice((1, 1, 2, 2, 3))):
        price = 0 if insured == "silent" else SERVICES[item][1]
        count = 2 if chance.random() < 0.06 else 1
        discount = price * count // 10 if price and not insured and chance.random() < 0.12 else 0
        price_row = item + 1 + (ZERO if insured == "silent" else 0)
        ledger.lines.append((len(ledger.lines) + 1, order, price_row, count, discount))
        total += price * count
        discounts += discount
    due = total - discounts
    covered = due if insured == "flag" else 0
    billed = str(visit.billed) if visit.billed else None
    ledger.orders.append((order, visit.id, visit.branch, str(visit.ended), billed))
    own = due - covered
    debt = own if own > 20_000 and chance.random() < 0.1 else 0
    ledger.journal.append(
        (
            order, billed, patient, visit.doctor, int(billed is not None), 0, total, due, 0,
            covered, 0, covered, 0, int(insured == "flag"), 0, debt,
        )
    )  # fmt: skip
    if visit.billed and own > debt:
        paid = visit.billed + timedelta(seconds=chance.randint(20, 400))
        ledger.payments.append(
            (
                len(ledger.payments) + 1, str(paid), str(paid.date()), own - debt, patient, visit.branch,
                visit.branch, None, visit.registrar,
            )
        )  # fmt: skip
