"""Every format, every encoding, every trap: the same rows are read, or exactly the bad ones are parked."""

from pathlib import Path
from typing import Any

import pytest
from helix_exports import DBF_COLUMNS, Cells, csv_text, gist, profile, read, writers, xls_bytes, xlsx_bytes

from connectors.helix.formats import FileError, UnfinishedError

GOOD = [
    "Иванова Мария Петровна",
    "8 900 123-45-67",
    "22.11.2026 10:00:00",
    "Кравченко",
    "1500",
    "просила окно",
]
READ = ("Иванова Мария", ("+79001234567",), "22.11.2026 10:00", "Кравченко", "1500.00")
OTHER = ["Шуйский Игорь Янович", "8 900 765-43-21", "22.11.2026 11:30:00", "Ёлкина", "0", ""]
OTHER_READ = ("Шуйский Игорь", ("+79007654321",), "22.11.2026 11:30", "Ёлкина", "0.00")


def with_cell(place: int, value: Any) -> list[Any]:
    return [*GOOD[:place], value, *GOOD[place + 1 :]]


def seen(place: int, value: Any) -> tuple[Any, ...]:
    return (*READ[:place], value, *READ[place + 1 :])


NAME, PHONE, TIME, DOCTOR, AMOUNT, COMMENT = range(6)

CELL_TRAPS: dict[str, tuple[list[Any], tuple[Any, ...] | str]] = {
    "plain": (GOOD, READ),
    "thousands with NBSP, decimal comma": (with_cell(AMOUNT, "1\u00a0234,50"), seen(AMOUNT, "1234.50")),
    "empty zero": (with_cell(AMOUNT, ""), seen(AMOUNT, "0.00")),
    "an amount in words": (with_cell(AMOUNT, "1 500 руб."), READ),
    "hour without a leading zero": (with_cell(TIME, "22.11.2026 9:05:00"), seen(TIME, "22.11.2026 09:05")),
    "two digits of a year": (with_cell(TIME, "22.11.26 10:00"), READ),
    "an ISO date": (with_cell(TIME, "2026-11-22T10:00:00"), READ),
    "an ISO date with its zone": (with_cell(TIME, "2026-11-22T07:00:00Z"), READ),
    "a phone that is a number": (with_cell(PHONE, "89001234567.0"), READ),
    "a phone as an exponent": (with_cell(PHONE, "8,9001234567E+10"), READ),
    "a phone with grouped digits": (with_cell(PHONE, "89\u00a0001\u00a0234\u00a0567"), READ),
    "two phones": (
        with_cell(PHONE, "8900-123-45-67, 8(900)222-33-44"),
        seen(PHONE, ("+79001234567", "+79002223344")),
    ),
    "words in a phone": (with_cell(PHONE, "8(900)123-45-67 мама"), READ),
    "a remark in the name": (with_cell(NAME, "ИВАНОВА  мария петровна (ДМС)"), READ),
    "Latin look-alikes": (with_cell(NAME, "Ивaнова Мaрия Петровна"), READ),
    "NBSP around": (with_cell(DOCTOR, "\u00a0Кравченко\u00a0"), READ),
    "no phone that can be read": (with_cell(PHONE, "нет"), "телефон"),
    "no phone": (with_cell(PHONE, ""), "телефон"),
    "no name": (with_cell(NAME, ""), "ФИО"),
    "no date": (with_cell(TIME, ""), "дата"),
    "1C's empty date": (with_cell(TIME, "01.01.0001 0:00:00"), "дата"),
    "a day that is none": (with_cell(TIME, "31.02.2026 10:00"), "дата"),
    "a date in words": (with_cell(TIME, "завтра"), "дата"),
    "an amount that is none": (with_cell(AMOUNT, "по счёту"), "сумма"),
}


@pytest.mark.parametrize("trap", CELL_TRAPS)
@pytest.mark.parametrize("how", writers())
def test_the_same_rows_in_every_format_and_encoding(tmp_path: Path, how: str, trap: str) -> None:
    ending, write = writers()[how]
    row, expected = CELL_TRAPS[trap]
    path = tmp_path / f"visits.{ending}"
    path.write_bytes(write([OTHER, row, OTHER]))
    wanted = profile(columns=DBF_COLUMNS) if ending == "dbf" else profile()
    shape, drafts, bad = read(path, wanted)
    assert shape.format == ending
    if isinstance(expected, str):
        assert [gist(draft) for draft in drafts] == [OTHER_READ, OTHER_READ]
        (reason,) = bad.values()
        assert reason.startswith(expected)
    else:
        assert bad == {}
        assert [gist(draft) for draft in drafts] == [OTHER_READ, expected, OTHER_READ]


