"""The CRM's time, whatever happens to our clock."""

from datetime import datetime, timedelta

from kreslo.connectors.server_clock import ServerClock
from kreslo.connectors.testing.clock import DAY, HandClock


class OurClock(HandClock):
    """`set_by`: how far somebody has set it."""

    set_by = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.set_by


def test_until_an_answer_tells_it_is_ours() -> None:
    ours = HandClock()
    ours.advance(5)
    assert ServerClock(ours).now() == DAY + timedelta(seconds=5)


def test_it_goes_on_from_the_last_answer_and_our_clock_may_be_set() -> None:
    # A list of what was made since a write would else begin after it, and the card be made twice (simulated seeds 138, 686,
    # 836, 1096); a look for what changed would pass over what staff did meanwhile.
    ours = OurClock()
    theirs = ServerClock(ours)
    theirs.tell(DAY.timestamp() + 60)
    ours.advance(10)
    ours.set_by = timedelta(seconds=-390)
    assert theirs.now() == DAY + timedelta(seconds=70)
    theirs.tell(DAY.timestamp() + 80)
    assert theirs.now() == DAY + timedelta(seconds=80)
