"""A lead that comes by itself, from a site form or a call: not through REST, and so outside its limits."""

from datetime import UTC
from typing import Any

from connectors.bitrix24.sandbox import rules
from connectors.bitrix24.sandbox.cards import Card, Kind
from connectors.bitrix24.sandbox.dictionaries import Status
from connectors.bitrix24.sandbox.multifields import MultiOp
from connectors.bitrix24.sandbox.portal import ROBOT_USER, Portal
from connectors.bitrix24.sandbox.simple_mode import convert_at_once
from kreslo.connectors.sandboxes import Lead

_SOURCES = {"OPENLINE": "Открытая линия"}


def arrive(portal: Portal, lead: Lead) -> Card:
    """The lead's card. A stage or a source that its dictionary does not have yet is made, as open lines do."""
    created = lead.created_at.astimezone(UTC).replace(microsecond=0)
    fields: dict[str, Any] = {
        "TITLE": f"Заявка: {lead.name or lead.phone}",
        "NAME": lead.name or None,
        "SOURCE_ID": _source(portal, lead.source) if lead.source else None,
        "UTM_SOURCE": lead.utm_source or None,
        "UTM_CAMPAIGN": lead.utm_campaign or None,
        "STATUS_ID": _stage(portal, lead.stage).status_id,
        "ASSIGNED_BY_ID": ROBOT_USER,
    }
    phones = [MultiOp(type="PHONE", value=lead.phone, value_type="WORK")] if lead.phone else []
    system = {
        "DATE_CREATE": created,
        "DATE_MODIFY": created,
        "MOVED_TIME": created,
        "LAST_ACTIVITY_TIME": created,
    }
    draft = rules.Draft(fields=fields, multi=phones, system=system)
    card = rules.create(portal, Kind.LEAD, draft, ROBOT_USER)
    convert_at_once(portal, card, ROBOT_USER)
    return card


def _source(portal: Portal, code: str) -> str:
    if portal.dictionaries.find("SOURCE", code) is None:
        portal.dictionaries.add("SOURCE", code, _SOURCES.get(code, code), sort=500)
    return code


def _stage(portal: Portal, name: str) -> Status:
    stages = portal.dictionaries.stages(Kind.LEAD, 0)
    for stage in stages:
        if stage.name == name:
            return stage
    open_ones = [stage.sort for stage in stages if stage.semantic == "P"]
    code = f"UC_{portal.next_id('status code'):06d}"
    return portal.dictionaries.add("STATUS", code, name, sort=max(open_ones) + 1)
