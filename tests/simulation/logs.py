"""What the engine writes into its log, as it would stand on the clinic's disk."""

import re
from types import TracebackType
from typing import Any, Self

import structlog

from kreslo.service.masking import mask_event

_PHONE = re.compile(r"\+?7900555\d{4}")


class LogBook:
    """Within `with`, all events go through the product's mask and are kept."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __enter__(self) -> Self:
        self._before = structlog.get_config()
        structlog.configure(processors=[mask_event, self._keep], cache_logger_on_first_use=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        structlog.configure(**self._before)

    def _keep(self, _logger: Any, _name: str, event: Any) -> Any:
        self.lines.append(str(dict(event)))
        raise structlog.DropEvent

    def leaks(self, secrets: list[str]) -> list[str]:
        """Lines that hold a patient's number or one of the secrets."""
        return [
            line for line in self.lines if _PHONE.search(line) or any(secret in line for secret in secrets)
        ]
