"""kreslo profile: what is guessed of a sample, and that the guess reads the sample."""

from datetime import date
from pathlib import Path

import pytest
from helix_exports import csv_text, read, writers
from ruamel.yaml import YAML

from connectors.helix.guess import propose
from connectors.helix.options import ProfileOptions
from kreslo.connectors.errors import DataError

TODAY = date(2026, 11, 21)
VISIT = ["Иванова Мария Петровна", "8 900 123-45-67", "22.11.2026 10:00", "Кравченко", "", ""]


def guessed(path: Path) -> tuple[ProfileOptions, str]:
    report = propose(path, TODAY)
    (profile,) = YAML(typ="safe").load(report.text)["profiles"].values()
    return ProfileOptions.model_validate(profile), "\n".join(report.notes)


@pytest.mark.parametrize("how", [how for how in writers() if not how.startswith("dbf")])
def test_the_guess_reads_its_sample(tmp_path: Path, how: str) -> None:
    ending, write = writers()[how]
    path = tmp_path / f"visits_2026-11-21.{ending}"
    path.write_bytes(write([[*VISIT[:4], "1500", ""]] * 2))
    profile, notes = guessed(path)
    assert (profile.row, profile.files) == ("completed", (f"visits_*.{ending}",))
    _, drafts, bad = read(path, profile)
    assert (len(drafts), bad) == (2, {})
    assert "прочитано строк: 2" in notes


@pytest.mark.parametrize(
    ("titles", "row", "expected"),
    [
        ("ФИО;Телефон;Дата и время;Врач", "Иванова Мария;89001234567;22.11.2026 10:00;Ким", "appointment"),
        ("ФИО;Телефон;Дата и время;Врач", "Иванова Мария;89001234567;20.11.2026 10:00;Ким", "completed"),
        ("ФИО;Телефон;Дата рождения", "Иванова Мария;89001234567;01.02.1980", "patient"),
        ("Имя;Телефон;Дата заявки", "Мария;89001234567;20.11.2026 10:00", "enquiry"),
        ("Телефон;Комментарий", "89001234567;перезвонить", "enquiry"),
        (
            "ФИО;Телефон;Дата и время;Врач;Отметка",
            "Иванова Мария;89001234567;20.11.2026 10:00;Ким;После удаления зуба",
            "campaign",
        ),
    ],
)
def test_what_a_row_is_is_told_by_its_columns(tmp_path: Path, titles: str, row: str, expected: str) -> None:
    path = tmp_path / "sample.csv"
    path.write_text(f"{titles}\n{row}\n", encoding="cp1251")
    profile, notes = guessed(path)
    assert profile.row == expected
    assert "потому что" in notes


def test_what_is_bad_and_what_is_unknown_is_said_without_a_name(tmp_path: Path) -> None:
    path = tmp_path / "sample.csv"
    titles = ["ФИО", "Телефон", "Дата и время", "Врач", "Сумма", "Зуб"]
    path.write_text(csv_text([VISIT, [*VISIT[:2], "завтра", "", "", ""]], titles), encoding="utf-8")
    report = propose(path, TODAY)
    notes = "\n".join(report.notes)
    assert "отложено 1: дата: не читается" in notes
    assert "не узнаны и не читаются: «Зуб»" in notes
    assert "Иванова" not in notes + report.text


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    path = tmp_path / "sample.mxl"
    path.write_bytes(b"MOXCEL\0")
    with pytest.raises(DataError, match=r"sample\.mxl: .*MXL"):
        propose(path, TODAY)
