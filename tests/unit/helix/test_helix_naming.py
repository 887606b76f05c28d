"""The short way of reading names and telephones says what the long one says."""

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.helix import naming
from kreslo.records.name_words import GIVEN_NAMES
from kreslo.records.names import comparison_key, split_name
from kreslo.records.phones import parse_phones

SURNAMES = (
    "Иванова",
    "Ёлкина",
    "Петрова-Водкина",
    "Абрамович",
    "Архив",
    "Дубль",
    "Ван",
    "Гость",
    "Ли",
    "Оглы",
    "Вэй",
)
FATHERS = ("Петровна", "Ильич", "Фёдорович", "Кызы", "Абрамович", "Ильинична", "Ильич-Петрович", "Мин")
WORD = (
    st.sampled_from(SURNAMES)
    | st.sampled_from(FATHERS)
    | st.sampled_from(sorted(map(str.title, GIVEN_NAMES)))
)
PART = st.lists(WORD, max_size=2).map(" ".join)
CELL = st.text("8+7 ()-9001234567,; мама доб.", max_size=30)
NUMBER = st.sampled_from(["8 900 123-45-67", "+7(900)123-45-67", "84732001234", "8900123456", "2-00-12-34"])
WORDS = st.sampled_from(["", " мама", "моб. ", " (жена)", ", не звонить", " доб. 5", " a"])


@given(st.lists(WORD, min_size=1, max_size=4).map(" ".join))
@settings(max_examples=500, deadline=None)
def test_names_are_split_alike(whole: str) -> None:
    assert naming.split(whole) == split_name(whole)


@given(PART, PART, PART)
@settings(max_examples=500, deadline=None)
def test_names_are_compared_alike(surname: str, name: str, patronymic: str) -> None:
    assert naming.key(surname, name, patronymic) == comparison_key(surname, name, patronymic)


@given(CELL | st.tuples(WORDS, NUMBER, WORDS).map("".join), st.sampled_from(["", "473"]))
@settings(max_examples=500, deadline=None)
def test_telephones_are_read_alike(cell: str, area_code: str) -> None:
    assert naming.phones(cell, area_code) == parse_phones(cell, area_code=area_code)
