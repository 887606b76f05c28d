"""The nightly comparison: once a night, or as soon as it can be where the machine was off at night."""

from datetime import datetime, time, timedelta

from kreslo.mapping.model import Bridge

AT = time(3, 0)
"""The clinic's local time at which nobody books."""

LATE = timedelta(hours=30)
"""After so long without a comparison the next does not wait for the night."""


def is_time(now: datetime, last: datetime | None, bridge: Bridge) -> bool:
    """Whether to compare now. `last`: when the last comparison ended, None before the first (which follows the first
    read closely and waits for the night).
    """
    local = now.astimezone(bridge.zone)
    tonight = datetime.combine(local.date(), AT, bridge.zone)
    if last is None:
        return False
    if now - last > LATE:
        return True
    return tonight <= local < tonight + timedelta(hours=3) and last < tonight
