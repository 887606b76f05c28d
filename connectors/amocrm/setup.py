"""Making what a mapping needs in the account: pipelines, statuses, custom fields, key fields, the webhook.

Nothing that is there is changed. Everything is looked up before it is made, so that setup can be run again after any
failure.
"""

from typing import Any

from connectors.amocrm.client import Answer, Client
from connectors.amocrm.entities import KINDS, LOST, WON, kind_of
from connectors.amocrm.options import AmocrmOptions
from connectors.amocrm.schema import Schema
from kreslo.connectors.errors import ConfigurationError
from kreslo.connectors.model import Entity, FieldType, Funnel, Needed, NeededField, NeededStage, Semantic

_TYPES = {
    FieldType.TEXT: "text",
    FieldType.NUMBER: "numeric",
    FieldType.MONEY: "monetary",
    FieldType.BOOLEAN: "checkbox",
    FieldType.DATE: "date",
    FieldType.DATETIME: "date_time",
    FieldType.PHONE: "text",
    FieldType.EMAIL: "text",
}
_COLORS = ("#99ccff", "#ffff99", "#ffcc66", "#c1e0ff", "#f9deff")
_CLOSED = {Semantic.WON: WON, Semantic.LOST: LOST}
_STEP = 10
KEY_TITLE = "Ключ Kreslo"
HOOKS = (
    *("add_lead", "update_lead", "delete_lead", "restore_lead", "status_lead", "responsible_lead"),
    *("add_contact", "update_contact", "delete_contact", "restore_contact"),
)


