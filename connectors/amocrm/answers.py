"""What an answer of amoCRM means. Sources: its API documentation («Коды ошибок», «Рекомендации»), and what users of
its official PHP client report: a limit is told by a page of HTML without Retry-After (issues 517, 526), a block by a
403 page (434, 563), a failure of their own by a 400 that asks to try again.
"""

from enum import StrEnum
from typing import Any

import httpx
import msgspec

from connectors.amocrm.limits import MOST_A_SECOND
from connectors.amocrm.wire import masked
from kreslo.connectors.errors import (
    ConfigurationError,
    DataError,
    ErrorKind,
    KresloError,
    LimitError,
    MissingRightError,
    OutageError,
    PermissionDeniedError,
    UnknownOutcomeError,
)
from kreslo.connectors.model import OutcomeKind


class Verdict(StrEnum):
    LIMIT = "limit"  # too many requests
    CROWDED = "crowded"  # not sent: other processes of ours use all that amoCRM lets through
    UNPAID = "unpaid"  # 402; on paid accounts too, for some minutes at night
    BLOCKED = "blocked"  # the whole API is closed to the account; only amoCRM's support opens it
    LOGIN = "login"  # 401
    PERMISSION = "permission"
    CONFIGURATION = "configuration"
    DATA = "data"
    OUTAGE = "outage"  # surely not executed
    UNKNOWN = "unknown"  # may have been executed


PERMISSION_PAUSE = 300.0
"""Seconds: a refused token says nothing about the card, so its change waits for a person rather than being parked."""
UNPAID_PAUSE = 180.0
_LIMIT_PAUSE = 2.0


class Refusal(msgspec.Struct, frozen=True):
    """A request that did not succeed. `named`: what is wrong with each item, by its request_id, where the answer says.
    `gone`: the card is not there. `too_heavy`: 504, the batch should be smaller.
    """

    verdict: Verdict
    text: str = ""
    retry_after: float | None = None
    named: dict[str, str] = {}
    gone: bool = False
    too_heavy: bool = False

    def error(self, doing: str) -> KresloError:
        """As an error of ours. `doing` names the request."""
        kind, words = _WORDS[self.verdict]
        told = "Подробнее" if self.verdict is Verdict.OUTAGE else "Ответ"
        said = f" {told}: {self.text}." if self.text else ""
        return kind(f"{words}{said}", detail=f"{doing}: {self.text}".strip(), retry_after=self.retry_after)

    def of(self, request_id: str) -> "Refusal":
        """What was wrong with this item."""
        text = self.named[request_id]
        return Refusal(Verdict.DATA, text, gone=_names_card(text))

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
        """Of a write. An account that is not paid for may still be read, so that only a refused write tells of it: as a
        login that is refused, it concerns every card, and the bridge has to pause and say so.
        """
        if self.verdict is Verdict.UNPAID:
            return ErrorKind.PERMISSION
        return _WORDS[self.verdict][0].kind


BLOCKED_WORDS = (
    "ТРЕВОГА: amoCRM закрыл API для аккаунта (403 на любой запрос). Kreslo остановил все запросы. Снять блокировку "
    "может только поддержка amoCRM: напишите ей, затем уменьшите rate и проверьте, не превышают ли предел другие "
    "интеграции."
)

_WORDS: dict[Verdict, tuple[type[KresloError], str]] = {
    Verdict.LIMIT: (LimitError, "amoCRM просит не спешить: слишком много запросов. Ждём и продолжаем сами."),
    Verdict.CROWDED: (
        LimitError,
        (
            f"В этот аккаунт amoCRM уже пишут другие процессы Kreslo на этой машине, и все {MOST_A_SECOND} запросов в "
            "секунду, которые пропускает amoCRM, заняты ими. Этот процесс ничего не отправляет и ждёт. Держите мосты одного аккаунта в одном процессе "
            "или уменьшите их rate."
        ),
    ),
    Verdict.UNPAID: (
        LimitError,
        (
            "amoCRM отвечает «аккаунт не оплачен» (402). Так бывает ночью и у оплаченных: ждём. Если не проходит за "
            "час, проверьте оплату."
        ),
    ),
    Verdict.BLOCKED: (PermissionDeniedError, BLOCKED_WORDS),
    Verdict.LOGIN: (
        PermissionDeniedError,
        "amoCRM не принял токен. Проверьте, что он не истёк и не отозван: «Ключи и доступы» в карточке интеграции.",
    ),
    Verdict.PERMISSION: (
        MissingRightError,
        "amoCRM отказал в доступе. Проверьте, что токен выпущен администратором и тариф аккаунта даёт API.",
    ),
    Verdict.CONFIGURATION: (ConfigurationError, "amoCRM не знает такого метода. Проверьте адрес аккаунта."),
    Verdict.DATA: (DataError, "amoCRM не принял эти данные."),
    Verdict.OUTAGE: (OutageError, "amoCRM не отвечает. Kreslo повторит сам; проверьте связь."),
    Verdict.UNKNOWN: (
        UnknownOutcomeError,
        "amoCRM не дал ясного ответа на запись. Kreslo сначала посмотрит, применилась ли она.",
    ),
}


