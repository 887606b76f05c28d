"""/account: a good probe of health, and where `is_api_filter_enabled` is told."""

from datetime import datetime
from typing import Any

from connectors.amocrm.sandbox.calls import Call, Method, Reply
from connectors.amocrm.sandbox.tokens import ACCOUNT_ID

TASK_TYPES = {1: ("Связаться", "FOLLOW_UP"), 2: ("Встреча", "MEETING")}


def show(call: Call) -> Reply:
    account, asked = call.account, call.asked_with()
    body: dict[str, Any] = {
        "id": ACCOUNT_ID,
        "name": "Клиника (песочница)",
        "subdomain": "sandbox",
        "created_at": account.created_at,
        "created_by": 0,
        "updated_at": account.created_at,
        "updated_by": 0,
        "current_user_id": call.user_id,
        "country": "RU",
        "currency": "RUB",
        "currency_symbol": "₽",
        "customers_mode": "unavailable",
        "is_unsorted_on": True,
        "mobile_feature_version": 0,
        "is_loss_reason_enabled": True,
        "is_helpbot_enabled": False,
        "is_technical_account": True,
        "contact_name_display_order": 1,
        "_links": call.href("account"),
    }
    if "is_api_filter_enabled" in asked:
        body["is_api_filter_enabled"] = account.switches.api_filter
    if "version" in asked:
        body["version"] = 2
    embedded: dict[str, Any] = {}
    if "task_types" in asked:
        embedded["task_types"] = [
            {"id": type_id, "name": name, "color": None, "icon_id": None, "code": code}
            for type_id, (name, code) in TASK_TYPES.items()
        ]
    if "users_groups" in asked:
        embedded["users_groups"] = [{"id": 0, "name": "Отдел продаж", "uuid": None}]
    if "datetime_settings" in asked:
        embedded["datetime_settings"] = _datetime_settings(
            account.switches.timezone, account.clock.now().astimezone(account.zone)
        )
    if embedded:
        body["_embedded"] = embedded
    return Reply(body)


def _datetime_settings(zone: str, now: datetime) -> dict[str, str]:
    return {
        "date_pattern": "d.m.Y H:i",
        "short_date_pattern": "d.m.Y",
        "short_time_pattern": "H:i",
        "date_format": "d.m.Y",
        "time_format": "H:i:s",
        "timezone": zone,
        "timezone_offset": now.isoformat()[-6:],
    }


METHODS = (Method("GET", "account", show),)