MULTILINE = 'звонить\nпосле 18; "срочно"'


@pytest.mark.parametrize("how", [how for how in writers() if not how.startswith("dbf")])
def test_line_breaks_and_quotes_in_a_comment_stay_there(tmp_path: Path, how: str) -> None:
    ending, write = writers()[how]
    path = tmp_path / f"visits.{ending}"
    path.write_bytes(write([OTHER, with_cell(COMMENT, MULTILINE), OTHER]))
    _, drafts, bad = read(path)
    assert bad == {}
    assert [draft.fields["comment"] for draft in drafts] == ["", MULTILINE, ""]


@pytest.mark.parametrize("how", writers())
def test_empty_rows_are_nobodys(tmp_path: Path, how: str) -> None:
    ending, write = writers()[how]
    path = tmp_path / f"visits.{ending}"
    path.write_bytes(write([OTHER, [""] * 6, GOOD]))
    _, drafts, bad = read(path, profile(columns=DBF_COLUMNS) if ending == "dbf" else profile())
    assert (bad, [gist(draft) for draft in drafts]) == ({}, [OTHER_READ, READ])


# --- a table with more around it than rows -----------------------------------------------------------------------


@pytest.mark.parametrize("how", [how for how in writers() if how.startswith("csv") or "xls" in how])
def test_totals_and_repeated_headers_are_no_rows(tmp_path: Path, how: str) -> None:
    from helix_exports import TITLES

    ending, write = writers()[how]
    path = tmp_path / f"visits.{ending}"
    path.write_bytes(write([OTHER, TITLES, GOOD, ["Итого: 2", "", "", "", "1\u00a0500,00", ""]]))
    _, drafts, bad = read(path)
    assert (bad, [gist(draft) for draft in drafts]) == ({}, [OTHER_READ, READ])


@pytest.mark.parametrize("write", [xlsx_bytes, xls_bytes])
def test_titles_above_the_header_and_real_cells(tmp_path: Path, write: Any) -> None:
    from datetime import datetime

    path = tmp_path / "визиты.xls"  # the name says nothing
    row = ["Иванова Мария Петровна", 89001234567, datetime(2026, 11, 22, 10), "Кравченко", 1500.0, ""]  # noqa: DTZ001
    path.write_bytes(
        write([row], above=[["Визиты на завтра"], [], ["Клиника «Белый Парус»", "", "21.11.2026"]])
    )
    shape, drafts, bad = read(path)
    assert shape.header == 4
    assert (bad, [gist(draft) for draft in drafts]) == ({}, [READ])


def csv_file(folder: Path, text: str, encoding: str = "cp1251") -> Path:
    path = folder / "visits.csv"
    path.write_bytes(text.encode(encoding))
    return path


def lines(*rows: Cells) -> str:
    return csv_text(rows)


