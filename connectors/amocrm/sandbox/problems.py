"""Refusals in amoCRM's own envelopes: problem documents, validation errors, a gateway's HTML pages."""

from typing import Any

import msgspec
from starlette.responses import Response

_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    422: "Unprocessable Entity",
}
_DETAILS = {
    "NotSupportedChoice": "The value you selected is not a valid choice.",
    "FieldMissing": "This field is missing.",
    "TooFew": "This collection should contain 1 element or more.",
    "TooMany": "This collection should contain 250 elements or less.",
    "InvalidFormat": "This value is not valid.",
}


class ApiError(Exception):
    """A refusal. `body` None: an empty one."""

    def __init__(self, status: int, body: dict[str, Any] | None) -> None:
        self.status = status
        self.body = body
        super().__init__(f"{status}: {body}")


def problem(status: int, detail: str, **more: Any) -> ApiError:
    shown = {"title": _TITLES[status], "type": f"https://httpstatus.es/{status}", "status": status}
    return ApiError(status, {**more, **shown, "detail": detail})


def unauthorized() -> ApiError:
    return problem(401, "Неверный логин или пароль")


def forbidden() -> ApiError:
    """The method is not for this integration: a matter of rights, unlike the HTML 403 of a blocked API."""
    return problem(403, "Invalid scope")


def unpaid() -> ApiError:
    return problem(402, "Аккаунт не оплачен")


def transient() -> ApiError:
    """A failure of their own that wears a 400."""
    return problem(400, "Возникла системная ошибка. Пожалуйста, повторите попытку.")


def gone() -> ApiError:
    """A deleted lead, in the older envelope."""
    return problem(
        400, "Lead is unavailable", errors=[{"code": 226, "detail": "Сделка удалена или недоступна"}]
    )


def no_rights() -> ApiError:
    return problem(400, "Код ошибки 244. Недостаточно прав или метод недоступен на тарифе")


def no_route(verb: str, url: str) -> ApiError:
    return problem(404, f"Cannot {verb} {url}!")


class Errors:
    """What is wrong with one item of a write."""

    def __init__(self) -> None:
        self.found: list[dict[str, str]] = []

    def add(self, code: str, path: str, detail: str = "") -> None:
        self.found.append({"code": code, "path": path, "detail": detail or _DETAILS[code]})

    def wrong_type(self, path: str, wanted: str) -> None:
        self.add("InvalidType", path, f"This value should be of type {wanted}.")


class Refused(msgspec.Struct, frozen=True):
    """One item of a write that was refused; without a `request_id` on the routes that do not name one."""

    errors: list[dict[str, str]]
    request_id: str | None = None

    def shown(self) -> dict[str, Any]:
        known = {} if self.request_id is None else {"request_id": self.request_id}
        return {**known, "errors": self.errors}


def invalid(refused: list[Refused]) -> ApiError:
    entries = [one.shown() for one in refused]
    return problem(400, "Request validation failed", **{"validation-errors": entries})


def invalid_one(code: str, path: str, *, request_id: str | None = None, detail: str = "") -> ApiError:
    errors = Errors()
    errors.add(code, path, detail)
    return invalid([Refused(errors.found, request_id)])


def as_response(error: ApiError) -> Response:
    if error.body is None:
        return Response(status_code=error.status)
    return Response(msgspec.json.encode(error.body), error.status, media_type="application/problem+json")
