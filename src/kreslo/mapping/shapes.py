"""The shapes that stand in several places of a mapping: fields, stages, tasks, titles, adoption."""

from typing import Literal

from ruamel.yaml.nodes import Node

from kreslo.connectors.model import Semantic
from kreslo.mapping.checks import (
    Checked,
    guarded_names,
    read_condition,
    read_expression,
    read_public_template,
    read_template,
)
from kreslo.mapping.drafts import AdoptDraft, FieldDraft, OnDeleted, StageDraft, TaskDraft
from kreslo.mapping.expressions import Expression, Template
from kreslo.mapping.faults import Ref, start_of
from kreslo.mapping.keys import KEYS
from kreslo.mapping.model import FieldMode, Phase
from kreslo.mapping.nodes import Reader, Section
from kreslo.mapping.vocabulary import Place

_ON_DELETED: tuple[OnDeleted, ...] = ("review", "recreate", "ignore")
_SEMANTICS = (Semantic.OPEN, Semantic.WON, Semantic.LOST)
_TIMED = (Phase.TOMORROW, Phase.TODAY)

_TITLES: dict[tuple[Place, str], Template] = {
    (Place.APPOINTMENT, "ru"): Template(
        "Приём {appointment.starts_at:%d.%m %H:%M}, {appointment.doctor.short_name}"
    ),
    (Place.APPOINTMENT, "en"): Template(
        "Visit {appointment.starts_at:%d.%m %H:%M}, {appointment.doctor.short_name}"
    ),
    (Place.ENQUIRY, "ru"): Template("Обращение: {enquiry.name}, {enquiry.phone}"),
    (Place.ENQUIRY, "en"): Template("Enquiry: {enquiry.name}, {enquiry.phone}"),
}


def read_fields(section: Section, place: Place) -> tuple[FieldDraft, ...]:
    fields = section.reader.section(section["fields"], "`fields:`", None) if "fields" in section else None
    if fields is None:
        return ()
    drafts = (_field(section.reader, fields.names[name], node, place) for name, node in fields.nodes.items())
    return tuple(draft for draft in drafts if draft is not None)


def _field(reader: Reader, name: Ref, node: Node, place: Place) -> FieldDraft | None:
    title = f'field "{name.text}"'
    if not reader.is_mapping(node):
        checked = _value(reader, node, title, place)
        return _leaving(reader, name, node, checked, Section(reader, {}, {}, start_of(node)), place)
    section = reader.section(node, title, KEYS["field"])
    if section is None:
        return None
    if ("value" in section) == ("text" in section):
        reader.fault(section.at, f"{title} needs `value:` (an expression) or `text:` (a text), one of them")
        return None
    if "text" in section:
        node = section["text"]
        checked = read_template(reader, node, "`text:`", place)
    else:
        node = section["value"]
        checked = _value(reader, node, "`value:`", place)
    return _leaving(reader, name, node, checked, section, place)


def _value(reader: Reader, node: Node, title: str, place: Place) -> Checked | None:
    """An expression; with braces, a template. (CEL's own braces make maps, which no field holds.)"""
    source = reader.raw(node, title)
    if source is None:
        return None
    return (read_template if "{" in source else read_expression)(reader, node, title, place)


def _leaving(
    reader: Reader, name: Ref, node: Node, checked: Checked | None, section: Section, place: Place
) -> FieldDraft | None:
    """The field with its settings, if what it carries may leave."""
    basis = section.read("basis", reader.word, "")
    mode = section.choice("mode", tuple(FieldMode), FieldMode.MIS)
    never_clear = section.flag("never_clear", default=False)
    when = condition(section, "when", place)
    guarded = guarded_names(checked.value) if checked and not basis else []
    for used, privacy in guarded:
        reader.fault(
            node,
            f"{used} is of the class {privacy} and leaves the clinic only on a legal basis: write it as "
            '{value: …, basis: "the consent or law, and who decided"}',
            used.offset,
        )
    if checked is None or guarded:
        return None
    return FieldDraft(
        name=name,
        value=checked.value,
        at=start_of(node),
        kinds=checked.kinds,
        type=checked.type,
        constant=checked.constant,
        mode=mode,
        never_clear=never_clear,
        when=when,
    )


