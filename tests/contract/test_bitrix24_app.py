"""The target as a local application: tokens that expire, are renewed once, and outlive a restart."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from connectors.bitrix24 import connector as bitrix24
from connectors.bitrix24.sandbox.oauth import CLIENT_ID, CLIENT_SECRET
from kreslo.connectors.contract import Target
from kreslo.connectors.errors import ConfigurationError, PermissionDeniedError
from kreslo.connectors.model import CreateCard, Entity, Needed, OutcomeKind
from kreslo.connectors.testing import TargetRig, open_rig

KEY = Fernet.generate_key().decode()


@pytest.fixture
async def rig() -> AsyncIterator[TargetRig]:
    async with open_rig(bitrix24) as rig:
        await rig.target.setup(Needed(), dry_run=False)
        yield rig


async def opened(rig: TargetRig, folder: Path, **more: Any) -> Target:
    installed = (await rig.control("POST", "install", {}))["auth"]
    app = {
        "portal": "http://127.0.0.1",
        "oauth": "http://127.0.0.1",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "key": KEY,
        "tokens": str(folder / "tokens"),
        "refresh_token": installed["refresh_token"],
    }
    return rig.build(webhook=None, app={**app, **more})


async def test_an_hour_later_the_token_is_renewed_once_and_the_write_is_done_once(
    rig: TargetRig, tmp_path: Path
) -> None:
    target = await opened(rig, tmp_path)
    await target.catalog()
    refreshes = rig.app.state.portal.tokens.refreshes  # type: ignore[attr-defined]
    rig.clock.advance(3700)
    changes = [rig.change(CreateCard(entity=Entity.DEAL, key=f"k/{at}")) for at in range(60)]
    first, second = await asyncio.gather(target.apply(changes[:30]), target.apply(changes[30:]))
    assert {one.kind for one in (*first, *second)} == {OutcomeKind.CONFIRMED}
    assert len(await rig.state("deals")) == 60
    assert rig.app.state.portal.tokens.refreshes == refreshes + 1  # type: ignore[attr-defined]
    await target.close()


async def test_the_pair_outlives_a_restart_and_its_file_tells_nothing(rig: TargetRig, tmp_path: Path) -> None:
    target = await opened(rig, tmp_path)
    await target.catalog()
    await target.close()
    file = tmp_path / "tokens"
    assert file.stat().st_mode & 0o077 == 0
    assert b"access" not in file.read_bytes()
    again = await opened(rig, tmp_path, refresh_token=None)
    await again.catalog()
    await again.close()
    with pytest.raises(ConfigurationError, match="не читается"):
        await (other := await opened(rig, tmp_path, key=Fernet.generate_key().decode())).catalog()
    await other.close()


async def test_where_the_pair_is_lost_the_token_of_a_new_installation_is_taken(
    rig: TargetRig, tmp_path: Path
) -> None:
    """The portal spends a refresh token before its answer is written down, so a crash between the two loses the pair."""
    target = await opened(rig, tmp_path)
    await target.catalog()
    before = (tmp_path / "tokens").read_bytes()
    rig.clock.advance(3700)
    await target.catalog()
    await target.close()
    (tmp_path / "tokens").write_bytes(before)  # killed before it was kept

    refused = await opened(rig, tmp_path, refresh_token="spent")
    with pytest.raises(PermissionDeniedError, match="установите приложение заново"):
        await refused.catalog()
    await refused.close()
    again = await opened(rig, tmp_path)
    await again.catalog()
    await again.close()
    kept = await opened(rig, tmp_path, refresh_token=None)
    await kept.catalog()
    await kept.close()


async def test_a_bridge_that_was_idle_while_another_one_renewed_renews_once_more(
    rig: TargetRig, tmp_path: Path
) -> None:
    """The token that it finds in their common file may have expired as well by then."""
    idle, busy = await opened(rig, tmp_path), await opened(rig, tmp_path)
    await idle.catalog()
    for target in (busy, idle):
        rig.clock.advance(3700)
        await target.catalog()
    for target in (idle, busy):
        await target.close()


@pytest.mark.parametrize(
    "wrong", [{"client_id": "nobody"}, {"client_secret": "x"}, {"refresh_token": "spent"}]
)
async def test_what_the_authorization_server_refuses_is_a_refused_login(
    rig: TargetRig, tmp_path: Path, wrong: dict[str, str]
) -> None:
    target = await opened(rig, tmp_path, **wrong)
    with pytest.raises(PermissionDeniedError) as refusal:
        await target.catalog()
    for secret in (CLIENT_SECRET, "spent"):
        assert secret not in f"{refusal.value.message} {refusal.value.detail} {target!r}"
    await target.close()


async def test_a_refused_login_is_not_tried_again_by_each_of_many_that_ask_together(
    rig: TargetRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not again within a minute; a pair that somebody else has fetched meanwhile is taken at once."""
    target = await opened(rig, tmp_path)
    await target.catalog()
    good = (tmp_path / "tokens").read_bytes()
    rig.clock.advance(3700)
    tokens = rig.app.state.portal.tokens  # type: ignore[attr-defined]
    tried = 0
    exchange = tokens.exchange

    def refused(asked: dict[str, Any], base: str) -> Any:
        nonlocal tried
        tried += 1
        return exchange({**asked, "refresh_token": "spent"}, base)

    monkeypatch.setattr(tokens, "exchange", refused)
    outcomes = await asyncio.gather(*(target.catalog() for _ in range(4)), return_exceptions=True)
    assert {type(each) for each in outcomes} == {PermissionDeniedError}
    assert tried == 2, "what was kept, and what was installed"
    asked = (await rig.control("GET", "stats"))["requests"]
    rig.clock.advance(30)
    with pytest.raises(PermissionDeniedError):
        await target.catalog()
    assert tried == 2
    rig.clock.advance(31)
    with pytest.raises(PermissionDeniedError):
        await target.catalog()
    assert tried == 4
    assert (await rig.control("GET", "stats"))["requests"] == asked, (
        "with a token that is known to have ended"
    )

    monkeypatch.setattr(tokens, "exchange", exchange)
    (tmp_path / "tokens").write_bytes(good)
    beside = await opened(rig, tmp_path)
    await beside.catalog()
    refreshes = tokens.refreshes
    await target.catalog()
    await target.catalog()
    assert tokens.refreshes == refreshes
    for each in (beside, target):
        await each.close()
