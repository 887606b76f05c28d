"""Reads the section `campaigns:` of a mapping."""

import re
from collections.abc import Iterable
from datetime import time, timedelta

from ruamel.yaml.nodes import Node

from kreslo.connectors.model import Semantic
from kreslo.mapping.checks import read_public_template
from kreslo.mapping.drafts import CampaignDraft, CampaignStageDraft
from kreslo.mapping.expressions import Template
from kreslo.mapping.faults import Ref
from kreslo.mapping.keys import KEYS
from kreslo.mapping.model import ENTRY_OCCASIONS, Occasion, Quiet
from kreslo.mapping.nodes import Reader, Section
from kreslo.mapping.programs import did_you_mean
from kreslo.mapping.shapes import condition, read_fields, read_semantic
from kreslo.mapping.vocabulary import Place
from kreslo.records import RECALL, RecordKind

_OCCASIONS = tuple(Occasion)
_LATE = timedelta(days=1)


def read_campaigns(reader: Reader, node: Node, title: str) -> tuple[CampaignDraft, ...]:
    section = reader.section(node, title, None)
    if section is None:
        return ()
    drafts = (_campaign(reader, section.names[name], each) for name, each in section.nodes.items())
    return tuple(draft for draft in drafts if draft is not None)


def _campaign(reader: Reader, name: Ref, node: Node) -> CampaignDraft | None:
    """None where what it needs is missing: that was said."""
    _check_name(reader, name)
    section = reader.section(node, f"`{name.text}:`", KEYS["campaign"])
    if section is None:
        return None
    for key, why in (
        ("on", f"what gives it a card: {', '.join(_OCCASIONS)}"),
        ("funnel", "where its cards go"),
    ):
        if key not in section:
            reader.fault(section.at, f"`{name.text}:` needs `{key}:`, {why}")
    no_occasion: Occasion | None = None
    on = section.read("on", lambda each, title: reader.choice(each, title, _OCCASIONS), no_occasion)
    # Without its occasion nobody knows which names its expressions may use.
    if on is None:
        return None
    place = Place.ENTRY if on in ENTRY_OCCASIONS else Place.APPOINTMENT
    funnel = section.ref("funnel")
    stages = _stages(reader, section, name, place)
    no_clock: time | None = None
    no_quiet: Quiet | None = None
    draft = CampaignDraft(
        name=name.text,
        at=name.at,
        on=on,
        funnel=funnel or name,
        stages=stages,
        title=section.read(
            "title",
            lambda each, _: read_public_template(reader, each, "a title", place),
            Template(f"{name.text}: {{patient.short_name}}"),
        ),
        after=section.duration("after", timedelta(0), positive=False),
        clock=section.read("at", reader.clock, no_clock),
        quiet=section.read("quiet", lambda each, title: _quiet(reader, each, title), no_quiet),
        late=section.duration("late", _LATE),
        pause=section.duration("pause", timedelta(0)),
        when=condition(section, "when", place),
        unless=condition(section, "unless", place),
        fields=read_fields(section, place),
    )
    _check_hours(draft, section)
    return draft if funnel and stages else None


def check_lists(reader: Reader, drafts: Iterable[CampaignDraft], lists: frozenset[str]) -> None:
    """Faults for campaigns that wait for entries which the source does not give. `lists`: those that it gives."""
    for draft in drafts:
        if draft.on is Occasion.ENTRY and draft.name not in lists:
            named = sorted(lists - {RECALL})
            reader.fault(
                draft.at,
                f'`on: entry` waits for a list "{draft.name}", which the source does not give'
                + (did_you_mean(draft.name, named) or f"; it gives {', '.join(named) or 'none'}"),
            )
        elif draft.on is Occasion.RECALL and RECALL not in lists:
            reader.fault(
                draft.at,
                "`on: recall` waits for invitations, which this source does not give; take `on: last_visit`",
            )


def _check_name(reader: Reader, name: Ref) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", name.text):
        reader.fault(
            name.at,
            f'a campaign is named by small Latin letters, digits, "-" and "_", not "{name.text}": the name stands '
            "in the keys of its cards",
        )
    elif name.text in set(RecordKind):
        reader.fault(
            name.at, f'a campaign cannot be named "{name.text}": such keys are those of {name.text} cards'
        )


def _stages(reader: Reader, section: Section, name: Ref, place: Place) -> tuple[CampaignStageDraft, ...]:
    """`stages:`, or the one `stage:` with its `message:`."""
    if ("stage" in section) == ("stages" in section):
        reader.fault(
            section.at,
            f"`{name.text}:` needs `stage:`, or `stages:` (a list of rules, the first that holds counts), one of them",
        )
        return ()
    if "stage" in section:
        ref = section.ref("stage")
        message = section.flag("message", default=False)
        return (CampaignStageDraft(name=ref, message=message),) if ref else ()
    if "message" in section:
        reader.fault(section.names["message"].at, "with `stages:`, each of them has a `message:` of its own")
    rules = [_stage(reader, each, place) for each in reader.items(section["stages"], "`stages:`")]
    found = tuple(rule for rule in rules if rule is not None)
    if not rules and reader.is_list(section["stages"]):
        reader.fault(section["stages"], "`stages:` names no stage")
    for number, rule in enumerate(found[:-1]):
        if rule.when is None and not rule.after:
            hidden = found[number + 1].name
            reader.fault(
                hidden.at,
                f'the rule before has neither `when:` nor `after:` and always holds, so "{hidden.text}" is never reached',
            )
            break
    return found


def _stage(reader: Reader, node: Node, place: Place) -> CampaignStageDraft | None:
    if not reader.is_mapping(node):
        ref = reader.ref(node, "an item of `stages:`")
        return CampaignStageDraft(name=ref) if ref else None
    section = reader.section(node, "an item of `stages:`", KEYS["campaign.stage"])
    if section is None:
        return None
    if "stage" not in section:
        reader.fault(section.at, "an item of `stages:` needs `stage:`, the stage's name in the CRM")
        return None
    name = section.ref("stage")
    when = condition(section, "when", place)
    after = section.duration("after", timedelta(0))
    message = section.flag("message", default=False)
    semantic: Semantic | None = read_semantic(section)
    if name is None:
        return None
    return CampaignStageDraft(name=name, when=when, after=after, message=message, semantic=semantic)


def _quiet(reader: Reader, node: Node, title: str) -> Quiet | None:
    value = reader.word(node, title)
    if value is None:
        return None
    hours = re.fullmatch(r"(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})", value)
    parts = [int(part) for part in hours.groups()] if hours else []
    if not parts or max(parts[0], parts[2]) > 23 or max(parts[1], parts[3]) > 59 or parts[:2] == parts[2:]:
        reader.fault(node, f'{title} must be hours such as "21:00-09:00", not "{value}"')
        return None
    return Quiet(time(parts[0], parts[1]), time(parts[2], parts[3]))


def _check_hours(draft: CampaignDraft, section: Section) -> None:
    if draft.clock is None or draft.quiet is None:
        return
    since, until = draft.quiet.since, draft.quiet.until
    within = since <= draft.clock < until if since < until else draft.clock >= since or draft.clock < until
    if within:
        section.reader.fault(section["at"], f"`at:` {draft.clock:%H:%M} lies in the quiet hours")