def condition(section: Section, key: str, place: Place) -> Expression | None:
    none: Expression | None = None
    return section.read(key, lambda node, title: read_condition(section.reader, node, title, place), none)


def read_title(section: Section, place: Place, language: str) -> Template:
    """A card's title, which may not carry what needs a legal basis."""
    return section.read(
        "title",
        lambda node, _: read_public_template(section.reader, node, "a title", place),
        _TITLES[place, language],
    )


def on_deleted(section: Section) -> OnDeleted:
    return section.choice("on_deleted", _ON_DELETED, "review")


def read_stages(
    section: Section, keys: Literal["appointment.stages", "enquiry.stages"]
) -> dict[str, StageDraft]:
    """The stages by phase, those that are right."""
    reader = section.reader
    stages = reader.section(section["stages"], "`stages:`", KEYS[keys]) if "stages" in section else None
    drafts = {phase: _stage(reader, phase, node) for phase, node in (stages.nodes if stages else {}).items()}
    return {phase: draft for phase, draft in drafts.items() if draft is not None}


def _stage(reader: Reader, phase: str, node: Node) -> StageDraft | None:
    if not reader.is_mapping(node):
        name = reader.ref(node, f"the stage of `{phase}:`")
        return StageDraft(name=name) if name else None
    section = reader.section(node, f"`{phase}:`", KEYS["stage"])
    if section is None:
        return None
    if "stage" not in section:
        reader.fault(section.at, f"`{phase}:` needs `stage:`, the stage's name in the CRM")
        return None
    if "at" in section and phase not in _TIMED:
        reader.fault(
            section.names["at"].at, f"only tomorrow and today begin at a time of day; `{phase}:` has no `at:`"
        )
    name = section.ref("stage")
    if name is None:
        return None
    return StageDraft(
        name=name,
        at=section.read("at", reader.clock, StageDraft(name=name).at),
        message=section.flag("message", default=False),
        semantic=read_semantic(section),
    )


def read_semantic(section: Section) -> Semantic | None:
    """What a stage means to the CRM, where the mapping says so."""
    none: Semantic | None = None
    reader = section.reader
    return section.read("semantic", lambda node, title: reader.choice(node, title, _SEMANTICS), none)


def read_task(section: Section, key: str, place: Place) -> TaskDraft | None:
    reader = section.reader
    task = reader.section(section[key], f"`{key}:`", KEYS["task"]) if key in section else None
    if task is None:
        return None
    if "text" not in task:
        reader.fault(task.at, f"`{key}:` needs `text:`, what is to be done")
        return None
    text = read_public_template(reader, task["text"], "a task's text", place)
    if text is None:
        return None
    draft = TaskDraft(text=text)
    return TaskDraft(
        text=text, after=task.duration("after", draft.after, positive=False), user=task.ref("user")
    )


def read_adopt(section: Section, place: Place) -> AdoptDraft | None:
    reader = section.reader
    adopt = (
        reader.section(section["adopt"], "`adopt:`", KEYS[f"{place}.adopt"]) if "adopt" in section else None
    )
    if adopt is None:
        return None
    if ("key_field" in adopt) != ("key" in adopt):
        reader.fault(
            adopt.at,
            "`adopt:` needs both `key_field:` (where the other system wrote its key) and `key:` (what it wrote)",
        )
    elif not adopt.nodes:
        reader.fault(adopt.at, "`adopt:` says nothing; give it `key_field:` and `key:`")
    key = read_expression(reader, adopt["key"], "`key:`", place) if "key" in adopt else None
    return AdoptDraft(
        key_field=adopt.ref("key_field"),
        key=key.value if key and isinstance(key.value, Expression) else None,
        time_field=adopt.ref("time_field"),
    )
