"""The amoCRM target against its sandbox account: the contract of all targets, then the account's own traps."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest

from connectors.amocrm import connector as amocrm
from connectors.amocrm.sandbox.cards import Kind
from connectors.amocrm.sandbox.fields import Field, Option
from kreslo.connectors.contract import Target
from kreslo.connectors.errors import ConfigurationError, ErrorKind, LimitError, PermissionDeniedError
from kreslo.connectors.model import (
    AddNote,
    AddTask,
    ByContact,
    ByField,
    ById,
    ByKey,
    ByMarker,
    ByPhone,
    CreateCard,
    CreatedSince,
    Entity,
    EventKind,
    FieldType,
    MultiChange,
    Needed,
    NeededField,
    NeededStage,
    OutcomeKind,
    Semantic,
    UpdateCard,
)
from kreslo.connectors.testing import TargetContract, TargetRig, open_rig

PHONE, OTHER = "+79001234567", "+79007654321"
KEY = "KRESLO_KEY"


def furnish(rig: TargetRig) -> None:
    account = rig.app.state.account
    for code, name, type_ in (("SOURCE", "Источник", "select"), ("DOCTORS", "Врачи", "multiselect")):
        options = [
            Option(id=account.fields.new_option_id(), value=value, sort=at)
            for at, value in enumerate(("Звонок", "Сайт", "WhatsApp"))
        ]
        account.fields.add(
            Field(kind=Kind.LEAD, id=account.fields.new_id(), name=name, type=type_, code=code, options=options)
        )


class TestAmocrmTarget(TargetContract):
    connector = amocrm
    name_code = "first_name"
    surname_code = "last_name"
    phone_code = "PHONE"
    enum = ("SOURCE", "Звонок")
    quiet = False
    haste = "429"

    def furnish(self, rig: TargetRig) -> None:
        furnish(rig)

    def stranger(self, rig: TargetRig) -> Target:
        return rig.build(token=rig.settings["token"][:-4] + "zzzz")

    def secrets(self, rig: TargetRig) -> list[str]:
        return [rig.settings["token"], rig.settings["token"][:-4] + "zzzz"]


class TestAmocrmTargetOfTheOtherGuesses(TestAmocrmTarget):
    """What amoCRM's documentation leaves open, the other way round."""

    switches: ClassVar[dict[str, Any]] = {
        "batch_on_error": "valid",
        "missing_patch": "226",
        "name_parts": "parts",
        "range_borders": "exclusive",
        "date_cut": "utc",
        "repeat_link": "error",
        "too_many_body": "json",
        "too_many_applied": True,
        "search_mode": "raw",
        "search_lag": 20.0,
        "search_noise": 7,
        "lead_patch": "wrapped",
        "updated_at_sent": "stored",
    }
    spelling = "+7 (900) 123-45-67"


class TestAmocrmTargetWithPaidFilters(TestAmocrmTarget):
    """The account has bought filters by custom fields; a missing card is not found."""

    switches: ClassVar[dict[str, Any]] = {"api_filter": True, "missing_patch": "not_found", "search_lag": 20.0}