HEADER = csv_text([])
PLAIN = ";".join(OTHER) + "\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1251", "cp866"])
@pytest.mark.parametrize(
    ("text", "expected", "parked"),
    [
        (f"sep=;\r\n{HEADER}{PLAIN}", [OTHER_READ], []),
        (f"Визиты на 22.11.2026\r\n\r\n{HEADER}{PLAIN}", [OTHER_READ], []),
        (f"{HEADER}{PLAIN}".replace("\r\n", "\n"), [OTHER_READ], []),
        (f"{HEADER}{PLAIN}".replace("\r\n", "\r"), [OTHER_READ], []),
        (f"{HEADER}{PLAIN}".replace(";", "\t"), [OTHER_READ], []),
        (f"{HEADER}{PLAIN}".replace(";", ","), [OTHER_READ], []),
        (f"{HEADER}{PLAIN}".replace("\r\n", ";\r\n"), [OTHER_READ], []),
        (f"{HEADER}{PLAIN}".rstrip(), [OTHER_READ], []),
        # hand-made concatenation
        (f'{HEADER}{PLAIN.rstrip()}ООО "Ромашка"\r\n{PLAIN}', [OTHER_READ, OTHER_READ], []),
        (f'{HEADER}{PLAIN.rstrip()}"Ромашка" ООО\r\n{PLAIN}', [OTHER_READ, OTHER_READ], []),
        (f'{HEADER}{PLAIN.rstrip()}"не закрыта\r\n{PLAIN}', [OTHER_READ, OTHER_READ], []),
        (f"{HEADER}{PLAIN.rstrip()}первая\r\nвторая\r\n{PLAIN}", [OTHER_READ, OTHER_READ], []),
        (f"{HEADER}{PLAIN.rstrip()}лишняя; точка\r\n{PLAIN}", [OTHER_READ], [2]),
        # a row cut off takes nobody with it
        (f"{HEADER}Петров Пётр;8900\r\n{PLAIN}", [OTHER_READ], [2]),
        (f"{HEADER}Петров\r\nПётр;89001234567;22.11.2026 10:00;Кравченко;1;\r\n{PLAIN}", [OTHER_READ], [2]),
        (f'{HEADER}"Петров Пётр;8900\r\n{PLAIN}{PLAIN}', [OTHER_READ, OTHER_READ], [2]),
        (f"{HEADER}Петров Пётр;8900\r\nСидоров;8901;22.11.2026 10:00;Ким;5\r\n{PLAIN}", [OTHER_READ], [2, 3]),
        (f"{HEADER}{'я' * 1_100_000}\r\n{PLAIN}", [OTHER_READ], [2]),
    ],
)
def test_texts_as_people_put_them_together(
    tmp_path: Path, encoding: str, text: str, expected: list[Any], parked: list[int]
) -> None:
    _, drafts, bad = read(csv_file(tmp_path, text, encoding))
    assert [gist(draft) for draft in drafts if not gist(draft)[0].endswith(" Пётр")] == expected
    assert [number for number in bad if number in parked] == parked


@pytest.mark.parametrize("encoding", ["utf-8", "cp1251"])  # cp866 has a letter for every byte
def test_bytes_that_the_encoding_does_not_have_park_their_row_alone(tmp_path: Path, encoding: str) -> None:
    broken = PLAIN.encode(encoding).replace(
        "Шуйский".encode(encoding), b"\x98\xff" if encoding == "cp1251" else b"\xff"
    )
    path = tmp_path / "visits.csv"
    path.write_bytes((HEADER + PLAIN).encode(encoding) + broken + PLAIN.encode(encoding))
    _, drafts, bad = read(path)
    assert (list(bad), [gist(draft) for draft in drafts]) == ([3], [OTHER_READ, OTHER_READ])


@pytest.mark.parametrize("encoding", ["cp1251", "cp866", "utf-8"])
def test_latin_titles_leave_the_encoding_to_the_letters(tmp_path: Path, encoding: str) -> None:
    titles = ["name", "phone", "starts_at", "doctor", "amount", "comment"]
    path = tmp_path / "visits.csv"
    path.write_bytes(csv_text([OTHER, GOOD], titles).encode(encoding))
    shape, drafts, _ = read(path)
    assert (shape.encoding, [gist(draft) for draft in drafts]) == (encoding, [OTHER_READ, READ])


def test_a_pinned_encoding_is_not_guessed(tmp_path: Path) -> None:
    path = csv_file(tmp_path, lines(OTHER), "cp866")
    assert read(path, profile(encoding="cp866"))[0].encoding == "cp866"
    with pytest.raises(FileError, match="строка заголовков"):
        read(path, profile(encoding="cp1251"))


def test_titles_are_blind_to_case_spaces_and_yo(tmp_path: Path) -> None:
    titles = ["Ф. И. О.", "ТЕЛ.", "дата и  время ПРИЕМА", "врач", "сумма", "примечание"]
    _, drafts, bad = read(csv_file(tmp_path, csv_text([OTHER], titles)))
    assert (bad, [gist(draft) for draft in drafts]) == ({}, [OTHER_READ])


def test_own_titles_go_before_the_usual_ones(tmp_path: Path) -> None:
    titles = ["Больной", "Связь", "Когда", "Врач", "Сумма", "Пациент"]
    wanted = profile(columns={"name": "больной", "phone": ["связь"], "starts_at": "когда"})
    _, drafts, bad = read(csv_file(tmp_path, csv_text([OTHER], titles)), wanted)
    assert (bad, [gist(draft) for draft in drafts]) == ({}, [OTHER_READ])


