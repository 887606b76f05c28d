"""What an answer of Bitrix24 means. Codes are compared without regard to case, and before the HTTP status: the
official texts disagree about statuses (Bitrix24 REST documentation, «System errors», old and new edition), and a
refusal can come with 200.
"""

from enum import StrEnum
from typing import Any

import msgspec

from connectors.bitrix24.wire import masked
from kreslo.connectors.errors import (
    ConfigurationError,
    DataError,
    ErrorKind,
    KresloError,
    LimitError,
    OutageError,
    PermissionDeniedError,
    UnknownOutcomeError,
)
from kreslo.connectors.model import OutcomeKind


class Verdict(StrEnum):
    LIMIT = "limit"  # too many requests; not executed
    BLOCKED = "blocked"  # this method has used up its working time; not executed
    PERMISSION = "permission"
    CONFIGURATION = "configuration"
    DATA = "data"
    OUTAGE = "outage"  # surely not executed
    UNKNOWN = "unknown"  # may have been executed


_CODES: dict[str, Verdict] = {
    "query_limit_exceeded": Verdict.LIMIT,
    "operation_time_limit": Verdict.BLOCKED,
    "error_batch_length_exceeded": Verdict.LIMIT,  # never sent by us; not executed, so to be sent again
    "connection_error": Verdict.OUTAGE,  # the portal could not reach its own authorization server
    "internal_server_error": Verdict.UNKNOWN,
    "error_unexpected_answer": Verdict.UNKNOWN,
    "error_method_not_found": Verdict.CONFIGURATION,
    "error_batch_method_not_allowed": Verdict.CONFIGURATION,
    "invalid_request": Verdict.CONFIGURATION,  # "Https required."
    "wrong_encoding": Verdict.CONFIGURATION,
} | dict.fromkeys(
    (
        "access_denied",
        "allowed_only_intranet_user",
        "application_not_found",
        "authorization_error",
        "error_oauth",
        "expired_token",
        "insufficient_scope",
        "invalid_credentials",
        "invalid_token",
        "method_confirm_denied",
        "method_confirm_waiting",
        "no_auth_found",
        "overload_limit",
        "payment_required",
        "portal_blocked_by_license_scanner",
        "portal_deleted",
        "user_access_error",
        "verification_needed",
        "wrong_auth_type",
    ),
    Verdict.PERMISSION,
)

_GONE_CODES = frozenset(("not_found", "owner_not_found", "error_not_found"))
_GONE_TEXTS = ("not found", "is not found", "element not found")

PERMISSION_PAUSE = 300.0
"""Seconds: a refused login says nothing about the card, so its change waits for a person rather than being parked."""


class Refusal(msgspec.Struct, frozen=True):
    """A call that did not succeed. `text` is the portal's own, masked; `seconds`: how long an answer was waited for,
    where none came.
    """

    verdict: Verdict
    code: str = ""
    text: str = ""
    retry_after: float | None = None
    seconds: float = 0.0

    @property
    def gone(self) -> bool:
        """The card that the call is about is not there: deleted, or merged into another."""
        if self.verdict is not Verdict.DATA:
            return False
        text = self.text.lower().strip(" .")
        return self.code.lower() in _GONE_CODES or any(text.endswith(ending) for ending in _GONE_TEXTS)

    def error(self, doing: str) -> KresloError:
        """As an error of ours. `doing` names the call."""
        detail = f"{doing}: {self.code or '—'} {self.text}".strip()
        said = f" Портал ответил: {self.text or self.code}." if self.text or self.code else ""
        kind, words = _WORDS[self.verdict]
        return kind(f"{words}{said}", detail=detail, retry_after=self.retry_after)

    @property
    def outcome(self) -> OutcomeKind:
        match self.verdict:
            case Verdict.UNKNOWN:
                return OutcomeKind.UNKNOWN
            case Verdict.DATA:
                return OutcomeKind.PERMANENT
            case _:
                return OutcomeKind.TRANSIENT

    @property
    def kind(self) -> ErrorKind:
        return _WORDS[self.verdict][0].kind


_WORDS: dict[Verdict, tuple[type[KresloError], str]] = {
    Verdict.LIMIT: (
        LimitError,
        "Битрикс24 просит не спешить: слишком много запросов. Ждём и продолжаем сами.",
    ),
    Verdict.BLOCKED: (
        LimitError,
        "Битрикс24 временно закрыл метод: исчерпано его рабочее время за 10 минут. Продолжим сами.",
    ),
    Verdict.PERMISSION: (
        PermissionDeniedError,
        "Битрикс24 отказал в доступе. Проверьте вебхук: он не отозван, владелец работает и имеет права на CRM, "  # noqa: ISC004
        "отмечен доступ «CRM (crm)», тариф портала даёт REST.",
    ),
    Verdict.CONFIGURATION: (
        ConfigurationError,
        "Битрикс24 не знает такого метода или не допускает его. Проверьте доступы вебхука и версию портала.",
    ),
    Verdict.DATA: (DataError, "Битрикс24 не принял эти данные."),
    Verdict.OUTAGE: (OutageError, "Битрикс24 не отвечает. Kreslo повторит сам; проверьте связь с порталом."),
    Verdict.UNKNOWN: (
        UnknownOutcomeError,
        "Битрикс24 не дал ясного ответа на запись. Kreslo сначала посмотрит, применилась ли она.",
    ),
}


def judge(status: int, code: Any, text: Any) -> Refusal:
    """What an error body means. `status` is 200 for a command inside a batch, where the portal gives none."""
    name, said = str(code or ""), masked(_plain(str(text or "")))
    verdict = _CODES.get(name.lower())
    if verdict is None:
        if _denied(said):
            verdict = Verdict.PERMISSION
        elif status >= 500 or "sql query error" in said.lower():
            # A failure in the middle of the portal's own work: what it had done by then, it does not say.
            verdict = Verdict.UNKNOWN
        else:
            verdict = Verdict.DATA
    return Refusal(verdict, name, said, _retry_after(verdict))


def _denied(text: str) -> bool:
    return text.lower().strip(" .!") in {"access denied", "доступ запрещен", "доступ запрещён"}


def _retry_after(verdict: Verdict) -> float | None:
    match verdict:
        case Verdict.LIMIT:
            return 2.0
        case Verdict.BLOCKED:
            return 60.0
        case Verdict.PERMISSION | Verdict.CONFIGURATION:
            return PERMISSION_PAUSE
        case Verdict.OUTAGE:
            return 10.0
        case _:
            return None


def _plain(text: str) -> str:
    return text.replace("<br>", " ").replace("<br/>", " ").replace("<br />", " ").strip()
