"""The wire to iDent's database: one connection, one thread, short transactions that only read."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from connectors.ident.dialects import Dialect
from connectors.ident.faults import fault

Result = TypeVar("Result")


class Database:
    """Runs blocking work beside the event loop, one piece at a time.

    The single thread is the queue: when a caller is cancelled, its query still ends before the next begins, so that
    the clinic's server never has two of ours.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._engine: Engine | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ident")

    async def run(self, work: Callable[[Connection], Result]) -> Result:
        """`work` with a connection in a transaction that is rolled back after it. Raises ConfigurationError
        (MissingObjectError for a table or column), PermissionDeniedError, OutageError.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)

    async def close(self) -> None:
        """Wait for what still runs, and hang up."""
        await asyncio.to_thread(self._thread.shutdown)
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _run(self, work: Callable[[Connection], Result]) -> Result:
        try:
            if self._engine is None:
                self._engine = self.dialect.engine()
            with self._engine.connect() as connection:
                return work(connection)
        except (SQLAlchemyError, sqlite3.Error) as error:
            # The driver's own error may quote the statement; only its words go on, as the detail.
            raise fault(error, self.dialect.label) from None
