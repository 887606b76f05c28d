"""Names as clinics and CRMs hold them. All people here are invented."""

import unicodedata

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from kreslo.records.name_words import PARTICLES, PATRONYMIC_WORDS
from kreslo.records.names import (
    Compatibility,
    PersonName,
    comparison_key,
    compatible,
    looks_like_nickname_or_empty,
    mask_name,
    parse_free_name,
    short_name,
    split_name,
    tidy_name,
)

SAME, COMPATIBLE, CONFLICT, EMPTY = (
    Compatibility.SAME,
    Compatibility.COMPATIBLE,
    Compatibility.CONFLICT,
    Compatibility.EMPTY,
)


@pytest.mark.parametrize(
    ("text", "tidy"),
    [
        ("иванова  мария\u00a0петровна", "Иванова Мария Петровна"),
        ("ПЕТРОВА-ИВАНОВА АННА", "Петрова-Иванова Анна"),
        ("Петрова - Иванова Анна", "Петрова-Иванова Анна"),
        (unicodedata.normalize("NFD", "Алёна Бойко"), "Алёна Бойко"),
        ("семёнова алёна", "Семёнова Алёна"),
        ("Cидоpoвa Aнна", "Сидорова Анна"),  # Latin C, p, o, a, A
        ("OKCAHA Петрова", "Оксана Петрова"),  # a whole word of Latin letters
        ("John Cox", "John Cox"),
        ("мамедов али гасан ОГЛЫ", "Мамедов Али Гасан оглы"),
        ("Мамедова Лейла Гасан-Кызы", "Мамедова Лейла Гасан-кызы"),
        ("де Голль Шарль", "де Голль Шарль"),
        ("ВАН ЛИ", "Ван Ли"),
        ("О’КОННОР шинейд", "О'Коннор Шинейд"),
        ("ЛУК'ЯНЕНКО олег", "Лук'яненко Олег"),
        ("Ивано\u0301ва Мария", "Иванова Мария"),
        ("Иван\u00adова\u200b Мария", "Иванова Мария"),
        ("иванова мария (ДМС) VIP", "Иванова Мария (ДМС) VIP"),
        ("иванова м.п.", "Иванова М.П."),
        ("", ""),
    ],
)
def test_tidying(text: str, tidy: str) -> None:
    assert tidy_name(text) == tidy


@pytest.mark.parametrize(
    ("text", "surname", "name", "patronymic", "notes", "certain"),
    [
        ("Иванова Мария Петровна", "Иванова", "Мария", "Петровна", (), True),
        ("ИЛЬИН ФОМА КУЗЬМИЧ", "Ильин", "Фома", "Кузьмич", (), True),
        ("Абрамович Роман Аркадьевич", "Абрамович", "Роман", "Аркадьевич", (), True),
        ("Роман Аркадьевич Абрамович", "Абрамович", "Роман", "Аркадьевич", (), True),
        ("Мария Петровна Иванова", "Иванова", "Мария", "Петровна", (), True),
        ("Мамедов Али Гасан оглы", "Мамедов", "Али", "Гасан оглы", (), True),
        ("Мамедова Лейла Гасан кызы", "Мамедова", "Лейла", "Гасан кызы", (), True),
        ("Мамедова Лейла Гасан-кызы", "Мамедова", "Лейла", "Гасан-кызы", (), True),
        ("Иванова М. П.", "Иванова", "М.", "П.", (), True),
        ("Иванова М.П.", "Иванова", "М.", "П.", (), True),
        ("М.П. Иванова", "Иванова", "М.", "П.", (), True),
        ("Иванова Мария П.", "Иванова", "Мария", "П.", (), True),
        ("Иванова Мария", "Иванова", "Мария", "", (), True),
        ("Ли Вэй", "Ли", "Вэй", "", (), False),
        ("Нгуен Ван Ань Туан", "Нгуен", "Ван", "Ань Туан", (), False),
        ("Петрова Иванова Анна Сергеевна", "Петрова Иванова", "Анна", "Сергеевна", (), False),
        ("Петрова-Иванова Анна Сергеевна", "Петрова-Иванова", "Анна", "Сергеевна", (), True),
        ("де Голль Шарль", "де Голль", "Шарль", "", (), False),
        ("Мария Петровна", "", "Мария", "Петровна", (), False),
        ("Иванова Петровна", "Иванова", "", "Петровна", (), False),
        ("Мария", "", "Мария", "", (), False),
        ("Иванова", "Иванова", "", "", (), False),
        ("Иванов Иван (ДМС)", "Иванов", "Иван", "", ("ДМС",), True),
        ("VIP Иванова Мария Петровна", "Иванова", "Мария", "Петровна", ("VIP",), True),
        ("Иванова Мария Петровна не звонить", "Иванова", "Мария", "Петровна", ("не звонить",), True),
        ("Иванова Мария Петровна - ДМС", "Иванова", "Мария", "Петровна", ("ДМС",), True),
        ("Иванова Мария (полис до 2027", "Иванова", "Мария", "", ("полис до 2027",), True),
        ("Иванова Мария 8(900)123-45-67", "Иванова", "Мария", "", ("8(900)123-45-67",), True),
        ("Иванова Мария Петровна, мама Пети", "Иванова", "Мария", "Петровна", ("Мама Пети",), True),
        ("", "", "", "", (), False),
        ("89001234567", "", "", "", ("89001234567",), False),
    ],
)
def test_splitting_a_full_name(
    text: str, surname: str, name: str, patronymic: str, notes: tuple[str, ...], *, certain: bool
) -> None:
    assert split_name(text) == PersonName(surname, name, patronymic, notes, certain)


