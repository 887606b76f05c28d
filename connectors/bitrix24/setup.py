"""Making what a mapping needs in the portal: funnels, stages, lead statuses, user fields, key fields.

Nothing that is there is changed, but for the order of final stages where new open ones must stand before them: the
portal takes an open stage behind the winning one for a lost one. Everything is looked up before it is made, so that
setup can be run again after any failure.
"""

import zlib
from collections.abc import Iterator
from typing import Any

import msgspec

from connectors.bitrix24.client import Client, accepted
from connectors.bitrix24.entities import KINDS, LEAD_FUNNEL, Kind, kind_of
from connectors.bitrix24.options import Bitrix24Options
from connectors.bitrix24.schema import Schema, semantic_of, stage_dictionary
from connectors.bitrix24.wire import Call
from kreslo.connectors.errors import ConfigurationError
from kreslo.connectors.model import Entity, FieldType, Funnel, Needed, NeededField, NeededStage, Semantic

_USER_TYPES = {
    FieldType.TEXT: "string",
    FieldType.NUMBER: "double",
    FieldType.MONEY: "money",
    FieldType.BOOLEAN: "boolean",
    FieldType.DATE: "date",
    FieldType.DATETIME: "datetime",
    FieldType.ENUM: "enumeration",
    FieldType.PHONE: "string",
    FieldType.EMAIL: "string",
}
_WHERE = {Entity.CONTACT: "контактах", Entity.DEAL: "сделках", Entity.LEAD: "лидах"}
_SEMANTIC_CODES = {Semantic.WON: "S", Semantic.LOST: "F"}
_COLORS = {Semantic.OPEN: "#2FC6F6", Semantic.WON: "#7BD500", Semantic.LOST: "#FF5752"}
_STEP = 10
_LAST = 1000
_BATCH = 50
KEY_TITLE = "Ключ Kreslo"
PHONE_TITLE = "Телефон обращения"
NO_LEADS = (
    "Портал работает без лидов (простая CRM): созданный лид сразу стал бы сделкой с новым контактом. Обращения "
    "ведите сделками: в настройке вместо leads укажите воронку и её стадии"
)


