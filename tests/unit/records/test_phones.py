"""Phone cells as clinics fill them."""

import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from kreslo.records import Phone, PhoneKind
from kreslo.records import phones as phones_module
from kreslo.records.phone_cells import is_junk, mend_cell
from kreslo.records.phones import (
    last_ten,
    mask_phone,
    parse_phones,
    phone_key,
    same_phone,
    search_forms,
)

MOBILE = PhoneKind.MOBILE
FIXED = PhoneKind.FIXED
TOLL_FREE = PhoneKind.TOLL_FREE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("89001234567", [("+79001234567", MOBILE, "")]),
        ("+7 (900) 123-45-67", [("+79001234567", MOBILE, "")]),
        ("9001234567", [("+79001234567", MOBILE, "")]),
        ("7 900 123 45 67", [("+79001234567", MOBILE, "")]),
        ("8 (473) 200-12-34 доб. 5", [("+74732001234", FIXED, "5")]),
        ("8 (473) 200-12-34 доб.12", [("+74732001234", FIXED, "12")]),
        ("8 (473) 200-12-34 ext 12", [("+74732001234", FIXED, "12")]),
        ("84732001234", [("+74732001234", FIXED, "")]),
        ("8 (47396) 2-12-34", [("+74739621234", FIXED, "")]),
        ("8-800-555-35-35", [("+78005553535", TOLL_FREE, "")]),
        ("+7 701 123 45 67", [("+77011234567", MOBILE, "")]),
        ("7(777)1234567", [("+77771234567", MOBILE, "")]),
        ("8 10 375 29 123 45 67", [("+375291234567", MOBILE, "")]),
        ("+89001234567", [("+79001234567", MOBILE, "")]),
        ("8900123456", []),
        ("2-00-12-34", []),
        ("8(900)123-45-67 мама", [("+79001234567", MOBILE, "")]),
        ("89001234567, 89007654321", [("+79001234567", MOBILE, ""), ("+79007654321", MOBILE, "")]),
        ("00000000000", []),
        ("89999999999", []),
        ("+7 900 000-00-00", []),
    ],
)
def test_known_spellings_are_read(text: str, expected: list[tuple[str, PhoneKind, str]]) -> None:
    assert parse_phones(text) == tuple(Phone(*parts) for parts in expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+8 (900) 123-45-67", ["+79001234567"]),
        ("+8900 123-45-67", ["+79001234567"]),
        ("+8 10 375 29 123 45 67", ["+375291234567"]),
        ("+86 139 1234 5678", ["+8613912345678"]),
        ("+84 912 345 678", ["+84912345678"]),
        ("375291234567", ["+375291234567"]),
        ("998 90 123 45 67", ["+998901234567"]),
        ("8.9001234567E+10", ["+79001234567"]),
        ("8,9001234567E+10", ["+79001234567"]),
        ("89,001,234,567", ["+79001234567"]),
        ("89\u00a0001\u00a0234\u00a0567", ["+79001234567"]),
        ("89001234567.0", ["+79001234567"]),
        ("89001234567,00", ["+79001234567"]),
        ("8_900_123_45_67", ["+79001234567"]),
        ("8\u2011900\u2011123\u201145\u201167", ["+79001234567"]),
        ("WhatsApp89001234567", ["+79001234567"]),
        ("мама89001234567папа", ["+79001234567"]),
        ("12.05.2024 89001234567 до 18:00", ["+79001234567"]),
        ("+1 650 253 0000", ["+16502530000"]),
        ("+7 808 123 45 67", ["+78081234567"]),
        ("", []),
        ("нет", []),
        ("01.01.1990", []),
    ],
)
def test_habits_of_spreadsheets_and_registrars_are_read(text: str, expected: list[str]) -> None:
    assert [phone.e164 for phone in parse_phones(text)] == expected


@pytest.mark.parametrize(
    "text",
    [
        "89001234567 89007654321",
        "89001234567/89007654321",
        "89001234567-89007654321",
        "89001234567;89007654321",
        "+79001234567+79007654321",
        "8 900 123 45 67 8 900 765 43 21",
        "8(900)123-45-67 (жена) 8(900)765-43-21 муж",
        "1) 89001234567\n2) 89007654321",
    ],
)
def test_two_numbers_of_one_cell_are_both_found_in_order(text: str) -> None:
    assert [phone.e164 for phone in parse_phones(text)] == ["+79001234567", "+79007654321"]


