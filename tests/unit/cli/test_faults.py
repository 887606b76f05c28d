"""An error that nobody foresaw leaves a report that holds no values."""

from pathlib import Path

import pytest

from kreslo.cli.failures import INTERNAL, tell_fault


def _fault() -> Exception:
    phones: dict[str, str] = {}
    try:
        phones["Иванова Мария, +7 900 123-45-67"]
    except KeyError as error:
        return error


def test_the_report_names_places_and_types_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KRESLO_DEBUG", raising=False)
    assert tell_fault(_fault()) == INTERNAL
    (report,) = tmp_path.glob("kreslo-fault-*.txt")
    text = report.read_text(encoding="utf-8")
    assert "test_faults.py" in text
    assert "KeyError" in text
    shown = capsys.readouterr().err
    assert report.name in shown
    assert "Иванова" not in text + shown
    assert "Traceback" not in shown


def test_where_no_file_can_be_left_the_report_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KRESLO_DEBUG", raising=False)

    def refuse(*_: object, **__: object) -> int:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "write_text", refuse)
    assert tell_fault(_fault()) == INTERNAL
    shown = capsys.readouterr().err
    assert "test_faults.py" in shown
    assert "Иванова" not in shown


def test_debug_shows_the_whole_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KRESLO_DEBUG", "1")
    assert tell_fault(_fault()) == INTERNAL
    assert "Traceback" in capsys.readouterr().err
