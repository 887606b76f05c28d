"""`batch`: up to fifty commands one after another, each free to use the results of those before it."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from connectors.bitrix24.sandbox.calls import Answer
from connectors.bitrix24.sandbox.errors import RestError, system_error
from kreslo.connectors.sandboxing import php

LENGTH = 50
_REFERENCE = re.compile(r"\$result((?:\[[^\]]*\])+)")

Run = Callable[[str, dict[str, Any]], Awaitable[tuple[Answer, dict[str, Any]]]]
"""Calls one method with its parameters; gives its answer and time block. Raises RestError."""


def commands(params: dict[str, Any]) -> list[tuple[str, str]]:
    """Key and command; what is no text is passed over."""
    cmd = params.get("cmd", params.get("CMD"))
    return [(key, command) for key, command in php.pairs(cmd) if isinstance(command, str)]


def method_of(command: str) -> str:
    return command.partition("?")[0].strip().strip("/")


async def run(params: dict[str, Any], call: Run, *, limit: int | None = None) -> dict[str, Any]:
    """The sections of a batch's answer. `limit`: only so many commands are done (a fault strikes then)."""
    halt = php.truthy(params.get("halt", params.get("HALT")))
    results: dict[str, Any] = {}
    errors: dict[str, Any] = {}
    totals: dict[str, int] = {}
    nexts: dict[str, int] = {}
    times: dict[str, Any] = {}
    for at, (key, command) in enumerate(commands(params)):
        if limit is not None and at >= limit:
            break
        try:
            if at >= LENGTH:
                raise system_error("ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
            name, _, query = command.partition("?")
            if method_of(name).lower() == "batch":
                raise system_error("ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage")
            answer, times[key] = await call(method_of(name), _resolved(php.decode(query), results))
        except RestError as error:
            errors[key] = error.body()
            if halt:
                break
            continue
        results[key] = answer.result
        if answer.total is not None:
            totals[key] = answer.total
        if answer.next is not None:
            nexts[key] = answer.next
    return {
        "result": results,
        "result_error": errors,
        "result_total": totals,
        "result_next": nexts,
        "result_time": times,
    }


def _resolved(value: Any, results: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _resolved(below, results) for key, below in value.items()}
    if isinstance(value, list):
        return [_resolved(below, results) for below in value]
    if not isinstance(value, str) or "$result[" not in value:
        return value
    whole = _REFERENCE.fullmatch(value)
    if whole:
        return _looked_up(whole[1], results)
    return _REFERENCE.sub(lambda found: php.text(_looked_up(found[1], results)), value)


def _looked_up(path: str, results: dict[str, Any]) -> Any:
    here: Any = results
    for step in path[1:-1].split("]["):
        found = {key: below for key, below in php.pairs(here) if key == step}
        if not found:
            return ""
        here = found[step]
    return here
