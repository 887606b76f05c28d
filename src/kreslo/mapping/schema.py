"""Reads the sections of a mapping file, its endpoints apart."""

from typing import Literal

from ruamel.yaml.nodes import Node

from kreslo.mapping.campaigns import read_campaigns
from kreslo.mapping.drafts import (
    AppointmentDraft,
    CampaignDraft,
    ContactDraft,
    Draft,
    EnquiryDraft,
    ExchangeDraft,
    PoolDraft,
)
from kreslo.mapping.exchange import read_exchange
from kreslo.mapping.faults import start_of
from kreslo.mapping.keys import KEYS
from kreslo.mapping.model import ENTRY_OCCASIONS, FamilyPlan, Horizon, ReconcilePlan
from kreslo.mapping.nodes import Reader, Section
from kreslo.mapping.shapes import on_deleted, read_adopt, read_fields, read_stages, read_task, read_title
from kreslo.mapping.visits import read_appointment
from kreslo.mapping.vocabulary import Place

_LANGUAGES: tuple[Literal["ru", "en"], ...] = ("ru", "en")
_SCOPES: tuple[Literal["horizon", "all"], ...] = ("horizon", "all")
_FAMILY: tuple[Literal["guardian", "phone"], ...] = ("guardian", "phone")


def read_draft(reader: Reader, top: Section) -> Draft:
    """What is wrong is with the reader; the draft is to be used only if nothing is."""
    name = top.read("bridge", reader.word, "")
    if "bridge" not in top:
        reader.fault(top.at, "`bridge:` is missing; give the bridge a short name, such as clinic")
    elif name and not all(char.isascii() and (char.isalnum() or char in "-_") for char in name):
        reader.fault(
            top["bridge"], f'`bridge:` may hold Latin letters, digits, "-" and "_" only, not "{name}"'
        )
    if not {"contact", "appointment", "enquiry"} & set(top.nodes):
        reader.fault(top.at, "nothing is mapped; write `contact:`, `appointment:` or `enquiry:`")
    language = top.choice("language", _LANGUAGES, "ru")
    contact: ContactDraft | None = None
    appointment: AppointmentDraft | None = None
    enquiry: EnquiryDraft | None = None
    exchange: ExchangeDraft | None = None
    no_campaigns: tuple[CampaignDraft, ...] = ()
    campaigns = top.read("campaigns", lambda node, title: read_campaigns(reader, node, title), no_campaigns)
    _check_campaigns(reader, top, campaigns)
    return Draft(
        name=name,
        at=top.names["bridge"].at if "bridge" in top else top.at,
        language=language,
        horizon=top.read("horizon", lambda node, title: _horizon(reader, node, title), Horizon()),
        contact=top.read("contact", lambda node, title: _contact(reader, node, title), contact),
        appointment=top.read(
            "appointment", lambda node, _: read_appointment(reader, node, language), appointment
        ),
        enquiry=top.read("enquiry", lambda node, title: _enquiry(reader, node, title, language), enquiry),
        exchange=top.read("exchange", lambda node, title: read_exchange(reader, node, title), exchange),
        reconcile=top.read("reconcile", lambda node, title: _reconcile(reader, node, title), ReconcilePlan()),
        campaigns=campaigns,
    )


def _check_campaigns(reader: Reader, top: Section, campaigns: tuple[CampaignDraft, ...]) -> None:
    if campaigns and "contact" not in top:
        reader.fault(
            top.names["campaigns"].at,
            "`campaigns:` needs `contact:`: its cards hang on the patient's contact",
        )
    of_visits = [each for each in campaigns if each.on not in ENTRY_OCCASIONS]
    if of_visits and "appointment" not in top:
        reader.fault(
            top.names["campaigns"].at,
            f"`on: {of_visits[0].on}` needs `appointment:`, which says what a visit's facts mean",
        )


def _horizon(reader: Reader, node: Node, title: str) -> Horizon | None:
    section = reader.section(node, title, KEYS["horizon"])
    if section is None:
        return None
    default = Horizon()
    return Horizon(
        past=section.duration("past", default.past, positive=False),
        future=section.duration("future", default.future),
    )


def _reconcile(reader: Reader, node: Node, title: str) -> ReconcilePlan | None:
    section = reader.section(node, title, KEYS["reconcile"])
    if section is None:
        return None
    default = ReconcilePlan()
    return ReconcilePlan(
        heal=section.flag("heal", default=default.heal),
        cards=section.number("cards", default.cards),
        percent=section.number("percent", default.percent, most=100),
    )


def _contact(reader: Reader, node: Node, title: str) -> ContactDraft | None:
    section = reader.section(node, title, KEYS["contact"])
    if section is None:
        return None
    family: FamilyPlan | None = None
    return ContactDraft(
        at=section.at,
        scope=section.choice("scope", _SCOPES, "horizon"),
        family=section.read("family", lambda each, name: _family(reader, each, name), family),
        adopt=read_adopt(section, Place.CONTACT),
        on_deleted=on_deleted(section),
        fields=read_fields(section, Place.CONTACT),
    )


def _family(reader: Reader, node: Node, title: str) -> FamilyPlan | None:
    section = reader.section(node, title, KEYS["contact.family"])
    if section is None:
        return None
    return FamilyPlan(
        by=section.choice("by", _FAMILY, "guardian"),
        phone_on_child=section.flag("phone_on_child", default=True),
    )


def _enquiry(reader: Reader, node: Node, title: str, language: str) -> EnquiryDraft | None:
    section = reader.section(node, title, KEYS["enquiry"])
    if section is None:
        return None
    stages = read_stages(section, "enquiry.stages")
    if "stages" not in section:
        reader.fault(section.at, "`enquiry:` needs `stages:`, at least `new:`")
    elif reader.is_mapping(section["stages"]) and not reader.has_key(section["stages"], "new"):
        reader.fault(section["stages"], "`stages:` needs `new:`, where an enquiry card starts")
    if "into" not in section:
        reader.fault(section.at, '`enquiry:` needs `into:`, leads or {funnel: "…"}')
    none: PoolDraft | None = None
    pool = section.read("into", lambda each, name: _into(reader, each, name), none)
    card_title = read_title(section, Place.ENQUIRY, language)
    fields = read_fields(section, Place.ENQUIRY)
    task = read_task(section, "stale_task", Place.ENQUIRY)
    if pool is None or "new" not in stages:
        return None
    draft = EnquiryDraft(at=section.at, pool=pool, new=stages["new"], title=card_title)
    return EnquiryDraft(
        at=section.at,
        pool=pool,
        new=stages["new"],
        already_booked=stages.get("already_booked"),
        stale=stages.get("stale"),
        stale_after=section.duration("stale_after", draft.stale_after),
        title=card_title,
        fields=fields,
        stale_task=task,
    )


def _into(reader: Reader, node: Node, title: str) -> PoolDraft | None:
    if not reader.is_mapping(node):
        return PoolDraft(funnel=None, at=start_of(node)) if reader.choice(node, title, ("leads",)) else None
    section = reader.section(node, title, KEYS["enquiry.into"])
    if section is None:
        return None
    if "funnel" not in section:
        reader.fault(section.at, f'{title} is leads or {{funnel: "…"}}')
        return None
    funnel = section.ref("funnel")
    return PoolDraft(funnel=funnel, at=section.at) if funnel else None