class Setup:
    """One run. `lines`: what was made (or, in a dry run, would be), for a person."""

    def __init__(self, client: Client, schema: Schema, options: Bitrix24Options, *, dry_run: bool) -> None:
        self._client = client
        self._schema = schema
        self._key_field = options.key_field
        self._phone_field = options.phone_field
        self._has_leads = any(funnel.entity is Entity.LEAD for funnel in schema.catalog.funnels)
        self._dry_run = dry_run
        self.lines: list[str] = []
        self._made: set[tuple[Entity, str]] = set()
        self._queue: list[Call] = []

    async def run(self, needed: Needed) -> None:
        """Raises what the client raises, UnknownOutcomeError too: run it again."""
        for kind in KINDS:
            self._field(NeededField(kind.entity, KEY_TITLE, FieldType.TEXT, self._key_field))
        if not self._has_leads:
            self._field(NeededField(Entity.DEAL, PHONE_TITLE, FieldType.TEXT, self._phone_field))
        for field in needed.fields:
            self._field(field)
        groups: dict[tuple[Entity, str], list[NeededStage]] = {}
        for stage in needed.stages:
            funnel = stage.funnel or (LEAD_FUNNEL if stage.entity is Entity.LEAD else "")
            known = groups.setdefault((stage.entity, funnel), [])
            if _folded(stage.stage) not in {_folded(one.stage) for one in known}:
                known.append(msgspec.structs.replace(stage, funnel=funnel))
        for (entity, funnel), stages in groups.items():
            await self._funnel(entity, funnel, stages)
        await self._send()

    def _later(self, line: str, call: Call) -> None:
        """What nothing else waits for goes in one batch at the end."""
        self.lines.append(line)
        self._queue.append(call)

    async def _send(self) -> None:
        if self._dry_run or not self._queue:
            return
        for calls in _batched(self._queue):
            for call, reply in zip(calls, await self._client.tell(calls), strict=True):
                accepted(reply, call.method)
        self._queue.clear()

    async def _make(self, line: str, call: Call) -> Any:
        self.lines.append(line)
        if self._dry_run:
            return None
        (reply,) = await self._client.tell([call])
        return accepted(reply, call.method).result

    # --- fields -----------------------------------------------------------------------------------------------

    def _field(self, needed: NeededField) -> None:
        kind = kind_of(needed.entity)
        code = needed.code or user_code(needed.title)
        known = self._schema.fields[kind.entity]
        titles = {_folded(field.definition.title) for field in known.values()}
        if code in known or (not needed.code and _folded(needed.title) in titles):
            return
        if (kind.entity, code) in self._made:  # needed twice
            return
        self._made.add((kind.entity, code))
        if needed.type not in _USER_TYPES:
            raise ConfigurationError(
                f"Поле «{needed.title}» вида {needed.type} создаётся в портале только вручную"
            )
        label = {"ru": needed.title, "en": needed.title}
        fields = {
            "FIELD_NAME": code,
            "USER_TYPE_ID": _USER_TYPES[needed.type],
            "LABEL": needed.title,
            "EDIT_FORM_LABEL": label,
            "LIST_COLUMN_LABEL": label,
            "LIST_FILTER_LABEL": label,
            "MULTIPLE": "N",
            "MANDATORY": "N",
            "SHOW_FILTER": "E",
        }
        line = f"Поле «{needed.title}» в {_WHERE[kind.entity]} ({code})"
        if needed.type is FieldType.ENUM:
            line += ": список пуст, добавьте варианты в портале"
        self._later(line, Call(kind.method("userfield.add"), {"fields": fields}))

    # --- funnels and stages -----------------------------------------------------------------------------------

    async def _funnel(self, entity: Entity, name: str, stages: list[NeededStage]) -> None:
        kind = kind_of(entity)
        if not kind.stage_code:
            raise ConfigurationError(f"У карточек «{kind.word}» нет воронок")
        funnel = self._known(kind, name)
        if funnel is not None:
            dictionary = "STATUS" if entity is Entity.LEAD else stage_dictionary(funnel.id)
            self._stages(name, dictionary, self._schema.statuses.get(dictionary, []), stages)
            return
        if entity is Entity.LEAD and not self._has_leads:
            raise ConfigurationError(NO_LEADS)
        if entity is Entity.LEAD:
            raise ConfigurationError(f"У лидов в Битрикс24 одна воронка «{LEAD_FUNNEL}», а не «{name}»")
        sort = 100 * (len(self._schema.catalog.funnels) + 1)
        fields = {"name": name, "sort": sort, "isDefault": "N"}
        made = await self._make(
            f"Воронка «{name}»", Call("crm.category.add", {"entityTypeId": kind.type_id, "fields": fields})
        )
        present: list[dict[str, Any]] = []
        dictionary = ""
        if isinstance(made, dict):
            dictionary = stage_dictionary(str(made["category"]["id"]))
            answer = await self._client.ask("crm.status.list", {"filter": {"ENTITY_ID": dictionary}})
            # A dictionary filter that was dropped would give the stages of every funnel.
            present = [row for row in answer.result if row.get("ENTITY_ID") == dictionary]
        self._stages(name, dictionary, present, stages, fresh=True)

    def _known(self, kind: Kind, name: str) -> Funnel | None:
        funnels = [funnel for funnel in self._schema.catalog.funnels if funnel.entity is kind.entity]
        return next((funnel for funnel in funnels if _folded(funnel.name) == _folded(name)), None)

    def _stages(
        self,
        funnel: str,
        dictionary: str,
        present: list[dict[str, Any]],
        needed: list[NeededStage],
        *,
        fresh: bool = False,
    ) -> None:
        names = {_folded(str(row.get("NAME", ""))) for row in present}
        missing = [stage for stage in needed if _folded(stage.stage) not in names]
        winning = next((row for row in present if semantic_of(row) is Semantic.WON), None)
        if fresh:
            missing = self._take_over(funnel, present, missing)
        for stage in [one for one in missing if one.semantic is Semantic.WON]:
            missing.remove(stage)
            self._winning(dictionary, stage, winning)
        opened = [stage for stage in missing if stage.semantic is not Semantic.LOST]
        lost = [stage for stage in missing if stage.semantic is Semantic.LOST]
        sorts = self._room(funnel, present, len(opened))
        for stage, sort in zip(opened, sorts, strict=True):
            self._add_stage(dictionary, stage, sort)
        last = max([*sorts, *(_sort(row) for row in present)], default=0)
        for at, stage in enumerate(lost):
            self._add_stage(dictionary, stage, last + _STEP * (at + 1))

    def _take_over(
        self, funnel: str, present: list[dict[str, Any]], missing: list[NeededStage]
    ) -> list[NeededStage]:
        """A funnel that we have just made comes with stages of the portal's own: they take the names that are needed,
        as far as they go. Gives the stages that are still missing.
        """
        left = []
        free = sorted(present, key=_sort)
        for stage in missing:
            wanted = Semantic.OPEN if stage.semantic is Semantic.UNSORTED else stage.semantic
            row = next((row for row in free if semantic_of(row) is wanted), None)
            if row is None:
                left.append(stage)
                continue
            free.remove(row)
            call = Call("crm.status.update", {"id": str(row["ID"]), "fields": {"NAME": stage.stage}})
            self._later(_stage_line(stage.stage, funnel), call)
        return left

    def _winning(self, dictionary: str, stage: NeededStage, winning: dict[str, Any] | None) -> None:
        if winning is None:
            self._add_stage(dictionary, stage, _LAST)
            return
        self.lines.append(
            f"Не создано: успешная стадия «{stage.stage}» в воронке «{stage.funnel}». В воронке бывает только одна, и "
            f"это «{winning.get('NAME')}»: назовите её так в портале или укажите её имя в настройке"
        )

    def _room(self, funnel: str, present: list[dict[str, Any]], count: int) -> list[int]:
        """Sorts for so many new open stages, between the last open one and the first final one; the final ones are
        moved on where there is no room.
        """
        last_open = max((_sort(row) for row in present if semantic_of(row) is Semantic.OPEN), default=0)
        finals = [row for row in present if semantic_of(row) is not Semantic.OPEN]
        first_final = min((_sort(row) for row in finals), default=last_open + _STEP * (count + 1))
        if first_final - last_open > count:
            step = (first_final - last_open) / (count + 1)
            return [last_open + max(at + 1, int(step * (at + 1))) for at in range(count)]
        for row in finals:
            sort = _sort(row) + last_open - first_final + _STEP * (count + 1)
            line = f"Порядок стадии «{row.get('NAME')}» в воронке «{funnel}»: {sort}"
            self._later(line, Call("crm.status.update", {"id": str(row["ID"]), "fields": {"SORT": sort}}))
            row["SORT"] = str(sort)
        return [last_open + _STEP * (at + 1) for at in range(count)]

    def _add_stage(self, dictionary: str, stage: NeededStage, sort: int) -> None:
        fields: dict[str, Any] = {
            "ENTITY_ID": dictionary,
            "STATUS_ID": f"K{_digest(stage.stage)}",
            "NAME": stage.stage,
            "SORT": sort,
            "COLOR": _COLORS[stage.semantic] if stage.semantic in _COLORS else _COLORS[Semantic.OPEN],
        }
        if stage.semantic in _SEMANTIC_CODES:
            fields["SEMANTICS"] = _SEMANTIC_CODES[stage.semantic]
        self._later(_stage_line(stage.stage, stage.funnel), Call("crm.status.add", {"fields": fields}))


def _batched(calls: list[Call]) -> Iterator[list[Call]]:
    for start in range(0, len(calls), _BATCH):
        yield calls[start : start + _BATCH]


def user_code(title: str) -> str:
    """The code of a field that we make: the same for the same title, so that setup finds it again under a new label."""
    return f"UF_CRM_KRESLO_{_digest(title)}"


def _stage_line(stage: str, funnel: str) -> str:
    return f"Стадия «{stage}» в воронке «{funnel}»"


def _digest(text: str) -> str:
    return f"{zlib.crc32(_folded(text).encode()):08X}"


def _folded(text: str) -> str:
    return text.strip().casefold()


def _sort(row: dict[str, Any]) -> int:
    return int(row.get("SORT") or 0)
