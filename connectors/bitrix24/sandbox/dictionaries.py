"""Funnels, stages and the other dictionaries of the portal, as a fresh Russian portal has them."""

from typing import Any

import msgspec

from connectors.bitrix24.sandbox.cards import Kind


class Status(msgspec.Struct, kw_only=True):
    """A row of a dictionary. `semantics`: "" in progress, S won, F lost; only stages have them."""

    id: int
    entity_id: str
    status_id: str
    name: str
    sort: int
    system: bool
    semantics: str = ""
    color: str = ""
    category_id: int | None = None

    @property
    def semantic(self) -> str:
        return self.semantics or "P"


class Category(msgspec.Struct, kw_only=True):
    id: int
    name: str
    sort: int
    is_default: bool = False


_DEAL_STAGES = (
    ("NEW", "Новая", ""),
    ("PREPARATION", "Подготовка документов", ""),
    ("PREPAYMENT_INVOICE", "Счёт на предоплату", ""),
    ("EXECUTING", "В работе", ""),
    ("FINAL_INVOICE", "Финальный счёт", ""),
    ("WON", "Сделка успешна", "S"),
    ("LOSE", "Сделка провалена", "F"),
    ("APOLOGY", "Анализ причины провала", "F"),
)
_LEAD_STAGES = (
    ("NEW", "Новый", ""),
    ("IN_PROCESS", "В работе", ""),
    ("PROCESSED", "Обработан", ""),
    ("JUNK", "Некачественный лид", "F"),
    ("CONVERTED", "Качественный лид", "S"),
)
_OTHERS = {
    "SOURCE": (
        ("CALL", "Звонок"),
        ("EMAIL", "Электронная почта"),
        ("WEB", "Веб-сайт"),
        ("ADVERTISING", "Реклама"),
        ("PARTNER", "Существующий клиент"),
        ("RECOMMENDATION", "По рекомендации"),
        ("TRADE_SHOW", "Выставка"),
        ("WEBFORM", "CRM-форма"),
        ("CALLBACK", "Обратный звонок"),
        ("RC_GENERATOR", "Генератор продаж"),
        ("STORE", "Интернет-магазин"),
        ("OTHER", "Другое"),
    ),
    "CONTACT_TYPE": (
        ("CLIENT", "Клиенты"),
        ("SUPPLIER", "Поставщики"),
        ("PARTNER", "Партнёры"),
        ("OTHER", "Другое"),
    ),
    "DEAL_TYPE": (("SALE", "Продажа"), ("COMPLEX", "Комплексная продажа"), ("SERVICE", "Услуга")),
    "HONORIFIC": (("HNR_RU_1", "г-н"), ("HNR_RU_2", "г-жа")),
}
_COLORS = {"": "#39A8EF", "S": "#7BD500", "F": "#FF5752"}


class Dictionaries:
    def __init__(self) -> None:
        self.categories: dict[int, Category] = {0: Category(id=0, name="Общая", sort=300, is_default=True)}
        self._rows: dict[int, Status] = {}
        self._by_code: dict[tuple[str, str], Status] = {}
        self._add_stages("STATUS", "", _LEAD_STAGES, None)
        self._add_stages("DEAL_STAGE", "", _DEAL_STAGES, None)
        for entity_id, rows in _OTHERS.items():
            for at, (code, name) in enumerate(rows):
                self.add(entity_id, code, name, sort=(at + 1) * 10, system=True)

    def _add_stages(
        self, entity_id: str, prefix: str, stages: tuple[tuple[str, str, str], ...], category_id: int | None
    ) -> None:
        for at, (code, name, semantics) in enumerate(stages):
            status = self.add(
                entity_id, prefix + code, name, sort=(at + 1) * 10, system=True, semantics=semantics
            )
            status.category_id = category_id

    def add(
        self,
        entity_id: str,
        code: str,
        name: str,
        *,
        sort: int,
        system: bool = False,
        semantics: str = "",
        color: str = "",
    ) -> Status:
        """A new row; `code` carries its funnel's prefix already."""
        staged = is_stage_entity(entity_id)
        status = Status(
            id=max(self._rows, default=0) + 1,
            entity_id=entity_id,
            status_id=code,
            name=name,
            sort=sort,
            system=system,
            semantics=semantics,
            color=color or (_COLORS[semantics] if staged else ""),
        )
        self._rows[status.id] = status
        self._by_code[entity_id, code] = status
        return status

    def remove(self, status: Status) -> None:
        del self._rows[status.id]
        del self._by_code[status.entity_id, status.status_id]

    def add_category(self, name: str, sort: int) -> Category:
        """A new deal funnel, with the default stages that the portal gives it."""
        category = Category(id=max(self.categories) + 1, name=name, sort=sort)
        self.categories[category.id] = category
        self._add_stages(f"DEAL_STAGE_{category.id}", f"C{category.id}:", _DEAL_STAGES, category.id)
        return category

    def rows(self, entity_id: str | None = None) -> list[Status]:
        """By sort, then by id."""
        chosen = [row for row in self._rows.values() if entity_id is None or row.entity_id == entity_id]
        return sorted(chosen, key=lambda row: (row.sort, row.id))

    def find(self, entity_id: str, code: str) -> Status | None:
        return self._by_code.get((entity_id, code))

    def stages(self, kind: Kind, category_id: int) -> list[Status]:
        return self.rows(stage_entity(kind, category_id))

    def stage(self, kind: Kind, category_id: int, code: str) -> Status | None:
        return self.find(stage_entity(kind, category_id), code)

    def stage_of(self, kind: Kind, fields: dict[str, Any]) -> Status | None:
        """The stage on which a card with these fields stands; contacts have none."""
        if kind is Kind.CONTACT:
            return None
        return self.stage(kind, fields.get("CATEGORY_ID") or 0, fields.get(kind.stage_field) or "")


def stage_entity(kind: Kind, category_id: int) -> str:
    """The dictionary that holds the stages: `STATUS`, `DEAL_STAGE`, `DEAL_STAGE_3`."""
    if kind is Kind.LEAD:
        return "STATUS"
    return f"DEAL_STAGE_{category_id}" if category_id else "DEAL_STAGE"


def stage_prefix(entity_id: str) -> str:
    """`DEAL_STAGE_3` → `C3:`, which the codes of its stages begin with."""
    category = entity_id.removeprefix("DEAL_STAGE_")
    return f"C{category}:" if category != entity_id and category.isdecimal() else ""


def is_stage_entity(entity_id: str) -> bool:
    return entity_id == "STATUS" or entity_id.startswith("DEAL_STAGE")
