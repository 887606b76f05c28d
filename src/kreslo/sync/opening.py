"""Opening a bridge: its mapping, its journal and lock, both sides connected, the mapping's names resolved."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog
from pydantic import ValidationError

from kreslo.connectors.contract import Seams, Source, Target, source_connector, target_connector
from kreslo.connectors.errors import (
    ConfigurationError,
    ErrorKind,
    OutageError,
    PermissionDeniedError,
)
from kreslo.connectors.model import Problem
from kreslo.journal import BridgeLock, Journal
from kreslo.mapping.load import MappingFile, load, resolve
from kreslo.sync.bridge import BridgeRun
from kreslo.sync.status import BridgeStatus
from kreslo.sync.threads import InPlace, Threads, WorkerThread

log = structlog.get_logger(__name__)


async def open_bridge(
    path: Path,
    *,
    state: str,
    seams: Seams,
    on_progress: Callable[[BridgeStatus], None] | None = None,
    env: Mapping[str, str] | None = None,
    in_place: bool = False,
) -> BridgeRun:
    """Loads the mapping, opens the journal (SQLAlchemy URL) and takes the bridge's lock, connects both sides and
    resolves the mapping's names. `in_place`: no worker thread (simulator, tests).

    Raises KresloError with a message for the user: a wrong mapping or option, a side that does not answer, a login
    that is refused, a state that cannot be written.
    """
    mapping = load(path, environ=env)
    threads: Threads = InPlace() if in_place else WorkerThread()
    beside: Threads = InPlace() if in_place else WorkerThread()
    whole: Journal | None = None
    lock: BridgeLock | None = None
    source: Source | None = None
    target: Target | None = None
    try:
        whole = await threads.run(Journal.open, state)
        lock = await threads.run(whole.lock, mapping.name, f"pid {os.getpid()}")
        source = build_source(mapping, seams)
        target = build_target(mapping, seams)
        _fail_on([*await source.check(), *await target.check()])
        catalog = await target.catalog()
        bridge = resolve(mapping, catalog)
        journal = whole.bridge(mapping.name, mapping.endpoints.source_id)
        run = BridgeRun(
            mapping=mapping,
            bridge=bridge,
            source=source,
            target=target,
            whole=whole,
            lock=lock,
            journal=journal,
            seams=seams,
            threads=threads,
            beside=beside,
            me=catalog.me,
            on_progress=on_progress,
        )
        await run.start()
    except BaseException:
        for side in (source, target):
            if side is not None:
                await side.close()
        if lock is not None:
            await threads.run(lock.release)
        if whole is not None:
            await threads.run(whole.close)
        threads.close()
        beside.close()
        raise
    return run


def build_source(mapping: MappingFile, seams: Seams) -> Source:
    """The source of a mapping. Raises ConfigurationError naming the option that is wrong."""
    connector = source_connector(mapping.source.connector)
    try:
        options = connector.options.model_validate(mapping.source.options)
    except ValidationError as error:
        raise ConfigurationError(_options_message(mapping, "source", error)) from error
    return connector.build(options, seams)


def build_target(mapping: MappingFile, seams: Seams) -> Target:
    """The target of a mapping. Raises ConfigurationError naming the option that is wrong."""
    connector = target_connector(mapping.target.connector)
    try:
        options = connector.options.model_validate(mapping.target.options)
    except ValidationError as error:
        raise ConfigurationError(_options_message(mapping, "target", error)) from error
    return connector.build(options, seams)


def _options_message(mapping: MappingFile, side: str, error: ValidationError) -> str:
    lines = [
        f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}"
        for each in error.errors(include_input=False, include_url=False)
    ]
    return f"{mapping.path}: {side}: " + "; ".join(lines)


def _fail_on(problems: Sequence[Problem]) -> None:
    fatal = [problem for problem in problems if problem.fatal]
    for problem in problems:
        if not problem.fatal:
            log.warning("check", message=problem.message)
    if fatal:
        kinds = {ErrorKind.OUTAGE: OutageError, ErrorKind.PERMISSION: PermissionDeniedError}
        raise kinds.get(fatal[0].kind, ConfigurationError)("\n".join(problem.message for problem in fatal))