@pytest.mark.parametrize(
    "text",
    [
        "8900 123456",
        "78900123456",
        "890012345678",
        "8 900 12 34 56 8 900 765 43 21",  # joined naively, the first would borrow the second's 8
        "8.900123457E+10",
        "8.473200123E+10",  # read without its power, this is a valid number of another town
        "8,9E+10",
    ],
)
def test_a_damaged_number_never_becomes_another_one(text: str) -> None:
    assert parse_phones(text, area_code="4732") == ()


@pytest.mark.parametrize(
    "text", ["9999999999", "8 987 654 32 10", "8 912 345-67-89", "+7 911 111-11-11", "8 800 000-00-00"]
)
def test_made_up_numbers_are_junk(text: str) -> None:
    assert parse_phones(text) == ()


@pytest.mark.parametrize("text", ["+7 900 123-45-67", "+7 900 777-77-77", "+7 911 000-00-01"])
def test_memorable_numbers_are_not_junk(text: str) -> None:
    assert len(parse_phones(text)) == 1


@pytest.mark.parametrize(
    ("text", "area_code", "expected"),
    [
        ("2-00-12-34", "473", [("+74732001234", FIXED, "")]),
        ("2-00-12-34", "(473)", [("+74732001234", FIXED, "")]),
        ("2001234 доб. 7", "473", [("+74732001234", FIXED, "7")]),
        ("2-12-34", "47396", [("+74739621234", FIXED, "")]),
        ("2001234 2001235", "473", [("+74732001234", FIXED, ""), ("+74732001235", FIXED, "")]),
        ("2-00-12-34, 89001234567", "473", [("+79001234567", MOBILE, ""), ("+74732001234", FIXED, "")]),
        ("8(900)123-45-67 доб. 20012", "47396", [("+79001234567", MOBILE, "20012")]),
        ("2-12-34", "473", []),
        ("1234567", "473", []),
        ("1111111", "473", []),
        ("12.05.2024", "473", []),
        ("доб. 20012", "47396", []),
    ],
)
def test_local_numbers_take_the_area_of_the_branch(
    text: str, area_code: str, expected: list[tuple[str, PhoneKind, str]]
) -> None:
    assert parse_phones(text, area_code=area_code) == tuple(Phone(*parts) for parts in expected)


@pytest.mark.parametrize(
    ("text", "extension"),
    [
        ("8 (473) 200-12-34 добавочный 5", "5"),
        ("8 (473) 200-12-34 (доб. 5)", "5"),
        ("8 (473) 200-12-34, доб.5", "5"),
        ("8 (473) 200-12-34 вн. 5", "5"),
        ("8 (473) 200-12-34 x5", "5"),
        ("8 (473) 200-12-34#5", "5"),
    ],
)
def test_extensions_are_kept_apart_from_the_number(text: str, extension: str) -> None:
    assert parse_phones(text) == (Phone("+74732001234", FIXED, extension),)


def test_mobiles_come_first_and_nothing_comes_twice() -> None:
    found = parse_phones("8-800-555-35-35, 84732001234, 89001234567, +7 (900) 123-45-67")
    assert [phone.e164 for phone in found] == ["+79001234567", "+78005553535", "+74732001234"]


def test_the_key_is_the_first_mobile_then_a_fixed_line_never_toll_free() -> None:
    assert phone_key(parse_phones("84732001234, 89001234567, 89007654321")) == "+79001234567"
    assert phone_key((Phone("+74732001234", FIXED), Phone("+79001234567", MOBILE))) == "+79001234567"
    assert phone_key(parse_phones("8-800-555-35-35, 84732001234 доб. 5")) == "+74732001234"
    assert phone_key(parse_phones("8-800-555-35-35")) is None
    assert phone_key(()) is None


