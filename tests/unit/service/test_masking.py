"""No phone, name or secret gets into a log line, whatever key it was given under."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kreslo.records import Patient, RecordKind
from kreslo.records.model import Phone
from kreslo.service.masking import FREE_TEXT, NAMES, PHONES, PLAIN, SECRETS, mask_event, scrub

SURNAMES = st.sampled_from(["Иванова", "Петров", "Ким", "Ivanova", "Щукина-Белая"])
KEYS = st.one_of(
    st.sampled_from(sorted(FREE_TEXT | NAMES | PHONES | PLAIN | SECRETS)),
    st.text(alphabet="abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12),
)


@st.composite
def written_phones(draw: st.DrawFn) -> tuple[str, str]:
    """A Russian mobile number as people type it, and its ten digits."""
    digits = "9" + draw(st.text(alphabet="0123456789", min_size=9, max_size=9))
    lead = draw(st.sampled_from(["+7", "8", "7", "+7 ", "8 ", ""]))
    gaps = [draw(st.sampled_from(["", " ", "-", " (", ") ", "\u00a0", "\u2011"])) for _ in range(3)]
    parts = (digits[:3], digits[3:6], digits[6:8], digits[8:])
    return lead + parts[0] + gaps[0] + parts[1] + gaps[1] + parts[2] + gaps[2] + parts[3], digits


def wrapped(value: Any, shape: str) -> Any:
    return {"bare": value, "list": [value], "dict": {"inner": value}, "deep": [{"a": (value, {"b": value})}]}[
        shape
    ]


def logged(**event: Any) -> str:
    return json.dumps(mask_event(None, "info", event), ensure_ascii=False)


@given(
    written_phones(),
    KEYS,
    st.sampled_from(["bare", "list", "dict", "deep"]),
    st.sampled_from(["", "тел. ", "call "]),
)
def test_no_phone_passes_under_any_key(phone: tuple[str, str], key: str, shape: str, before: str) -> None:
    text, digits = phone
    line = logged(**{key: wrapped(before + text, shape)})
    assert digits not in re.sub(r"\D", "", line)


def test_words_under_a_name_of_structlogs_own_are_masked() -> None:
    assert "9000000000" not in logged(exc_info="+79000000000")


@given(st.integers(min_value=79_000_000_000, max_value=89_999_999_999), KEYS)
def test_a_phone_given_as_a_number_does_not_pass(number: int, key: str) -> None:
    if key not in {"timestamp", "pid", "thread"}:
        assert str(number) not in logged(**{key: number})


@given(SURNAMES, KEYS, st.sampled_from(["bare", "list", "dict", "deep"]))
def test_a_name_passes_only_under_keys_of_free_text_and_identifiers(
    surname: str, key: str, shape: str
) -> None:
    line = logged(**{key: wrapped(f"{surname} Мария", shape)})
    assert surname not in line or key in FREE_TEXT


def test_a_record_is_never_printed() -> None:
    patient = Patient(id="7", surname="Иванова", phones=(Phone("+79001234567"),))
    assert logged(record=patient, patient=patient, event=patient) == (
        '{"record": "<Patient>", "patient": "<Patient>", "event": "<Patient>"}'
    )


def test_a_phone_key_shows_enough_to_tell_two_phones_apart() -> None:
    assert logged(phone="8 (900) 123-45-67") == '{"phone": "+7900***4567"}'


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("POST https://clinic.bitrix24.ru/rest/1/abcd1234efgh/batch.json failed", "abcd1234efgh"),
        ("Authorization: Bearer eyJhbGciOi.J9.x-y_z", "eyJhbGciOi"),
        ("postgresql://kreslo:s3cr3t@127.0.0.1/state", "s3cr3t"),
        ("SERVER=x;UID=kreslo;PWD=s3cr3t;", "s3cr3t"),
        ('{"access_token": "s3cr3t", "x": 1}', "s3cr3t"),
        ("https://x/hook?application_token=s3cr3t&a=1", "s3cr3t"),
    ],
)
def test_secrets_are_struck_out_of_texts(text: str, secret: str) -> None:
    assert secret not in logged(event=text, url=text, note=text)
    assert scrub(text) != text


@pytest.mark.parametrize("key", sorted(SECRETS))
def test_a_key_of_a_secret_prints_nothing_of_it(key: str) -> None:
    assert "x1" not in logged(**{key: "x1"})


def test_what_an_operator_needs_stays() -> None:
    event = {
        "event": "not confirmed",
        "case": "patient:778",
        "patient": "778",
        "intent": "a3f0" * 4,
        "digest": 12,
        "kind": RecordKind.APPOINTMENT,
        "url": "http://127.0.0.1:8470/",
        "since": datetime(2026, 11, 21, 10, 0, tzinfo=UTC),
        "stage": "Записан на приём",
        "message": "read since 2026-11-21 10:00:05, 14 rows",
    }
    assert mask_event(None, "info", dict(event)) == event | {
        "kind": "appointment",
        "since": "2026-11-21T10:00:00+00:00",
    }


def test_a_text_under_an_unknown_key_is_cut_to_its_length() -> None:
    assert logged(whatever="Иванова") == '{"whatever": "***(7)"}'
