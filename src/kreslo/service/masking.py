"""What may stand in a log line: the mask that every event passes through.

By construction, not by care: a text is printed only under a key of `FREE_TEXT`, or, where it is one ASCII word, of
`PLAIN`; under any other key it is cut to its length. Under every key, what looks like a phone or a secret is struck out. A name inside a free text
cannot be told from other words: those who log keep people out of the event's text, and put them under a key of
their own (`name`, `title`, …), where they are masked.
"""

import re
from collections.abc import Mapping, MutableMapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

from structlog.typing import WrappedLogger

from kreslo.records.names import mask_name
from kreslo.records.phones import mask_phone

STRUCK = "***"

FREE_TEXT = frozenset(
    [
        "advice",
        "detail",
        "error",
        "event",
        "exception",
        "field",
        "fields",
        "filename",
        "frames",
        "funnel",
        "hint",
        "message",
        "note",
        "path",
        "problem",
        "problems",
        "reason",
        "rule",
        "rules",
        "stage",
        "stages",
        "table",
        "where",
    ]
)
"""Keys whose text is ours or the administrator's (a stage's name), written for people; no patient's words."""

PLAIN = frozenset(
    [
        "action",
        "algorithm",
        "at",
        "bridge",
        "card",
        "case",
        "cases",
        "class",
        "code",
        "connector",
        "count",
        "counts",
        "cron",
        "cursor",
        "dialect",
        "entity",
        "endpoint",
        "error_kind",
        "fingerprint",
        "func_name",
        "horizon",
        "host",
        "id",
        "ids",
        "intent",
        "intents",
        "key",
        "kind",
        "level",
        "lineno",
        "logger",
        "method",
        "module",
        "outcome",
        "owner",
        "phase",
        "pid",
        "port",
        "priority",
        "process",
        "ref",
        "refs",
        "role",
        "semantic",
        "since",
        "source",
        "state",
        "states",
        "status",
        "target",
        "target_id",
        "thread",
        "timestamp",
        "type",
        "until",
        "url",
        "user",
        "version",
        "wake_at",
    ]
)
"""Keys whose text is an identifier: ASCII without blanks, or it is cut."""

NAMES = frozenset(
    {"surname", "name", "first_name", "last_name", "patronymic", "full_name", "patient", "guardian"}
)
PHONES = frozenset({"phone", "phones", "mobile", "tel"})
SECRETS = frozenset(
    {
        "token",
        "secret",
        "password",
        "webhook",
        "dsn",
        "authorization",
        "cookie",
        "key_file",
        "hook_token",
        "auth",
    }
)

_STRUCTLOG = frozenset({"exc_info", "_record", "_from_structlog"})
"""structlog's own: never printed as they are. `exc_info` is rendered after us, by `logs.frames`, without values."""
_WORDS = (str, bytes, list, dict)
"""What structlog itself never puts there: somebody else's words under its names."""

_OPAQUE = re.compile(r"(?=[0-9a-f-]*[a-f])[0-9a-f-]{16,64}")
_NUMBER = re.compile(r"[0-9]{1,9}")  # a patient's id is no name
_WORD = re.compile(r"[!-~]+")
_PHONE = re.compile(r"(?<![0-9])\+?\d(?:[\s().\-\u00a0\u2010-\u2015]*\d){9,14}(?!\d)")
_INSTANT = re.compile(r"(?:19|20)\d\d-[01]\d-[0-3]\d[ T]?(?:[0-2]\d)?")
_SECRETS = (
    (re.compile(r"(/rest/\d+/)[^/\s?\"']+"), rf"\1{STRUCK}"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[^\s\"',;]+"), rf"\1 {STRUCK}"),
    (re.compile(r"(://[^/\s:@]*:)[^@\s/]+(@)"), rf"\1{STRUCK}\2"),
    (
        re.compile(
            r"(?i)((?:access_|refresh_|application_)?token|secret|password|passwd|pwd|api_?key|auth)"
            r"(\"?'?\s*[=:]\s*\"?'?)[^\s&;,\"'}]+"
        ),
        rf"\1\2{STRUCK}",
    ),
)


def scrub(text: str) -> str:
    """The text without phones and secrets."""
    for pattern, stand_in in _SECRETS:
        text = pattern.sub(stand_in, text)
    return _PHONE.sub(_phone, text)


def mask_event(
    _logger: WrappedLogger, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Structlog's processor: the event with every value masked by its key."""
    return {
        key if key in _STRUCTLOG else _label(key): value
        if key in _STRUCTLOG and not isinstance(value, _WORDS)
        else _value(str(key).lower(), value)
        for key, value in event.items()
    }


def _value(key: str, value: object) -> object:
    if key in SECRETS:
        return STRUCK if value else value
    if isinstance(value, Mapping):
        return {_label(k): _value(_kin(key, str(k).lower()), v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_value(key, one) for one in value]
    if isinstance(value, Enum):  # its values are constants of the program
        return value.value
    if value is None or isinstance(value, (bool, float, Decimal, date, time, timedelta)):
        return value.isoformat() if isinstance(value, (datetime, date, time)) else _number(value)
    if isinstance(value, int):
        return value if len(str(abs(value))) < 10 or key in {"timestamp", "pid", "thread"} else STRUCK
    if isinstance(value, Path):
        return scrub(str(value))
    if isinstance(value, str):
        return _text(key, value)
    if isinstance(value, BaseException):
        return type(value).__name__
    return f"<{type(value).__name__}>"


def _text(key: str, value: str) -> str:
    if key in NAMES:
        return value if _NUMBER.fullmatch(value) else mask_name(scrub(value))
    if key in PHONES:
        return mask_phone(value)
    if key in FREE_TEXT:
        return scrub(value)
    if key in PLAIN or key.endswith("_id"):
        if _OPAQUE.fullmatch(value):
            return value
        if _WORD.fullmatch(value):
            return scrub(value)
    return f"{STRUCK}({len(value)})" if value else ""


def _kin(outer: str, inner: str) -> str:
    """A key inside a mapping that is itself personal stays personal: `patient={"id": …}` prints no more than its id."""
    return outer if outer in NAMES | PHONES and inner not in PLAIN else inner


def _label(key: object) -> str:
    """Keys are printed too; one that is no plain word may be somebody's data."""
    text = str(key)
    return text if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.:/-]{0,63}", text) and scrub(text) == text else STRUCK


def _number(value: object) -> object:
    return str(value) if isinstance(value, (Decimal, timedelta)) else value


def _phone(match: re.Match[str]) -> str:
    text = match.group()
    return text if _INSTANT.fullmatch(text) else f"{STRUCK}{re.sub(r'[^0-9]', '', text)[-2:]}"
