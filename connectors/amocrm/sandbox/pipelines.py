"""Pipelines, their statuses, and loss reasons."""

import msgspec

from connectors.amocrm.sandbox.cards import LOST, WON

UNSORTED = "Неразобранное"
_COLORS = ("#99ccff", "#ffff99", "#ffcc66", "#ffcccc", "#ccff66", "#c1e0ff", "#f9deff")


class Status(msgspec.Struct, kw_only=True):
    """`type` 1: the unsorted one, which leads enter by themselves and leave by being accepted."""

    id: int
    name: str
    sort: int
    color: str
    type: int = 0

    @property
    def editable(self) -> bool:
        return self.type == 0 and self.id not in {WON, LOST}


class Pipeline(msgspec.Struct, kw_only=True):
    id: int
    name: str
    sort: int
    is_main: bool = False
    is_unsorted_on: bool = True
    statuses: dict[int, Status] = {}

    def in_order(self) -> list[Status]:
        return sorted(self.statuses.values(), key=lambda status: (status.sort, status.id))

    def first(self) -> Status:
        """Where a lead without a status goes."""
        return next(status for status in self.in_order() if status.type == 0)

    def named(self, name: str) -> Status | None:
        return next((status for status in self.in_order() if status.name == name), None)


class LossReason(msgspec.Struct, kw_only=True):
    id: int
    name: str
    sort: int
    created_at: int
    updated_at: int


class Pipelines:
    """A new account's: one pipeline, «Лиды»."""

    def __init__(self, now: int) -> None:
        self.all: dict[int, Pipeline] = {}
        self.reasons: dict[int, LossReason] = {}
        self._next_pipeline = 7_100_000
        self._next_status = 58_200_000
        self._next_reason = 4_100_000
        leads = self.add("Лиды", is_main=True)
        for name in ("Новый", "Квалификация", "Записан на консультацию"):
            self.add_status(leads, name)
        for name in ("Дорого", "Не дозвонились", "Передумал", "Лечится в другой клинике"):
            self.add_reason(name, now)

    @property
    def main(self) -> Pipeline:
        return next(pipeline for pipeline in self.all.values() if pipeline.is_main)

    def add(
        self, name: str, *, sort: int | None = None, is_main: bool = False, is_unsorted_on: bool = True
    ) -> Pipeline:
        """With the three statuses that every pipeline has by itself."""
        self._next_pipeline += 4
        if is_main:
            for other in self.all.values():
                other.is_main = False
        last = max((pipeline.sort for pipeline in self.all.values()), default=0)
        pipeline = Pipeline(
            id=self._next_pipeline,
            name=name,
            sort=last + 1 if sort is None else sort,
            is_main=is_main,
            is_unsorted_on=is_unsorted_on,
        )
        pipeline.statuses = {
            status.id: status
            for status in (
                Status(id=self._status_id(), name=UNSORTED, sort=10, color="#c1c1c1", type=1),
                Status(id=WON, name="Успешно реализовано", sort=10_000, color="#CCFF66"),
                Status(id=LOST, name="Закрыто и не реализовано", sort=11_000, color="#D5D8DB"),
            )
        }
        self.all[pipeline.id] = pipeline
        return pipeline

    def add_status(
        self, pipeline: Pipeline, name: str, *, sort: int | None = None, color: str | None = None
    ) -> Status:
        open_ones = [status.sort for status in pipeline.statuses.values() if status.id not in {WON, LOST}]
        status = Status(
            id=self._status_id(),
            name=name,
            sort=max(open_ones) + 10 if sort is None else sort,
            color=color or _COLORS[len(pipeline.statuses) % len(_COLORS)],
        )
        pipeline.statuses[status.id] = status
        return status

    def add_reason(self, name: str, now: int, *, sort: int | None = None) -> LossReason:
        self._next_reason += 3
        sort = (len(self.reasons) + 1) * 100 if sort is None else sort
        reason = LossReason(id=self._next_reason, name=name, sort=sort, created_at=now, updated_at=now)
        self.reasons[reason.id] = reason
        return reason

    def _status_id(self) -> int:
        self._next_status += 4
        return self._next_status