def test_search_forms_give_the_spellings_a_crm_may_hold() -> None:
    assert search_forms("+79001234567") == ("+79001234567", "79001234567", "89001234567", "9001234567")
    assert search_forms("+375291234567") == ("+375291234567", "375291234567", "810375291234567", "5291234567")


@pytest.mark.parametrize("text", ["", "89001234567", "+7 900 123-45-67", "+0123456789"])
def test_search_forms_refuse_what_is_not_e164(text: str) -> None:
    with pytest.raises(ValueError, match=r"E\.164"):
        search_forms(text)


@pytest.mark.parametrize(
    "e164", ["+79001234567", "+74732001234", "+77011234567", "+375291234567", "+998901234567"]
)
def test_every_search_form_with_a_country_reads_as_the_same_number(e164: str) -> None:
    for form in search_forms(e164)[:3]:
        assert same_phone(form, e164)


def test_same_phone_ignores_spelling_and_company() -> None:
    assert same_phone("8 (900) 123-45-67 мама", "+79007654321, 79001234567")
    assert not same_phone("89001234567", "89001234568")
    assert not same_phone("89999999999", "89999999999")
    assert not same_phone("", "")


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("8 (900) 123-45-67", "9001234567"),
        ("8 (473) 200-12-34 доб. 5", "4732001234"),
        ("2-00-12-34", "2001234"),
        ("нет", ""),
    ],
)
def test_last_ten_digits(text: str, digits: str) -> None:
    assert last_ten(text) == digits


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("8 (900) 123-45-67", "+7900***4567"),
        ("89001234567 и 84732001234", "+7900***4567, +7473***1234"),
        ("8900123456", "***"),
        ("мама", "***"),
        ("  ", ""),
    ],
)
def test_masks_for_logs(text: str, masked: str) -> None:
    assert mask_phone(text) == masked


MESSY = st.text(alphabet="0123456789 +-()./,;:#xE_\u00a0добмамаext№", max_size=60)


@given(st.one_of(st.text(), MESSY), st.sampled_from(["", "473", "47396", "(4732)", "код"]))
@example("+8" * 40, "473")
@example("٨٩٠٠١٢٣٤٥٦٧", "473")
def test_any_text_is_read_without_an_error_and_gives_sound_numbers(text: str, area_code: str) -> None:
    found = parse_phones(text, area_code=area_code)
    assert len({phone.e164 for phone in found}) == len(found)
    for phone in found:
        assert re.fullmatch(r"\+[1-9][0-9]{6,14}", phone.e164)
        assert parse_phones(phone.e164) == (Phone(phone.e164, phone.kind),)
    order = [phone.kind is not MOBILE for phone in found]
    assert order == sorted(order)


@given(st.one_of(st.text(), MESSY))
def test_a_mask_never_shows_a_whole_number(text: str) -> None:
    masked = mask_phone(text)
    for phone in parse_phones(text):
        assert phone.e164[1:] not in masked
        assert last_ten(phone.e164) not in masked
    assert all(len(run) <= 4 for run in re.findall(r"\d+", masked))


@given(st.from_regex(phones_module._PLAIN_MOBILE, fullmatch=True))
@example("8(900)123-45-67")
@example("9391234567")
def test_the_fast_path_agrees_with_the_library(text: str) -> None:
    slow = tuple(phones_module._read_cell(mend_cell(text, "RU"), "", "RU"))
    assert parse_phones(text) == slow


@given(st.integers(min_value=9_000_000_000, max_value=9_999_999_999), st.data())
def test_a_mobile_is_one_number_in_every_spelling(national: int, data: st.DataObject) -> None:
    digits = str(national)
    assume(not is_junk(digits))
    prefix = data.draw(st.sampled_from(["", "8", "7", "+7", "+7 ", "8 ", "8-"]))
    shape = data.draw(
        st.sampled_from(
            ["{0}{1}{2}{3}", "({0}) {1}-{2}-{3}", "({0}){1}{2}{3}", "{0} {1} {2} {3}", "{0}-{1}-{2}{3}"]
        )
    )
    text = prefix + shape.format(digits[:3], digits[3:6], digits[6:8], digits[8:])
    assert parse_phones(text) == parse_phones(f"+7{digits}")