@pytest.mark.parametrize(
    ("text", "surname", "name", "patronymic"),
    [
        ("Мария Иванова", "Иванова", "Мария", ""),
        ("Иванова Мария", "Иванова", "Мария", ""),
        ("Иванова Мария Петровна", "Иванова", "Мария", "Петровна"),
        ("Мария Петровна Иванова", "Иванова", "Мария", "Петровна"),
        ("Мария Иванова Петровна", "Иванова", "Мария", "Петровна"),
        ("Иванова Петровна Мария", "Иванова", "Мария", "Петровна"),
        ("Мария И.", "И.", "Мария", ""),
        ("Иванова М.", "Иванова", "М.", ""),
        ("Роман Виктор Олегович", "Роман", "Виктор", "Олегович"),
    ],
)
def test_a_name_in_unknown_order(text: str, surname: str, name: str, patronymic: str) -> None:
    found = parse_free_name(text)
    assert (found.surname, found.name, found.patronymic) == (surname, name, patronymic)


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        ("Иванова Мария Петровна", "ИВАНОВА МАРИЯ ПЕТРОВНА", SAME),
        ("Семёнова Алёна", "Семенова Алена", SAME),
        ("Мария Иванова", "Иванова Мария", SAME),
        ("Иванова Мария Петровна (ДМС)", "Мария Петровна Иванова", SAME),
        ("Cидорова Анна", "Сидорова Анна", SAME),
        ("Иванова М. П.", "Иванова Мария Петровна", COMPATIBLE),
        ("Иванова М.", "Иванова М.", COMPATIBLE),
        ("Мария И.", "Иванова Мария Петровна", COMPATIBLE),
        ("Петрова-Иванова Мария", "Иванова Мария Петровна", COMPATIBLE),
        ("Петрова Иванова Мария Петровна", "Иванова Мария Петровна", COMPATIBLE),
        ("Иванова-Петрова Мария", "Петрова-Иванова Мария", COMPATIBLE),
        ("де Голль Шарль", "Голль Шарль", COMPATIBLE),
        ("Иванова Мария", "Иванова Мария Петровна", COMPATIBLE),
        ("Мария Петровна", "Иванова Мария Петровна", COMPATIBLE),
        ("Роман Абрамович", "Абрамович Роман Аркадьевич", COMPATIBLE),
        ("Мамедов Али Гасан оглы", "Мамедов Али Гасан", COMPATIBLE),
        ("Иванова Мария", "Иванова Ольга", CONFLICT),
        ("Иванова Мария", "Петрова Мария", CONFLICT),
        (
            "Иванов Мария",
            "Иванова Мария",
            CONFLICT,
        ),  # never fuzzy: father and daughter differ no more than this
        ("Иванова Мария Петровна", "Иванова Мария Сергеевна", CONFLICT),
        ("Иванова О. П.", "Иванова Мария Петровна", CONFLICT),
        ("Ольга", "Иванова Мария Петровна", CONFLICT),
        ("де Голль Шарль", "де Бройль Шарль", CONFLICT),
        ("Гасан оглы Али", "Алиев оглы Али", CONFLICT),
        ("Мария", "Иванова Мария Петровна", EMPTY),
        ("Иванова", "Иванова Мария Петровна", EMPTY),
        ("И. М.", "Иванова Мария Петровна", EMPTY),
        ("Ivanova Maria", "Иванова Мария", EMPTY),
        ("", "Иванова Мария", EMPTY),
        ("89001234567", "Иванова Мария", EMPTY),
        ("", "", EMPTY),
    ],
)
def test_compatibility(a: str, b: str, verdict: Compatibility) -> None:
    assert compatible(parse_free_name(a), parse_free_name(b)) is verdict
    assert compatible(parse_free_name(b), parse_free_name(a)) is verdict


