"""Errors of connectors.

KresloError
├── ConfigurationError   the settings or the mapping are wrong; a person must change them
├── PermissionDeniedError     the login, token or webhook may not do this
├── DataError            this one record or card cannot be written as it is
├── LimitError           the outside system asks us to slow down; nothing was applied
├── OutageError          the outside system is not there; nothing was applied
└── UnknownOutcomeError       a write may or may not have been applied: probe before anything else

The class docstring's first paragraph is the default message for the user and says what to do.
"""

from enum import StrEnum


class ErrorKind(StrEnum):
    CONFIGURATION = "configuration"
    PERMISSION = "permission"
    DATA = "data"
    LIMIT = "limit"
    OUTAGE = "outage"
    UNKNOWN = "unknown"


class KresloError(Exception):
    """Something went wrong that Kreslo has no better word for; the log has the details."""

    kind: ErrorKind = ErrorKind.CONFIGURATION

    def __init__(self, message: str = "", *, detail: str = "", retry_after: float | None = None) -> None:
        """`message` is for the user; `detail` is for the log, without secrets or personal data;
        `retry_after` in seconds, where the outside system said so.
        """
        self.message = message or (self.__doc__ or "").split("\n\n")[0].strip()
        self.detail = detail
        self.retry_after = retry_after
        super().__init__(self.message)


class ConfigurationError(KresloError):
    """A setting is wrong. Run `kreslo check MAPPING` and mend what it names."""

    kind = ErrorKind.CONFIGURATION


class PermissionDeniedError(KresloError):
    """The outside system refused our login or token. Check its rights and that it has not been revoked."""

    kind = ErrorKind.PERMISSION


class MissingRightError(PermissionDeniedError):
    """The outside system lets us in, and refuses this one thing. Give the login the right to it."""


class DataError(KresloError):
    """The outside system refused this record. Correct it at its source; the rest goes on."""

    kind = ErrorKind.DATA


class LimitError(KresloError):
    """The outside system asks to slow down. Kreslo waits and goes on by itself."""

    kind = ErrorKind.LIMIT


class OutageError(KresloError):
    """The outside system does not answer. Kreslo tries again by itself; check that it is running."""

    kind = ErrorKind.OUTAGE


class UnknownOutcomeError(KresloError):
    """A write got no clear answer. Kreslo looks in the CRM whether it was applied before it does anything more."""

    kind = ErrorKind.UNKNOWN
