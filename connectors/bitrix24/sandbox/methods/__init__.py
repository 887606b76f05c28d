"""Every method that the sandbox serves, by its lower-case name."""

from typing import Any

from connectors.bitrix24.sandbox.calls import Call, Method
from connectors.bitrix24.sandbox.methods import (
    activities,
    bindings,
    dictionaries,
    duplicates,
    events,
    history,
    items,
    legacy,
    older,
    products,
    system,
    tasks,
    timeline,
    userfieldconfig,
    userfields,
)
from kreslo.connectors.sandboxing import php

_SCOPES = {"user": {"user", "user_basic", "user_brief"}, "task": {"task", "tasks"}}


def find(name: str) -> Method | None:
    """The method of that name, whatever the case it is written in."""
    return _METHODS.get(name.lower())


def in_scope(method: Method, scopes: tuple[str, ...]) -> bool:
    return not method.scope or bool(_SCOPES.get(method.scope, {method.scope}) & set(scopes))


def _method_get(call: Call) -> dict[str, bool]:
    method = find(php.text(call.legacy("name")))
    available = method is not None and in_scope(method, call.portal.switches.scopes)
    return {"isExisting": method is not None, "isAvailable": available}


def _methods(call: Call) -> list[str]:
    return sorted(
        method.name for method in _METHODS.values() if in_scope(method, call.portal.switches.scopes)
    )


def _all() -> dict[str, Method]:
    found = [Method("method.get", "", _method_get), Method("methods", "", _methods)]
    parts: tuple[Any, ...] = (
        activities,
        bindings,
        dictionaries,
        duplicates,
        events,
        history,
        items,
        legacy,
        older,
        products,
        system,
        tasks,
        timeline,
        userfieldconfig,
        userfields,
    )
    for part in parts:
        found += part.methods()
    return {method.name.lower(): method for method in found}


_METHODS = _all()