def test_date_and_time_may_stand_apart(tmp_path: Path) -> None:
    text = (
        "ФИО;Телефон;Дата;Время;Врач;Сумма\r\nШуйский Игорь;89007654321;22.11.2026 0:00:00;9:05;Ёлкина;\r\n"
    )
    _, drafts, bad = read(csv_file(tmp_path, text))
    assert (bad, [gist(draft)[2] for draft in drafts]) == ({}, ["22.11.2026 09:05"])


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "ФИО;Телефон;Врач\r\nИванов Иван;89001234567;Ким\r\n")
    with pytest.raises(FileError, match="«Дата и время» или «Дата»; узнаны: «ФИО», «Телефон», «Врач»"):
        read(path)


# --- what is refused, and what is not whole ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"MOXCEL\0\x08\0", "MXL"),
        ("<html><body><table><tr><td>ФИО".encode(), "HTML"),
        ("\ufeff<!DOCTYPE html><table>".encode("utf-16-le"), "HTML"),
        (b"%PDF-1.4", "PDF"),
    ],
)
def test_what_cannot_be_read_is_refused_with_advice(tmp_path: Path, content: bytes, word: str) -> None:
    path = tmp_path / "visits.xls"
    path.write_bytes(content)
    with pytest.raises(FileError, match=f"{word}.*ЗаписьТекста"):
        read(path)


@pytest.mark.parametrize("how", [how for how in writers() if not how.startswith("csv")])
def test_a_file_cut_off_is_not_finished(tmp_path: Path, how: str) -> None:
    ending, write = writers()[how]
    whole = write([OTHER, GOOD, OTHER])
    path = tmp_path / f"visits.{ending}"
    for share in (0.5, 0.7, 0.9):
        path.write_bytes(whole[: int(len(whole) * share) // 2 * 2])
        with pytest.raises(UnfinishedError):
            read(path, profile(columns=DBF_COLUMNS) if ending == "dbf" else profile())


def test_a_text_without_its_last_line_end_is_not_whole(tmp_path: Path) -> None:
    assert read(csv_file(tmp_path, lines(OTHER)))[0].whole
    assert not read(csv_file(tmp_path, lines(OTHER)[:-5]))[0].whole


def test_entities_never_grow(tmp_path: Path) -> None:
    bomb = (
        '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "xx"><!ENTITY y "&x;&x;">]><a><b><ФИО>&y;</ФИО></b></a>'
    )
    path = tmp_path / "visits.xml"
    path.write_text(bomb, encoding="utf-8")
    with pytest.raises(FileError, match="DOCTYPE"):
        read(path)


def test_nested_xml_and_json_are_known_by_the_last_step(tmp_path: Path) -> None:
    path = tmp_path / "visits.xml"
    path.write_text(
        '<v:Визиты xmlns:v="urn:x"><v:Визит Дата="2026-11-22T11:30:00"><Пациент><ФИО>Шуйский Игорь</ФИО>'
        "<Телефон>89007654321</Телефон></Пациент><Врач>Ёлкина</Врач><Сумма/></v:Визит></v:Визиты>",
        encoding="utf-8",
    )
    assert [gist(draft) for draft in read(path)[1]] == [(*OTHER_READ[:4], "None")]
    path.write_text(
        '{"Дата": "x", "Визиты": [{"Пациент": {"ФИО": "Шуйский Игорь", "Телефон": ["89007654321"]},'
        ' "Дата": "22.11.2026 11:30", "Врач": "Ёлкина", "Сумма": 0}]}',
        encoding="utf-8",
    )
    assert [gist(draft) for draft in read(path)[1]] == [OTHER_READ]


def test_a_broken_json_record_is_one_bad_row(tmp_path: Path) -> None:
    record = '{"ФИО": "Шуйский Игорь", "Телефон": "89007654321", "Дата": "22.11.2026 11:30", "Врач": "Ёлкина", "Сумма": 0}'
    path = tmp_path / "visits.json"
    path.write_text(f'[{record},\n{{"ФИО": "Пет"ров"}},\n{record}]', encoding="utf-8")
    _, drafts, bad = read(path)
    assert (list(bad), [gist(draft) for draft in drafts]) == ([2], [OTHER_READ, OTHER_READ])
