"""Reads the section `appointment:` of a mapping."""

from datetime import timedelta
from typing import Literal

from ruamel.yaml.nodes import Node

from kreslo.mapping.drafts import AppointmentDraft, ClaimDraft, HistoryDraft, PoolDraft, StageDraft
from kreslo.mapping.faults import Ref
from kreslo.mapping.keys import KEYS
from kreslo.mapping.model import Phase, RebookPlan, StatusPlan
from kreslo.mapping.nodes import Reader, Section
from kreslo.mapping.shapes import (
    condition,
    on_deleted,
    read_adopt,
    read_fields,
    read_stages,
    read_task,
    read_title,
)
from kreslo.mapping.vocabulary import Place

STATUS_RULES = StatusPlan().order

_SAME: tuple[Literal["doctor", "specialty", "any"], ...] = ("doctor", "specialty", "any")
_MODES: tuple[Literal["move", "link"], ...] = ("move", "link")
_HERE = Place.APPOINTMENT


def read_appointment(reader: Reader, node: Node, language: str) -> AppointmentDraft | None:
    """None where the funnel or the stage `upcoming` is missing: without them it means nothing."""
    section = reader.section(node, "`appointment:`", KEYS["appointment"])
    if section is None:
        return None
    stages = {Phase(phase): stage for phase, stage in read_stages(section, "appointment.stages").items()}
    if "funnel" not in section:
        reader.fault(section.at, "`appointment:` needs `funnel:`, the funnel of the visit cards")
    if "stages" not in section:
        reader.fault(section.at, "`appointment:` needs `stages:`, at least `upcoming:`")
    elif reader.is_mapping(section["stages"]) and not reader.has_key(section["stages"], Phase.UPCOMING):
        reader.fault(
            section["stages"], "`stages:` needs `upcoming:`: a new card with no other stage starts there"
        )
    funnel = section.ref("funnel")
    claim: ClaimDraft | None = None
    history: HistoryDraft | None = None
    rebook: RebookPlan | None = None
    draft = AppointmentDraft(
        at=section.at,
        funnel=funnel or Ref("", section.at),
        title=read_title(section, _HERE, language),
        stages=stages,
        protect=section.refs("protect"),
        final=section.refs("final"),
        status=section.read("status", lambda each, title: _status(reader, each, title), StatusPlan()),
        rebook=section.read("rebook", lambda each, title: _rebook(reader, each, title), rebook),
        insured=condition(section, "insured", _HERE),
        claim=section.read("claim", lambda each, title: _claim(reader, each, title), claim),
        adopt=read_adopt(section, _HERE),
        fields=read_fields(section, _HERE),
        cancelled_unseen=section.flag("cancelled_unseen", default=False),
        history=section.read("history", lambda each, title: _history(reader, each, title), history),
        primary_after=section.duration("primary_after", timedelta(days=183)),
        on_deleted=on_deleted(section),
        rescheduled_task=read_task(section, "rescheduled_task", _HERE),
        notes=section.flag("notes", default=True),
    )
    return draft if funnel and Phase.UPCOMING in stages else None


def _status(reader: Reader, node: Node, title: str) -> StatusPlan | None:
    section = reader.section(node, title, KEYS["appointment.status"])
    if section is None:
        return None
    default = StatusPlan()
    return StatusPlan(
        reschedule_reasons=frozenset(reason.text for reason in section.refs("reschedule_reasons")),
        no_show_after=section.duration("no_show_after", default.no_show_after, positive=False),
        confirmed=condition(section, "confirmed", _HERE),
        order=section.read("order", lambda each, name: _order(reader, each, name), default.order),
    )


