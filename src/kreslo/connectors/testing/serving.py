"""A sandbox behind a real socket of this machine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """The address of a running server. Close every client inside, or the end waits for it."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", lifespan="off", ws="none")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    # Not serve(): its loop wakes ten times a second, and each test would wait for that.
    await server.startup()
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        # Not shutdown(): it always sleeps a tenth of a second. The clients have closed their side already.
        while server.server_state.connections:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        for listening in server.servers:
            listening.close()
            await listening.wait_closed()
