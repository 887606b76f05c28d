"""The settings: what is refused, and that every one is documented in both languages."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.helix.options import HelixOptions, ProfileOptions
from connectors.helix.words import COLUMNS

HOME = Path(__file__).parents[3] / "connectors/helix"
BASE: dict[str, Any] = {
    "timezone": "Europe/Moscow",
    "folder": "drop",
    "state": "state",
    "profiles": {"visits": {"row": "appointment", "files": "visits.csv"}},
}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"folders": "x"}, "folders"),
        ({"timezone": "Moscow"}, "no time zone"),
        ({"state": "drop"}, "another folder"),
        ({"profiles": {}}, "at least 1"),
        ({"profiles": {"мои приёмы": BASE["profiles"]["visits"]}}, "one word"),
        ({"settle": "soon"}, "a duration"),
    ],
)
def test_a_wrong_setting_is_refused(change: dict[str, Any], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        HelixOptions.model_validate(BASE | change)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"files": "visits.mxl"}, "ЗаписьТекста"),
        ({"files": "../visits.csv"}, "one folder"),
        ({"files": []}, "at least one pattern"),
        ({"columns": {"fio": "ФИО"}}, "no column fio"),
        ({"absent": "cancel"}, "snapshot"),
        ({"row": "campaign"}, "names the campaign"),
        ({"campaign": "nps"}, "names the campaign"),
        ({"schedule": {}}, "either"),
        ({"schedule": {"at": "25:00"}}, "a time of day"),
        ({"schedule": {"every": "10s"}}, "at least 1m"),
        ({"schedule": {"every": "1h", "since": "20:00", "until": "08:00"}}, "before"),
        ({"marker": "ready"}, "must hold"),
        ({"encoding": "koi8-r"}, "encoding"),
    ],
)
def test_a_wrong_profile_is_refused(change: dict[str, Any], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        ProfileOptions.model_validate({"row": "appointment", "files": "visits.csv"} | change)


@pytest.mark.parametrize("readme", ["README.md", "README.ru.md"])
def test_every_setting_is_documented_and_no_other(readme: str) -> None:
    text = (HOME / readme).read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    assert rows == set(HelixOptions.model_fields) | set(ProfileOptions.model_fields)


def test_every_column_is_documented() -> None:
    text = (HOME / "README.md").read_text(encoding="utf-8")
    assert [name for name in COLUMNS if f"`{name}`" not in text] == []


def test_the_programmers_page_shows_a_file_that_is_read(tmp_path: Path) -> None:
    from helix_exports import profile, read

    page = (HOME.parents[1] / "docs/helix-for-1c.md").read_text(encoding="utf-8")
    good, listed, bad = re.findall(r"```csv\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "visits.csv"
    path.write_text(good, encoding="utf-8")
    _, drafts, parked = read(path, profile(row="appointment"))
    assert ([draft.id for draft in drafts], [draft.fact for draft in drafts], parked) == (
        ["50817", "50818"],
        ["", "confirmed"],
        {},
    )
    path.write_text(listed, encoding="utf-8")
    _, drafts, parked = read(path, profile(row="campaign", campaign="recommendations"))
    assert ([draft.fields["mark"] for draft in drafts], parked) == (
        ["Перед имплантацией", "После удаления зуба"],
        {},
    )
    path.write_text(bad, encoding="utf-8")
    _, drafts, parked = read(path, profile(row="appointment"))
    assert ([draft.number for draft in drafts], list(parked)) == ([4], [2, 3])
