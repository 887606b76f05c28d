"""What can be set about the sandbox when it is built (`SandboxPlan.switches`); README.md says what each is for.

What amoCRM's documentation leaves open, and nobody has published a measurement of, is a switch: a connector has to hold
with each of them turned.
"""

from typing import Any, Literal

import msgspec

from kreslo.connectors.errors import ConfigurationError


class Switches(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`rate`, `account_rate`: requests in any window of one second. `block_after`: that many refusals within
    `block_window` seconds block the API until it is unblocked; 0 never. Times in seconds, unless they say days.
    """

    timezone: str = "Europe/Moscow"
    rate: int = 7
    account_rate: int = 50
    count_by: Literal["integration", "address"] = "integration"
    block_after: int = 20
    block_window: float = 60.0
    too_many_body: Literal["html", "json"] = "html"
    too_many_retry_after: int | None = None
    too_many_applied: bool = False
    batch_on_error: Literal["nothing", "valid"] = "nothing"
    search_lag: float = 2.0
    search_mode: Literal["digits", "raw"] = "digits"
    search_min: int = 1
    search_noise: int = 1
    api_filter: bool = False
    range_borders: Literal["inclusive", "exclusive"] = "inclusive"
    missing_patch: Literal["validation", "not_found", "226"] = "validation"
    updated_at_sent: Literal["ignored", "stored"] = "ignored"
    name_parts: Literal["name", "parts"] = "name"
    date_cut: Literal["account", "utc"] = "account"
    repeat_link: Literal["ok", "error"] = "ok"
    lead_patch: Literal["flat", "wrapped"] = "flat"
    pipeline_by_id: Literal["bare", "wrapped"] = "bare"
    required_statuses: Literal["ui", "api"] = "ui"
    unsorted_moves: bool = False
    call_without_entity: Literal["error", "skip"] = "error"
    complex_merges: bool = False
    duplicate_phones: Literal["digits", "raw"] = "digits"
    events_limit: Literal[100, 250] = 100
    refresh_grace: float = 0.0
    trash_days: float = 30.0
    merge_event: bool = True
    merge_hooks: bool = True
    hooks_of_api: bool = True
    hook_author: Literal["user", "zero"] = "user"
    hook_settings: Literal["map", "list"] = "map"
    hook_timeout: float = 2.0
    hook_lose_every: int = 0
    hook_repeat_every: int = 0
    hook_reverse: bool = False
    admin: bool = True
    external: bool = False


UNVERIFIED: tuple[dict[str, Any], ...] = (
    {"count_by": "address"},
    {"too_many_body": "json", "too_many_retry_after": 5},
    {"too_many_applied": True},
    {"batch_on_error": "valid"},
    {"search_mode": "raw"},
    {"search_lag": 30.0},
    {"search_min": 6},
    {"search_noise": 5},
    {"api_filter": True},
    {"range_borders": "exclusive"},
    {"missing_patch": "not_found"},
    {"missing_patch": "226"},
    {"updated_at_sent": "stored"},
    {"name_parts": "parts"},
    {"date_cut": "utc"},
    {"repeat_link": "error"},
    {"lead_patch": "wrapped"},
    {"pipeline_by_id": "wrapped"},
    {"required_statuses": "api"},
    {"unsorted_moves": True},
    {"call_without_entity": "skip"},
    {"complex_merges": True},
    {"complex_merges": True, "duplicate_phones": "raw"},
    {"events_limit": 250},
    {"refresh_grace": 60.0},
    {"trash_days": 0.0},
    {"merge_event": False},
    {"merge_hooks": False},
    {"hooks_of_api": False},
    {"hook_author": "zero"},
    {"hook_settings": "list"},
)
"""Every other way in which the real account may turn out to behave: run a connector's suite with each, one at a time."""


def switches_of(values: dict[str, Any]) -> Switches:
    """Validated switches. Raises ConfigurationError, naming the one that is wrong."""
    try:
        return msgspec.convert(values, Switches)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"the amoCRM sandbox does not know this switch: {error}") from error