def _order(reader: Reader, node: Node, title: str) -> tuple[str, ...] | None:
    rules: list[str] = []
    for item in reader.items(node, title):
        rule = reader.choice(item, f"a rule of {title}", STATUS_RULES)
        if rule in rules:
            reader.fault(item, f'"{rule}" stands twice in {title}')
        elif rule:
            rules.append(rule)
    if rules and rules[-1] != STATUS_RULES[-1]:
        reader.fault(node, f'{title} must end with "{STATUS_RULES[-1]}", which is true of every visit')
    return tuple(rules) or None


def _rebook(reader: Reader, node: Node, title: str) -> RebookPlan | None:
    section = reader.section(node, title, KEYS["appointment.rebook"])
    if section is None:
        return None
    return RebookPlan(
        window=section.duration("window", RebookPlan().window), same=section.choice("same", _SAME, "doctor")
    )


def _history(reader: Reader, node: Node, title: str) -> HistoryDraft | None:
    if not reader.is_mapping(node):
        name = reader.ref(node, title)
        return HistoryDraft(funnel=None, stage=StageDraft(name=name)) if name else None
    section = reader.section(node, title, KEYS["appointment.history"])
    if section is None:
        return None
    if "stage" not in section:
        reader.fault(section.at, f"{title} needs `stage:`, a stage without robots")
        return None
    name = section.ref("stage")
    return HistoryDraft(funnel=section.ref("funnel"), stage=StageDraft(name=name)) if name else None


def _claim(reader: Reader, node: Node, title: str) -> ClaimDraft | None:
    section = reader.section(node, title, KEYS["appointment.claim"])
    if section is None:
        return None
    pool: PoolDraft | None = None
    stages: tuple[Ref, ...] = ()
    if "from" in section:
        pool, stages = read_pool(reader, section["from"], KEYS["appointment.claim.from"])
    else:
        reader.fault(
            section.at,
            f'{title} needs `from:`, such as {{leads: ["…"]}} or {{funnel: "…", stages: ["…"]}}',
        )
    if pool is None:
        return None
    draft = ClaimDraft(pool=pool, stages=stages, mode="link" if pool.leads else "move")
    mode = section.choice("mode", _MODES, draft.mode)
    _mode_fits(section, pool, mode)
    return ClaimDraft(
        pool=pool,
        stages=stages,
        within=section.duration("within", draft.within),
        late=section.duration("late", draft.late, positive=False),
        mode=mode,
        copy=section.refs("copy"),
        converted=section.ref("converted"),
        back=section.flag("return", default=False),
        relation_field=section.ref("relation_field"),
    )


def _mode_fits(section: Section, pool: PoolDraft, mode: str) -> None:
    if pool.leads and mode == "move":
        section.reader.fault(
            section["mode"], "a lead cannot become a deal: `mode: link` makes the deal and links the lead"
        )
    if not pool.leads and mode == "link":
        section.reader.fault(section["mode"], "a deal is claimed by moving it: write `mode: move`")
    if not pool.leads:
        for key in ("converted", "relation_field", "copy"):
            if key in section:
                section.reader.fault(
                    section.names[key].at,
                    f"`{key}:` is for leads; a deal that is moved is the visit card itself",
                )


def read_pool(reader: Reader, node: Node, keys: tuple[str, ...]) -> tuple[PoolDraft | None, tuple[Ref, ...]]:
    """`from:` of a claim or of tickets: where cards stand, and on which stages."""
    section = reader.section(node, "`from:`", keys)
    if section is None:
        return None, ()
    given = set(section.nodes)
    if given not in ({"leads"}, {"funnel", "stages"}):
        reader.fault(section.at, '`from:` is {leads: ["stage", …]} or {funnel: "…", stages: ["stage", …]}')
        return None, ()
    key = "leads" if "leads" in given else "stages"
    stages = section.refs(key)
    if not stages and reader.is_list(section[key]):
        reader.fault(section[key], f"`{key}:` names no stage")
    funnel = section.ref("funnel")
    if key == "stages" and funnel is None:
        return None, ()
    return PoolDraft(funnel=funnel, at=section.at), stages
