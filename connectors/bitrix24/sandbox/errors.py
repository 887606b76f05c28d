"""Errors as the portal answers them, with the two official tables of HTTP statuses.

The vendor's documentation has two texts on system errors that disagree on the status; the code is the same.
The switch `status_set` picks one.
"""

from typing import Any, Literal

StatusSet = Literal["old", "new"]

_STATUSES: dict[str, dict[StatusSet, int]] = {
    "QUERY_LIMIT_EXCEEDED": {"old": 503, "new": 503},
    "OPERATION_TIME_LIMIT": {"old": 429, "new": 429},
    "ERROR_BATCH_METHOD_NOT_ALLOWED": {"old": 405, "new": 405},
    "ERROR_BATCH_LENGTH_EXCEEDED": {"old": 400, "new": 400},
    "NO_AUTH_FOUND": {"old": 401, "new": 401},
    "INVALID_REQUEST": {"old": 400, "new": 401},
    "OVERLOAD_LIMIT": {"old": 503, "new": 401},
    "ACCESS_DENIED": {"old": 403, "new": 401},
    "INVALID_CREDENTIALS": {"old": 403, "new": 401},
    "insufficient_scope": {"old": 403, "new": 401},
    "expired_token": {"old": 401, "new": 401},
    "user_access_error": {"old": 403, "new": 401},
    "PORTAL_DELETED": {"old": 500, "new": 403},
    "ERROR_METHOD_NOT_FOUND": {"old": 404, "new": 404},
    "INTERNAL_SERVER_ERROR": {"old": 500, "new": 500},
}


class RestError(Exception):
    """A refusal with the portal's own code and text. `status` is that of a method's error; system errors take
    theirs from the table. The legacy CRM methods use an empty code.
    """

    def __init__(self, code: str, text: str, *, status: int = 400, system: bool = False) -> None:
        self.code = code
        self.text = text
        self.own_status = status
        self.system = system
        super().__init__(f"{code}: {text}")

    def status(self, status_set: StatusSet) -> int:
        if self.system and self.code in _STATUSES:
            return _STATUSES[self.code][status_set]
        return self.own_status

    def body(self) -> dict[str, Any]:
        return {"error": self.code, "error_description": self.text}


def crm_error(text: str) -> RestError:
    """A generic error of the legacy CRM methods: HTTP 400 with an empty code."""
    return RestError("", text)


def system_error(code: str, text: str) -> RestError:
    return RestError(code, text, system=True)


def missing_argument(name: str) -> RestError:
    """A controller method was called without a parameter it cannot do without."""
    return RestError("100", f"Could not find value for parameter {{{name}}}")
