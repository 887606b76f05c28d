"""Logs: structlog and the standard library's loggers through one mask, as JSON lines or for a console."""

import logging
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import structlog
from structlog.typing import ExcInfo, Processor

from kreslo.connectors.errors import ConfigurationError, KresloError
from kreslo.service.masking import mask_event, scrub

Style = Literal["json", "console"]


def set_up_logs(*, level: str = "info", style: Style | None = None, file: Path | None = None) -> None:
    """From now on every event goes to stderr, or as JSON lines to `file`. `style` None: console on a terminal, else
    JSON. Raises ConfigurationError where the file cannot be written or the level is none.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ConfigurationError(f'no log level "{level}"; take debug, info, warning or error')
    handler = _handler(file)
    chosen = style or ("console" if file is None and sys.stderr.isatty() else "json")
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        mask_event,
        structlog.processors.ExceptionRenderer(frames),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(chosen)],
        )
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(number)
    for chatty in ("alembic", "asyncio", "httpcore", "httpx", "sqlalchemy", "uvicorn", "watchfiles"):
        logging.getLogger(chatty).setLevel(max(number, logging.WARNING))


def frames(exc_info: ExcInfo) -> str:
    """A traceback without values: where it went, and the types of what went wrong. The text of a foreign error may
    quote a row or a request, so only our own errors' texts are kept, and those scrubbed.
    """
    _type, error, tb = exc_info
    lines = _trace(tb)
    seen: BaseException | None = error
    while seen is not None:
        said = f": {seen.message} {seen.detail}".rstrip() if isinstance(seen, KresloError) else ""
        lines.append(f"{type(seen).__module__}.{type(seen).__qualname__}{scrub(said)}")
        if isinstance(seen, BaseExceptionGroup):
            lines.extend(f"  {frames((type(one), one, one.__traceback__))}" for one in seen.exceptions)
        cause = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
        if cause is not None:
            lines += ["caused by", *_trace(cause.__traceback__)]
        seen = cause
    return "\n".join(lines)


def _trace(tb: TracebackType | None) -> list[str]:
    return [f"{step.filename}:{step.lineno} {step.name}" for step in traceback.extract_tb(tb)]


def _handler(file: Path | None) -> logging.Handler:
    if file is None:
        return logging.StreamHandler(sys.stderr)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return logging.FileHandler(file, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"the log file {file} cannot be written ({error.strerror}); give a path that Kreslo may write to"
        ) from error


def _renderer(style: Style) -> Any:
    if style == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
