"""What can be set about the sandbox when it is built (`SandboxPlan.switches`); README.md says what each is for."""

from typing import Any, Literal

import msgspec

from connectors.bitrix24.sandbox.errors import StatusSet
from kreslo.connectors.errors import ConfigurationError

_DEFAULT_COSTS: dict[str, float] = {
    "*": 0.02,
    "*.add": 0.05,
    "*.update": 0.05,
    "*.set": 0.05,
    "*.delete": 0.05,
}


class Switches(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`rate`, `burst`: the leaky bucket, requests a second and its size. `operating_limit`, `operating_threshold`:
    seconds. `costs`: seconds of operating time a method (a card of crm.item.batchImport), `*` at either end stands for
    anything. `request_limit`: seconds of work after which the gateway gives up on a request; `work_takes_time`: whether
    that work passes on the clock. `access_seconds`: how long an application's access token lives.
    """

    preset: Literal["clinic"] = "clinic"
    timezone: str = "Europe/Moscow"
    status_set: StatusSet = "new"
    phone_search: Literal["normalised", "format_sensitive"] = "normalised"
    rate: float = 2.0
    burst: float = 50.0
    operating_limit: float = 480.0
    operating_threshold: float = 0.1
    costs: dict[str, float] = msgspec.field(default_factory=lambda: dict(_DEFAULT_COSTS))
    request_limit: float = 60.0
    work_takes_time: bool = False
    legacy_total_minus_one: int | None = 0
    opportunity_alone_manual: bool = True
    lead_id_on_update: bool = False
    unknown_filter: Literal["dropped", "refused"] = "dropped"
    joins_identical: bool = True
    legacy_checks_mandatory: bool = False
    userfield_list_needs_admin: bool = False
    findbycomm_code: Literal["empty", "text"] = "empty"
    crm_mode: Literal[1, 2] = 1
    scopes: tuple[str, ...] = ("crm", "task", "user", "user_basic", "userfieldconfig")
    admin: bool = True
    plan: str = "basic"
    rest_by_plan: bool = True
    closed: bool = False
    overloaded: bool = False
    webhook_expired: bool = False
    extended_offline: bool = True
    access_seconds: float = 3600.0
    renamed_to: str = ""


TURNED = frozenset(
    {
        *("status_set", "phone_search", "request_limit", "work_takes_time", "legacy_total_minus_one"),
        *("opportunity_alone_manual", "lead_id_on_update", "crm_mode", "scopes", "admin", "plan"),
        *("unknown_filter", "joins_identical", "legacy_checks_mandatory", "userfield_list_needs_admin"),
        "findbycomm_code",
        *("rest_by_plan", "closed", "overloaded", "webhook_expired", "extended_offline", "renamed_to"),
    }
)
"""Switches that can be thrown while the sandbox runs; limits and costs have orders of their own."""


def turn(switches: Switches, values: dict[str, Any]) -> None:
    """Throw some while it runs. Raises ConfigurationError, naming the one that is wrong or cannot be turned."""
    for name in values:
        if name not in TURNED:
            raise ConfigurationError(
                f"no switch {name!r} that can be turned; there are {', '.join(sorted(TURNED))}"
            )
    checked = switches_of(values)
    for name in values:
        setattr(switches, name, getattr(checked, name))


def switches_of(values: dict[str, Any]) -> Switches:
    """Validated switches. Raises ConfigurationError, naming the one that is wrong."""
    try:
        switches = msgspec.convert(values, Switches)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"the Bitrix24 sandbox does not know this switch: {error}") from error
    switches.costs = {**_DEFAULT_COSTS, **{method.lower(): cost for method, cost in switches.costs.items()}}
    return switches
