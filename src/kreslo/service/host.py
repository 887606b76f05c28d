"""One process: the bridges and their service in one event loop, stopped together."""

import asyncio
import contextlib
import errno
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from kreslo.connectors.errors import ConfigurationError
from kreslo.service.hosted import Hosted

GRACE_SECONDS = 10.0
KEEP_ALIVE_SECONDS = 75
"""How long an idle connection stays open, as with nginx: longer than clients keep one, whose next request would else meet
one that is being closed just then.
"""


class Server(uvicorn.Server):
    """uvicorn without its own signal handlers: Ctrl-C belongs to the whole process, not to its web part."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """A bound socket, so that a busy port is known before anything else starts. Raises ConfigurationError."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, OverflowError) as error:
        raise ConfigurationError(
            f"--host {host} --port {port} is no address of this machine: {error}"
        ) from error
    listener = socket.socket(family, socket.SOCK_STREAM)
    # Not on Windows: there SO_REUSEADDR lets two programs have one port.
    if hasattr(signal, "SIGHUP"):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigurationError(
                f"port {port} on {host} is taken by another program; stop it, or give another one with --port"
            ) from error
        raise ConfigurationError(
            f"port {port} on {host} cannot be opened ({error.strerror}); give another one with --port or --host"
        ) from error
    listener.setblocking(False)
    return listener


async def serve(app: ASGIApp, listener: socket.socket, stop: asyncio.Event) -> None:
    """Answer on the socket until `stop`."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=3,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        lifespan="off",
        server_header=False,
    )
    server = Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="service")
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([serving, stopped], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        server.should_exit = True
        await serving


async def run_together(
    bridges: Sequence[Hosted], app: ASGIApp, listener: socket.socket, stop: asyncio.Event
) -> None:
    """The bridges and the service until `stop`. If one of them fails, all are stopped and its error is raised."""
    parts = [asyncio.create_task(serve(app, listener, stop), name="service")]
    parts += [asyncio.create_task(bridge.run(stop), name=f"bridge {bridge.name}") for bridge in bridges]
    try:
        await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.set()
        _, late = await asyncio.wait(parts, timeout=GRACE_SECONDS)
        for part in late:
            part.cancel()
        ends = await asyncio.gather(*parts, return_exceptions=True)
    for end in ends:
        if isinstance(end, BaseException) and not isinstance(end, asyncio.CancelledError):
            raise end


@contextlib.contextmanager
def stop_on_signals(stop: asyncio.Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM set `stop`; a second one raises KeyboardInterrupt, at once. Works on Windows too, where loops
    know no signal handlers. Outside the main thread signals are left alone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt(number)
        loop.call_soon_threadsafe(stop.set)

    numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGBREAK] if hasattr(signal, "SIGBREAK") else [])]
    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
