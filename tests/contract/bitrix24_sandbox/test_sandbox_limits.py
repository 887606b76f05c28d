"""The leaky bucket and the operating time, on a clock that is driven."""

from b24_portal import Build


async def test_the_bucket_refuses_the_request_over_its_size_and_drains_two_a_second(portal: Build) -> None:
    async with portal(burst=50) as rest:
        statuses = [(await rest.raw("profile")).status_code for _ in range(51)]
        assert statuses == [200] * 50 + [503]
        assert await rest.refused("profile") == (503, "QUERY_LIMIT_EXCEEDED", "Too many requests")
        rest.clock.advance(1)
        assert [(await rest.raw("profile")).status_code for _ in range(3)] == [200, 200, 503]
        stats = await rest.stats()
        assert stats["limit_violations"] == 3
        assert stats["requests"] == 55
        assert stats["max_per_second"] == 52
        assert stats["max_bucket_level"] == 50


async def test_a_batch_counts_as_one_request(portal: Build) -> None:
    async with portal(burst=2) as rest:
        await rest.batch({f"c{at}": "profile" for at in range(50)})
        assert (await rest.raw("profile")).status_code == 200
        stats = await rest.stats()
        assert (stats["max_bucket_level"], stats["commands"], stats["by_method"]) == (
            2,
            {"profile": 50},
            {"batch": 1, "profile": 1},
        )


async def test_the_refusal_comes_before_everything_else(portal: Build) -> None:
    async with portal(burst=1) as rest:
        await rest.raw("profile")
        assert (await rest.http.post(f"{rest.base}/rest/1/wrong/nothing")).status_code == 503


async def test_limits_can_be_turned_while_it_runs(portal: Build) -> None:
    async with portal() as rest:
        await rest.order("limits", {"burst": 1, "rate": 5})
        assert [(await rest.raw("profile")).status_code for _ in range(2)] == [200, 503]


async def test_operating_time_blocks_that_method_until_the_oldest_minute_expires(portal: Build) -> None:
    async with portal(operating_limit=10, costs={"crm.deal.list": 6}) as rest:
        first = await rest.body("crm.deal.list")
        assert first["time"]["operating"] == 6
        rest.clock.advance(120)
        second = await rest.body("crm.deal.list")
        assert second["time"]["operating"] == 12
        assert second["time"]["operating_reset_at"] == first["time"]["operating_reset_at"]
        blocked = (429, "OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.")
        assert await rest.refused("crm.deal.list") == blocked
        assert await rest.call("crm.lead.list") == []
        rest.clock.advance(480)
        assert (await rest.body("crm.deal.list"))["time"]["operating"] == 12
        assert (await rest.stats())["operating_refusals"] == 1


async def test_inside_a_batch_the_blocked_command_alone_fails_and_batch_itself_is_free(portal: Build) -> None:
    async with portal(operating_limit=1, costs={"crm.deal.list": 2, "batch": 100}) as rest:
        await rest.batch({"a": "crm.deal.list"})
        answer = await rest.batch({"a": "crm.deal.list", "b": "profile"})
        assert answer["result_error"]["a"]["error"] == "OPERATION_TIME_LIMIT"
        assert list(answer["result"]) == ["b"]


async def test_short_calls_are_not_counted(portal: Build) -> None:
    async with portal(operating_limit=0, costs={"profile": 0.1}) as rest:
        for _ in range(5):
            assert (await rest.body("profile"))["time"]["operating"] == 0
        await rest.order("costs", {"profile": 0.2})
        assert (await rest.body("profile"))["time"]["operating"] == 0.2
        assert (await rest.refused("profile"))[0] == 429


async def test_the_threshold_is_a_switch(portal: Build) -> None:
    async with portal(operating_threshold=0.0, costs={"profile": 0.05}) as rest:
        assert (await rest.body("profile"))["time"]["operating"] == 0.05


async def test_the_control_plane_drives_the_clock(portal: Build) -> None:
    async with portal() as rest:
        assert (await rest.order("clock", {"seconds": 90}))["now"] == "2025-03-03T09:01:30+00:00"
        assert await rest.call("server.time") == "2025-03-03T12:01:30+03:00"
