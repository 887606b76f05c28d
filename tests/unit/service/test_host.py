"""The bridges and their service live and stop together."""

import asyncio
import os
import signal
import sys
from typing import Any

import httpx
import pytest

from kreslo.connectors.errors import ConfigurationError
from kreslo.service.app import create_app
from kreslo.service.host import KEEP_ALIVE_SECONDS, listen, run_together, stop_on_signals


def test_a_busy_port_is_a_setting_to_mend() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port} on 127.0.0.1 is taken"):
            listen("127.0.0.1", port)


def test_an_address_that_is_not_ours_is_a_setting_to_mend() -> None:
    with pytest.raises(ConfigurationError, match="--host"):
        listen("203.0.113.7", 0)  # TEST-NET-3: nobody's


def test_an_idle_connection_is_kept_longer_than_a_client_keeps_it() -> None:
    """Else a request meets a connection that is being closed just then, and its sender does not know what became of it."""
    client = httpx.Limits().keepalive_expiry
    assert client is not None
    assert client * 2 < KEEP_ALIVE_SECONDS


async def test_the_service_answers_while_the_bridge_runs_and_both_stop(bridge: Any) -> None:
    stop = asyncio.Event()
    with listen("127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        running = asyncio.create_task(run_together([bridge], create_app([bridge]), listener, stop))
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            assert (await client.get("/health")).status_code == 200
        stop.set()
        await asyncio.wait_for(running, 10)
    assert bridge.stopped


async def test_a_bridge_that_gives_up_stops_all_and_its_error_is_told(bridge: Any) -> None:
    bridge.fail = ConfigurationError("the webhook was revoked")
    with listen("127.0.0.1", 0) as listener, pytest.raises(ConfigurationError, match="revoked"):
        await asyncio.wait_for(
            run_together([bridge], create_app([bridge]), listener, asyncio.Event()), timeout=10
        )


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends the process there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_sets_stop_and_the_handlers_are_put_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    stop = asyncio.Event()
    with stop_on_signals(stop):
        os.kill(os.getpid(), number)
        await asyncio.wait_for(stop.wait(), 5)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before
