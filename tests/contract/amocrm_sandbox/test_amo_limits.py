"""Seven requests in any window of one second; who goes on regardless is blocked."""

from amo_account import Api, opened


async def statuses(api: Api, times: int, pause: float = 0.0) -> list[int]:
    found = []
    for _ in range(times):
        found.append((await api.raw("GET", "account")).status_code)
        api.clock.advance(pause)
    return found


async def test_the_eighth_request_of_a_second_is_refused_in_html() -> None:
    async with opened({}) as api:
        assert await statuses(api, 8) == [200] * 7 + [429]
        answer = await api.raw("GET", "account")
        assert answer.status_code == 429
        assert answer.headers["content-type"].startswith("text/html")
        assert "retry-after" not in answer.headers
        assert "<h1>429 Too Many Requests</h1>" in answer.text
        stats = await api.control("stats")
        assert (stats["requests"], stats["limit_violations"], stats["max_per_second"]) == (9, 2, 9)
        assert (stats["max_served_per_second"], stats["by_method"]) == (7, {"GET /api/v4/account": 9})


async def test_no_window_of_a_second_holds_more_than_seven() -> None:
    """The window slides: seven at the end of one second and seven at the start of the next are too many."""
    async with opened({}) as api:
        api.clock.advance(0.9)
        assert await statuses(api, 7) == [200] * 7
        api.clock.advance(0.2)
        assert await statuses(api, 1) == [429]
        api.clock.advance(0.81)
        assert await statuses(api, 7) == [200] * 7
        assert (await api.control("stats"))["max_served_per_second"] == 7


async def test_a_client_that_spaces_its_calls_is_never_refused() -> None:
    async with opened({}) as api:
        assert await statuses(api, 60, pause=0.15) == [200] * 60
        assert (await api.control("stats"))["limit_violations"] == 0


async def test_a_refused_write_is_not_applied_unless_the_switch_says_so() -> None:
    for applied, made in ((False, 0), (True, 1)):
        async with opened({"rate": 0, "too_many_applied": applied}) as api:
            assert (await api.raw("POST", "leads", [{"name": "x"}])).status_code == 429
            assert len(await api.state("deals")) == made


async def test_the_body_of_a_429_is_a_switch() -> None:
    async with opened({"rate": 0, "too_many_body": "json", "too_many_retry_after": 5}) as api:
        answer = await api.raw("GET", "account")
        assert (answer.status_code, answer.json()["retry_after"], answer.headers["retry-after"]) == (
            429,
            5,
            "5",
        )


async def test_repeated_violations_block_everything_until_support_unblocks_it() -> None:
    async with opened({"block_after": 3}) as api:
        assert await statuses(api, 10) == [200] * 7 + [429] * 3
        api.clock.advance(3600)
        answer = await api.raw("GET", "account")
        assert answer.status_code == 403
        assert "<h1>403 Forbidden</h1>" in answer.text
        assert "nginx" in answer.text
        assert (await api.control("stats"))["blocked"] is True
        await api.order("limits", {"blocked": False})
        assert await statuses(api, 1) == [200]


async def test_violations_that_are_far_apart_do_not_block() -> None:
    async with opened({"block_after": 3, "block_window": 60.0}) as api:
        for _ in range(5):
            assert await statuses(api, 8) == [200] * 7 + [429]
            api.clock.advance(61)


async def test_an_account_has_a_limit_of_its_own_and_the_count_is_by_integration_or_by_address() -> None:
    async with opened({"rate": 10, "account_rate": 3}) as api:
        assert await statuses(api, 4) == [200] * 3 + [429]
    async with opened({"count_by": "address"}) as api:
        assert await statuses(api, 8) == [200] * 7 + [429]


async def test_limits_can_be_turned_while_it_runs_and_the_count_started_anew() -> None:
    async with opened({}) as api:
        await api.order("limits", {"rate": 1})
        assert await statuses(api, 2) == [200, 429]
        cleared = (await api.http.delete(f"{api.base}/_control/stats")).json()
        assert (cleared["requests"], cleared["max_served_per_second"]) == (0, 0)
