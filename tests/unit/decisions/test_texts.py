"""What clinic staff read: Russian first, English by setting."""

import re
from datetime import datetime
from string import Formatter

import pytest

from kreslo.decisions.texts import _TEXTS, KINDS, moment, phase_name, text
from kreslo.mapping.model import Phase

KNOWN = {"CRM", "MIS", "МИС"}
"""Abbreviations that staff use themselves."""

ALL = [(language, name) for language, texts in _TEXTS.items() for name in texts]


def test_every_language_says_the_same_things() -> None:
    """Each text in each language, with the same values in it."""
    assert set(_TEXTS) == set(KINDS) == {"ru", "en"}
    places = {
        language: {
            name: sorted(each for _, each, _, _ in Formatter().parse(said) if each)
            for name, said in texts.items()
        }
        for language, texts in _TEXTS.items()
    }
    assert places["ru"] == places["en"]


@pytest.mark.parametrize(("language", "name"), ALL)
def test_a_text_is_plain(language: str, name: str) -> None:
    """Words of its own language, and no abbreviation that staff do not use."""
    said = _TEXTS[language][name]
    assert set(re.findall(r"[A-ZА-ЯЁ]{2,}", said)) <= KNOWN
    assert bool(re.search(r"[а-яё]{2}", said)) is (language == "ru")


def test_a_text_names_what_it_is_about() -> None:
    """The note of a move says from when to when."""
    assert text("ru", "moved", old="20.11.2026 10:00", new="21.11.2026 11:00") == (
        "Визит перенесён с 20.11.2026 10:00 на 21.11.2026 11:00"
    )
    assert moment(datetime(2026, 11, 20, 9, 5)) == "20.11.2026 09:05"  # noqa: DTZ001 - local already


PHASES = {
    Phase.UPCOMING: "будущий приём",
    Phase.TOMORROW: "будущий приём",
    Phase.TODAY: "будущий приём",
    Phase.CONFIRMED: "подтверждён",
    Phase.ARRIVED: "пациент в клинике",
    Phase.COMPLETED: "завершён",
    Phase.CANCELLED: "отменён",
    Phase.RESCHEDULED: "перенесён",
    Phase.NO_SHOW: "не пришёл",
}


@pytest.mark.parametrize("phase", list(Phase))
def test_a_phase_has_a_name_for_staff(phase: Phase) -> None:
    """The clock's shades of an upcoming visit are one word; in English the mapping's own words serve."""
    assert phase_name("ru", phase) == PHASES[phase]
    assert phase_name("en", phase) == phase.value


def test_a_visit_is_a_first_one_or_another() -> None:
    """`appointment.kind`."""
    assert KINDS == {
        "ru": {True: "первичный", False: "повторный"},
        "en": {True: "primary", False: "repeat"},
    }