def judge(response: httpx.Response, path: str) -> Refusal:
    """What an answer that is no success means. `path` below /api/v4."""
    body = _json(response)
    text = _said(body)
    match response.status_code:
        case 400:
            return _bad_request(body, text)
        case 401:
            return Refusal(Verdict.LOGIN, text, PERMISSION_PAUSE)
        case 402:
            return Refusal(Verdict.UNPAID, text, UNPAID_PAUSE)
        case 403 if body is None or path.split("?", 1)[0] == "account":
            return Refusal(Verdict.BLOCKED, "", PERMISSION_PAUSE)
        case 403:
            return Refusal(Verdict.PERMISSION, text, PERMISSION_PAUSE)
        case 404 if body is not None and text.startswith("Cannot "):
            return Refusal(Verdict.CONFIGURATION, text, PERMISSION_PAUSE)
        case 404:
            return Refusal(Verdict.DATA, text or "не найдено", gone=True)
        case 405:
            return Refusal(Verdict.CONFIGURATION, "метод не разрешён", PERMISSION_PAUSE)
        case 413:
            return Refusal(Verdict.OUTAGE, "запрос слишком велик", _LIMIT_PAUSE, too_heavy=True)
        case 429:
            return Refusal(Verdict.LIMIT, "", _patience(response, body))
        case 504:
            return Refusal(Verdict.UNKNOWN, "504", too_heavy=True)
        case status if status >= 500:
            return Refusal(Verdict.UNKNOWN, f"{status} {text}".strip())
        case status if status >= 300 and status < 400:
            return Refusal(
                Verdict.CONFIGURATION, "аккаунт переехал: возьмите его новый адрес", PERMISSION_PAUSE
            )
        case status:
            return Refusal(Verdict.DATA, f"{status} {text}".strip())


def _bad_request(body: dict[str, Any] | None, text: str) -> Refusal:
    if body is None:
        return Refusal(Verdict.UNKNOWN, "400 без объяснения")
    if isinstance(listed := body.get("validation-errors"), list):
        named: dict[str, str] = {}
        unnamed: list[str] = []
        for entry in listed:
            said = _validation(entry)
            if isinstance(entry, dict) and entry.get("request_id") is not None:
                named[str(entry["request_id"])] = said
            else:
                unnamed.append(said)
        shown = "; ".join([*unnamed, *named.values()][:3])
        return Refusal(Verdict.DATA, shown, named=named, gone=any(map(_names_card, unnamed)))
    codes = [row.get("code") for row in body.get("errors") or () if isinstance(row, dict)]
    if 226 in codes or "226" in codes:
        return Refusal(Verdict.DATA, text, gone=True)
    if "244" in text or "288" in text:
        return Refusal(Verdict.PERMISSION, text, PERMISSION_PAUSE)
    if "повторите" in text.lower() or "системная ошибка" in text.lower():
        return Refusal(Verdict.UNKNOWN, text)
    return Refusal(Verdict.DATA, text)


def _validation(entry: Any) -> str:
    rows = entry.get("errors") if isinstance(entry, dict) else None
    said = [
        f"{row.get('path') or '—'}: {row.get('code')} {row.get('detail') or ''}".strip()
        for row in rows or ()
        if isinstance(row, dict)
    ]
    return masked("; ".join(said))


def _names_card(text: str) -> bool:
    """Whether the id of the card itself is what was refused."""
    return text.split(":", 1)[0] in {"id", "entity_id"} and "NotSupportedChoice" in text


def _json(response: httpx.Response) -> dict[str, Any] | None:
    try:
        body = response.json()
    except ValueError:  # a gateway's page
        return None
    return body if isinstance(body, dict) else None


def _said(body: dict[str, Any] | None) -> str:
    if body is None:
        return ""
    return masked(str(body.get("detail") or body.get("title") or ""))


def _patience(response: httpx.Response, body: dict[str, Any] | None) -> float:
    told = response.headers.get("retry-after") or (body or {}).get("retry_after")
    try:
        return max(_LIMIT_PAUSE, min(float(told or 0), 3600.0))
    except ValueError:
        return _LIMIT_PAUSE