class Setup:
    """One run. `lines`: what was made (or, in a dry run, would be), for a person."""

    def __init__(self, client: Client, schema: Schema, options: AmocrmOptions, *, dry_run: bool) -> None:
        self._client = client
        self._schema = schema
        self._options = options
        self._dry_run = dry_run
        self.lines: list[str] = []
        self._fields: dict[Entity, list[dict[str, Any]]] = {}

    async def run(self, needed: Needed) -> None:
        """Raises what the client raises, UnknownOutcomeError too: run it again."""
        for kind in KINDS:
            self._field(NeededField(kind.entity, KEY_TITLE, FieldType.TEXT, self._options.key_field))
        for field in needed.fields:
            self._field(field)
        for entity, rows in self._fields.items():
            for at in range(0, len(rows), self._options.batch):
                part = rows[at : at + self._options.batch]
                await self._make("POST", f"{kind_of(entity).path}/custom_fields", part)
        groups: dict[str, list[NeededStage]] = {}
        for stage in needed.stages:
            kind_of(stage.entity)
            if stage.entity is not Entity.DEAL:
                raise ConfigurationError("В amoCRM этапы бывают только у сделок")
            known = groups.setdefault(stage.funnel, [])
            if _folded(stage.stage) not in {_folded(one.stage) for one in known}:
                known.append(stage)
        for funnel, stages in groups.items():
            await self._pipeline(funnel, stages)
        await self._hook()

    async def _make(self, verb: str, path: str, body: Any) -> None:
        if self._dry_run:
            return
        reply = await self._client.tell(verb, path, body)
        if not isinstance(reply, Answer):
            raise reply.error(f"{verb} {path}")

    # --- fields -----------------------------------------------------------------------------------------------

    def _field(self, needed: NeededField) -> None:
        kind = kind_of(needed.entity)
        known = self._schema.fields[kind.entity]
        names = {_folded(name) for field in known.values() for name in (field.code, field.definition.title)}
        wanted = self._fields.setdefault(kind.entity, [])
        names |= {_folded(row.get("code") or row["name"]) for row in wanted}
        if _folded(needed.code or needed.title) in names:
            return
        where = f"в {kind.russian}"
        if needed.type not in _TYPES:
            self.lines.append(
                f"Не создано: поле «{needed.title}» {where}. Список с вариантами создайте в amoCRM сами: его варианты "
                "Kreslo не знает"
            )
            return
        row: dict[str, Any] = {"name": needed.title, "type": _type(needed)}
        if needed.code:
            row |= {"code": needed.code, "is_api_only": needed.code == self._options.key_field}
        if needed.type is FieldType.MONEY:
            row["currency"] = self._schema.currency
        wanted.append(row)
        self.lines.append(f"Поле «{needed.title}» {where}" + (f" ({needed.code})" if needed.code else ""))

    # --- pipelines and statuses -------------------------------------------------------------------------------

    async def _pipeline(self, name: str, stages: list[NeededStage]) -> None:
        """A pipeline that we make gets its closing statuses named; in one that is there they are a person's affair."""
        funnel = next(
            (one for one in self._schema.catalog.funnels if _folded(one.name) == _folded(name)), None
        )
        if funnel is not None:
            await self._statuses(funnel, stages)
            return
        self.lines.append(f"Воронка «{name}»")
        rows: list[dict[str, Any]] = []
        named: set[str] = set()
        for stage in stages:
            closed = _CLOSED.get(stage.semantic, "")
            if closed and closed not in named:
                named.add(closed)
                rows.append({"id": int(closed), "name": stage.stage})
            else:
                rows.append(self._status(stage, _STEP * (len(rows) + 2), len(rows)))
            self.lines.append(_line(stage, own=closed in named and "id" in rows[-1]))
        if not any("id" not in row for row in rows):
            rows.append({"name": "В работе", "sort": _STEP * 2, "color": _COLORS[0]})
        body = {"name": name, "is_main": False, "is_unsorted_on": False, "_embedded": {"statuses": rows}}
        await self._make(
            "POST", "leads/pipelines", [{**body, "sort": _STEP * (len(self._schema.pipelines) + 1)}]
        )

    async def _statuses(self, funnel: Funnel, stages: list[NeededStage]) -> None:
        present = {_folded(stage.name) for stage in funnel.stages}
        last = max((one.sort for one in funnel.stages if one.id not in (WON, LOST)), default=_STEP)
        rows: list[dict[str, Any]] = []
        for stage in stages:
            if _folded(stage.stage) in present:
                continue
            closed = _CLOSED.get(stage.semantic)
            if closed:
                own = next((one.name for one in funnel.stages if one.id == closed), closed)
                self.lines.append(
                    f"Не создано: закрывающий этап «{stage.stage}» в воронке «{funnel.name}». Такой этап в amoCRM один, и "
                    f"это «{own}»: переименуйте его в amoCRM или назовите его так в настройке"
                )
                continue
            rows.append(self._status(stage, last + _STEP * (len(rows) + 1), len(rows)))
            self.lines.append(_line(stage, own=False))
        if rows:
            await self._make("POST", f"leads/pipelines/{funnel.id}/statuses", rows)

    def _status(self, stage: NeededStage, sort: int, at: int) -> dict[str, Any]:
        return {"name": stage.stage, "sort": sort, "color": _COLORS[at % len(_COLORS)]}

    # --- the webhook ------------------------------------------------------------------------------------------

    async def _hook(self) -> None:
        address = self._options.hook_address
        if not address:
            return
        rows = (await self._client.ask("webhooks")).rows("webhooks")
        mine = next((row for row in rows if row.get("destination") == address), None)
        settings = mine.get("settings") if mine else None
        if mine and not mine.get("disabled") and set(settings or ()) >= set(HOOKS):
            return
        self.lines.append(f"Вебхук на {self._options.hook_url} (секрет в конце адреса не показан)")
        await self._make("POST", "webhooks", {"destination": address, "settings": list(HOOKS), "sort": 10})


def _type(needed: NeededField) -> str:
    if (
        needed.type is FieldType.DATE
        and needed.entity is Entity.CONTACT
        and "рожд" in needed.title.casefold()
    ):
        return "birthday"
    return _TYPES[needed.type]


def _line(stage: NeededStage, *, own: bool) -> str:
    line = f"Стадия «{stage.stage}» в воронке «{stage.funnel}»"
    if stage.semantic in _CLOSED and not own:
        return f"{line}: обычный этап, закрывающий такого рода в воронке один"
    return line


def _folded(text: Any) -> str:
    return str(text).strip().casefold()
