"""profile, server.time, scope, users and the other small methods."""

from typing import Any

from connectors.bitrix24.sandbox import moments
from connectors.bitrix24.sandbox.calls import Answer, Call, Method, paged
from connectors.bitrix24.sandbox.errors import RestError
from connectors.bitrix24.sandbox.portal import Person
from connectors.bitrix24.sandbox.tables import filtered
from kreslo.connectors.sandboxing import php

_OFFLINE = frozenset({"rest_offline_extended", "rest_auth_connector"})


def methods() -> list[Method]:
    return [
        Method("profile", "", _profile),
        Method(
            "server.time", "", lambda call: moments.show_datetime(call.portal.clock.now(), call.portal.zone)
        ),
        Method("scope", "", lambda call: list(call.portal.switches.scopes)),
        Method("app.info", "", _app_info),
        Method("feature.get", "", _feature),
        Method("user.current", "user", _current),
        Method("user.get", "user", _users),
        Method("crm.settings.mode.get", "crm", lambda call: call.portal.switches.crm_mode),
        Method("crm.currency.list", "crm", _currencies),
    ]


def _profile(call: Call) -> dict[str, Any]:
    person = call.portal.people[call.user_id]
    shown = {"ID": str(person.id), "ADMIN": call.portal.switches.admin, "NAME": person.name}
    return {**shown, "LAST_NAME": person.last_name, "PERSONAL_GENDER": "", "TIME_ZONE": ""}


def _app_info(call: Call) -> dict[str, Any]:
    plan = call.portal.switches.plan
    shown = {"SCOPE": list(call.portal.switches.scopes), "LICENSE": f"ru_{plan}", "LICENSE_TYPE": plan}
    return {**shown, "INSTALLED": True, "PAYMENT_EXPIRED": "N", "LANGUAGE_ID": "ru"}


def _feature(call: Call) -> dict[str, str]:
    code = php.text(call.legacy("code"))
    if not code:
        raise RestError("CODE_EMPTY", "CODE can not be empty")
    lacks = code in _OFFLINE and not call.portal.switches.extended_offline
    return {"value": "N" if lacks else "Y"}


def user_row(person: Person) -> dict[str, Any]:
    return {
        "ID": str(person.id),
        "ACTIVE": True,
        "NAME": person.name,
        "LAST_NAME": person.last_name,
        "SECOND_NAME": "",
        "EMAIL": f"user{person.id}@clinic.example",
        "WORK_POSITION": person.position,
        "USER_TYPE": "employee",
    }


def _current(call: Call) -> dict[str, Any]:
    return user_row(call.portal.people[call.user_id])


def _users(call: Call) -> Answer:
    asked = dict(php.pairs(call.array("filter"))) | {
        name.upper(): value for name, value in call.params.items() if name.upper() == "ID"
    }
    active = asked.pop("ACTIVE", None)
    rows = [user_row(person) for person in call.portal.people.values()]
    if active is not None and not php.truthy(active):
        rows = []
    rows = filtered(rows, asked, call.portal.zone, integers={"ID"}, fields=user_row(call.portal.people[1]))
    page, total, following = paged(rows, call, legacy=True)
    return Answer(page, total, following)


def _currencies(_: Call) -> Answer:
    row = {"CURRENCY": "RUB", "AMOUNT_CNT": "1", "AMOUNT": "1.0000", "SORT": "100", "BASE": "Y", "LID": "ru"}
    shown = {**row, "FULL_NAME": "Российский рубль", "FORMAT_STRING": "# ₽", "DECIMALS": "2"}
    return Answer([shown], total=1)
