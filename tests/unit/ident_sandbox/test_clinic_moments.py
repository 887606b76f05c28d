from datetime import datetime

import pytest

from connectors.ident.sandbox.moments import MomentError, instant, local, spoken

NOW = datetime.fromisoformat("2025-11-20 12:30")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("завтра 10:00", "2025-11-21 10:00"),
        ("Сегодня 9.15", "2025-11-20 09:15"),
        ("послезавтра 23:59", "2025-11-22 23:59"),
        ("18:45", "2025-11-20 18:45"),
        ("25.12 10:00", "2025-12-25 10:00"),
        ("3.1 10:00", "2026-01-03 10:00"),  # this year's has passed
        ("03.01.2025 10:00", "2025-01-03 10:00"),
        ("2025-12-25T10:00", "2025-12-25 10:00"),
        ("2025-12-25 10:00:30", "2025-12-25 10:00:30"),
        ("2025-12-25T07:00Z", "2025-12-25 10:00"),
    ],
)
def test_spoken_times_are_understood(text: str, meant: str) -> None:
    assert spoken(text, NOW) == datetime.fromisoformat(meant)


@pytest.mark.parametrize(
    "text", ["", "завтра", "завтра утром", "31.02 10:00", "24:00", "завтра 10:60", "скоро 10:00"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(MomentError):
        spoken(text, NOW)


def test_stored_text_and_instants_turn_into_each_other() -> None:
    assert instant("2025-11-20 12:30:00").isoformat() == "2025-11-20T09:30:00+00:00"
    assert str(local(instant("2025-11-20 12:30:00"))) == "2025-11-20 12:30:00"