def test_parts_typed_into_the_wrong_field_are_still_compared() -> None:
    whole = PersonName("Иванова", "Мария", "Петровна")
    assert compatible(PersonName("Иванова Мария Петровна"), whole) is SAME
    assert compatible(PersonName("", "Мария Иванова"), whole) is COMPATIBLE
    assert compatible(PersonName("Иванова", "Мария Петровна"), whole) is SAME
    assert compatible(PersonName("Иванова", "Мария Сергеевна"), whole) is CONFLICT
    assert compatible(PersonName("Мария", "Иванова"), whole) is COMPATIBLE
    assert compatible(PersonName("Иванова (ДМС)", "мария", "-"), whole) is COMPATIBLE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "-",
        "🌸🌸",
        "89001234567",
        "+7 900 123-45-67",
        "Мария",
        "Мария 🌸",
        "Мария 89001234567",
        "Без имени",
        "Неизвестно",
        "Имя не указано",
        "Новый лид Мария",
        "Заявка с сайта #15",
        "Гость 123",
        "masha",
        "@masha_2005",
        "Masha 2005",
        "Мария Nails",
        "Смешинка",
        "мама Пети",
        "Оля сестра",
        "(ДМС)",
        "М.",
        "WhatsApp",
    ],
)
def test_what_messengers_give_says_nothing_against_anybody(text: str) -> None:
    assert looks_like_nickname_or_empty(text)


@pytest.mark.parametrize(
    "text",
    [
        "Иванова Мария",
        "Мария Иванова 🌸",
        "Иванова",
        "Иванова М.",
        "Мария Петровна",
        "Ivanova Maria",
        "Клиент Иванова Мария",
        "Иванова Мария Петровна, мама Пети",
    ],
)
def test_a_name_with_a_surname_or_patronymic_is_no_nickname(text: str) -> None:
    assert not looks_like_nickname_or_empty(text)


@pytest.mark.parametrize(
    ("parts", "short"),
    [
        (("Иванова", "Мария", "Петровна"), "Иванова М. П."),
        (("иванова", "мария", ""), "Иванова М."),
        (("Иванова", "", ""), "Иванова"),
        (("Иванова", "М.", "П."), "Иванова М. П."),
        (("Мамедов", "Али", "Гасан оглы"), "Мамедов А. Г."),
        (("", "Мария", "Петровна"), "Мария Петровна"),
        (("", "", ""), ""),
    ],
)
def test_short_names(parts: tuple[str, str, str], short: str) -> None:
    assert short_name(*parts) == short


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Иванова Мария Петровна", "И*** М."),
        ("Иванова", "И***"),
        ("Мария 🌸", "М***"),
        ("89001234567", "***"),
        ("", ""),
    ],
)
def test_masks_for_logs(text: str, masked: str) -> None:
    assert mask_name(text) == masked


def test_the_comparison_key_is_blind_to_case_yo_and_remarks() -> None:
    assert comparison_key("СЕМЁНОВА (ДМС)", " алёна", "Петровна") == "семенова|алена|петровна"
    assert comparison_key("Петрова - Иванова", "Анна", "") == comparison_key("петрова-иванова", "АННА", "")


# --- properties -------------------------------------------------------------------------------------------------------

NAME_LIKE = st.text(
    alphabet="ИвановаМрияПетёЁйЙ О'’-–.,()[]ДМСVIPacehxEKMH89 \u00a0\u0301\u0306🌸@ßİŉǆ", max_size=50
)
ANY = st.one_of(st.text(), NAME_LIKE)
LETTERS = st.text(alphabet="абвгдеёжзийклмнопрстуфхцчшщъыьэюя", min_size=3, max_size=12)


@given(ANY)
@example("hoxa Анна")
@example("ŉа")
@example("Е\u0301\u0306")
def test_tidying_is_idempotent(text: str) -> None:
    assert tidy_name(tidy_name(text)) == tidy_name(text)


@given(ANY, ANY, ANY)
@example("ŉ", "İ", "Ё\u0306")
def test_the_comparison_key_is_idempotent(surname: str, name: str, patronymic: str) -> None:
    key = comparison_key(surname, name, patronymic)
    assert comparison_key(*key.split("|")) == key


@given(ANY, ANY)
def test_comparison_is_symmetric_and_nobody_conflicts_with_themselves(a: str, b: str) -> None:
    for read in (split_name, parse_free_name):
        assert compatible(read(a), read(b)) is compatible(read(b), read(a))
        assert compatible(read(a), read(a)) is not CONFLICT
    assert looks_like_nickname_or_empty(a) in {True, False}


@given(LETTERS, LETTERS)
def test_order_of_surname_and_name_never_matters(surname: str, name: str) -> None:
    assume({surname, name}.isdisjoint(PARTICLES | PATRONYMIC_WORDS))  # these belong to the word beside them
    one, other = parse_free_name(f"{surname} {name}"), parse_free_name(f"{name} {surname}")
    assert compatible(one, other) in {SAME, COMPATIBLE, EMPTY}


@given(LETTERS, LETTERS, st.sampled_from(["", "Петровна", "Гасан оглы"]))
def test_a_mask_never_shows_a_surname(surname: str, name: str, patronymic: str) -> None:
    masked = mask_name(f"{surname} {name} {patronymic}")
    assert surname not in masked.lower()
    assert sum(char.isalpha() for char in masked) <= 2


@given(ANY)
def test_a_mask_of_any_text_shows_two_letters_at_most_and_no_digits(text: str) -> None:
    masked = mask_name(text)
    assert sum(char.isalpha() for char in masked) <= 2
    assert not any(char.isdigit() for char in masked)
    assert short_name(text, text, text) is not None
