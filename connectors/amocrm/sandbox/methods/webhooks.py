"""/webhooks: subscriptions, by their destination."""

from typing import Any

from connectors.amocrm.sandbox.calls import EMPTY, Call, Method, Reply
from connectors.amocrm.sandbox.hooks import SETTINGS, Hook
from connectors.amocrm.sandbox.lists import whole
from connectors.amocrm.sandbox.problems import Errors, Refused, invalid, problem
from connectors.amocrm.sandbox.selecting import words
from connectors.amocrm.sandbox.tokens import ACCOUNT_ID

_MOST = 100


def find_many(call: Call) -> Reply:
    wanted = words(call.filter().get("destination"))
    hooks = [hook for hook in call.account.hooks.all.values() if not wanted or hook.destination in wanted]
    return whole(call, "webhooks", "webhooks", [_shown(call, hook) for hook in hooks]) if hooks else EMPTY


def _shown(call: Call, hook: Hook, *, settings: Any = None) -> dict[str, Any]:
    return {
        "id": hook.id,
        "destination": hook.destination,
        "created_at": hook.created_at,
        "updated_at": hook.updated_at,
        "account_id": ACCOUNT_ID,
        "created_by": hook.created_by,
        "sort": hook.sort,
        "disabled": hook.disabled,
        "settings": hook.settings if settings is None else settings,
        "_links": call.href("webhooks"),
    }


def subscribe(call: Call) -> Reply:
    """The same destination again keeps its id and takes the new settings."""
    item = call.object()
    account, now = call.account, call.account.now()
    settings = _settings(item.get("settings"))
    errors = Errors()
    destination = item.get("destination")
    if not isinstance(destination, str) or not destination.startswith(("http://", "https://")):
        errors.add("FieldMissing" if destination is None else "InvalidFormat", "destination")
    if settings is None:
        errors.add("FieldMissing", "settings")
    elif not settings or set(settings) - SETTINGS:
        errors.add("NotSupportedChoice" if settings else "TooFew", "settings")
    hook = next((one for one in account.hooks.all.values() if one.destination == destination), None)
    if hook is None and len(account.hooks.all) >= _MOST:
        errors.add("TooMany", "", "This collection should contain 100 elements or less.")
    if errors.found or settings is None:
        raise invalid([Refused(errors.found)])
    if hook is None:
        hook = Hook(
            id=account.next_id("webhooks"),
            destination=str(destination),
            settings=[],
            sort=0,
            created_at=now,
            updated_at=now,
            created_by=call.user_id,
        )
        account.hooks.all[hook.id] = hook
    hook.settings, hook.updated_at, hook.disabled = settings, now, False
    hook.sort = item["sort"] if isinstance(item.get("sort"), int) else hook.sort
    hook.invalid.clear()
    as_map = account.switches.hook_settings == "map"
    return Reply(_shown(call, hook, settings=dict.fromkeys(settings, 1) if as_map else settings), 201)


def _settings(raw: Any) -> list[str] | None:
    if isinstance(raw, list) and all(isinstance(one, str) for one in raw):
        return list(dict.fromkeys(raw))
    return None


def unsubscribe(call: Call) -> Reply:
    destination = call.object().get("destination")
    hook = next((one for one in call.account.hooks.all.values() if one.destination == destination), None)
    if hook is None:
        raise problem(404, "Webhook not found")
    del call.account.hooks.all[hook.id]
    return EMPTY


METHODS = (
    Method("GET", "webhooks", find_many, admin=True),
    Method("POST", "webhooks", subscribe, admin=True),
    Method("DELETE", "webhooks", unsubscribe, admin=True),
)
