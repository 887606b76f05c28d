"""The commands that need neither a MIS nor a CRM."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kreslo.cli.app import COMMANDS, build_app
from kreslo.cli.sandbox import switches
from kreslo.connectors.errors import ConfigurationError

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_version_names_the_connectors(kreslo: Run) -> None:
    result = kreslo("version")
    assert result.returncode == 0
    assert "ident" in result.stdout
    assert "bitrix24" in result.stdout


def test_a_right_mapping_passes_the_check_of_the_file_alone(kreslo: Run, mapping: Path) -> None:
    result = kreslo("check", str(mapping), "--offline")
    assert (result.returncode, result.stderr) == (0, "")
    assert "файл верен" in result.stdout


def test_check_says_where_no_stage_is_silent(kreslo: Run, mapping: Path) -> None:
    """Else cards of those who must not be told could not come back from an end."""
    assert "message: true" not in kreslo("check", str(mapping), "--offline").stdout
    text = mapping.read_text(encoding="utf-8")
    speaking = text.replace('"Записан на приём"', '{stage: "Записан на приём", message: true}')
    mapping.write_text(speaking, encoding="utf-8")
    result = kreslo("check", str(mapping), "--offline")
    assert result.returncode == 0
    assert "на каждой стадии, где ждут визита, стоит message: true" in result.stdout


def test_check_looks_at_both_sides_and_fails_on_either(kreslo: Run, mapping: Path, portal: str) -> None:
    result = kreslo("check", str(mapping), env={"PORTAL": f"{portal}/rest/1/wrong/"})
    assert result.returncode == 2
    assert "✗ МИС (ident)" in result.stdout
    assert "✗ CRM (bitrix24)" in result.stdout


def test_explain_statuses_shows_the_rules_in_order_with_the_mapping_s_words(
    kreslo: Run, mapping: Path
) -> None:
    result = kreslo("explain", "statuses", str(mapping))
    assert result.returncode == 0, result.stderr
    shown = [line for line in result.stdout.splitlines() if line.startswith("│")]
    phases = [line.split("│")[3].strip() for line in shown]
    assert phases == [
        "фаза нового времени",
        *("rescheduled", "cancelled", "completed", "arrived", "no_show", "confirmed", "tomorrow", "upcoming"),
        *("already_booked", "stale", "new"),
    ]
    assert "отменена по причине: Перенос" in shown[1]
    assert "Визит перенесён" in shown[1]
    assert "прошло 3 ч после конца" in shown[5]
    assert shown[5].split("│")[4].strip() == "—"
    assert "накануне приёма с 14:00" in shown[7]
    assert "Визит завтра ✉" in shown[7]


CAMPAIGNS = """
contact: {fields: {NAME: patient.name}}
campaigns:
  nps:
    on: completed
    after: 3h
    at: "10:00"
    quiet: "21:00-09:00"
    late: 2d
    pause: 30d
    when: patient.visits > 1
    unless: patient.archived
    funnel: "NPS"
    stages:
      - {stage: "Записался", when: next_visit != null}
      - {stage: "Нет ответа", after: 90m}
      - {stage: "Отправить опрос", message: true}
"""


def test_explain_campaigns_shows_when_a_card_is_made_and_where_it_stands(kreslo: Run, mapping: Path) -> None:
    assert kreslo("explain", "campaigns", str(mapping)).returncode == 2
    mapping.write_text(mapping.read_text(encoding="utf-8") + CAMPAIGNS, encoding="utf-8")
    result = kreslo("explain", "campaigns", str(mapping))
    assert result.returncode == 0, result.stderr
    shown = [
        [cell.strip() for cell in line.split("│")[2:4]] for line in result.stdout.splitlines() if "│" in line
    ]
    assert shown == [
        ["next_visit != null", "Записался"],
        ["прошло 90 мин", "Нет ответа"],
        ["иначе", "Отправить опрос ✉"],
    ]
    told = " ".join(result.stdout.split())
    for part in (
        "визит состоялся; через 3 ч; в ближайшие 10:00; не в тихие часы 21:00-09:00",
        "опоздав больше чем на 2 дн., уже нет; не чаще раза в 30 дн.",
        "только если patient.visits > 1; кроме случая patient.archived; кроме тех, кто отказался от сообщений",
    ):
        assert part in told, told


def test_an_unknown_command_is_told(kreslo: Run) -> None:
    assert kreslo("rnu").returncode == 2


def test_switches_are_json_or_text() -> None:
    assert switches(["rate=5", "admin=false", "timezone=Asia/Omsk", 'costs={"*": 0.1}']) == {
        "rate": 5,
        "admin": False,
        "timezone": "Asia/Omsk",
        "costs": {"*": 0.1},
    }


def test_a_switch_without_a_value_is_told() -> None:
    with pytest.raises(ConfigurationError, match="rate"):
        switches(["rate"])


def test_setup_shows_first_and_makes_then_and_does_nothing_twice(
    kreslo: Run, mapping: Path, webhook: str
) -> None:
    shown = kreslo("setup", str(mapping), "--dry-run", env={"PORTAL": webhook})
    assert shown.returncode == 0, shown.stderr
    assert "Визит завтра" in shown.stdout
    assert "Ничего не создано" in shown.stdout
    made = kreslo("setup", str(mapping), env={"PORTAL": webhook})
    assert made.returncode == 0, made.stderr
    assert "Визит завтра" in made.stdout
    again = kreslo("setup", str(mapping), env={"PORTAL": webhook})
    assert "уже есть всё" in again.stdout


def test_the_help_names_every_command() -> None:
    shown = CliRunner().invoke(build_app(), ["--help"])
    assert shown.exit_code == 0
    assert all(re.search(rf"\b{name}\b", shown.output) for name in COMMANDS)


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "clinic"])
def test_every_command_stands_alone(command: str) -> None:
    shown = CliRunner().invoke(build_app([command]), [command, "--help"], prog_name="kreslo")
    assert shown.exit_code == 0, shown.output
    assert f"kreslo {command}" in shown.output
