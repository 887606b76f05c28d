"""Everything that is logged, by us or by a library, goes through the mask and comes out as one line of JSON."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from kreslo.connectors.errors import ConfigurationError, OutageError
from kreslo.service.logs import set_up_logs


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield tmp_path / "logs" / "kreslo.log"
    for handler in list(root.handlers):
        if handler not in before:
            root.removeHandler(handler)
            handler.close()
    for handler in before:
        root.addHandler(handler)
    root.setLevel(level)
    structlog.reset_defaults()


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_our_events_are_json_lines_with_time_and_level(log_file: Path) -> None:
    set_up_logs(file=log_file)
    structlog.get_logger("kreslo.sync").warning("slow", bridge="clinic", surname="Иванова")
    (line,) = lines(log_file)
    assert line["event"] == "slow"
    assert line["level"] == "warning"
    assert line["bridge"] == "clinic"
    assert "Иванова" not in line["surname"]
    assert line["timestamp"].endswith("Z")


def test_a_library_s_line_is_masked_too(log_file: Path) -> None:
    set_up_logs(file=log_file)
    logging.getLogger("somebody").error("POST %s for %s", "https://p/rest/1/s3cr3t/x", "+7 900 123-45-67")
    (line,) = lines(log_file)
    assert "s3cr3t" not in line["event"]
    assert "123" not in line["event"]


def test_a_traceback_names_places_and_types_but_no_values(log_file: Path) -> None:
    set_up_logs(file=log_file)
    row = {"Surname": "Иванова"}
    try:
        try:
            row["Phone 89001234567"]
        except KeyError as error:
            raise OutageError("the CRM is gone", detail="HTTP 502") from error
    except OutageError:
        structlog.get_logger("kreslo").exception("failed")
    (line,) = lines(log_file)
    assert "test_logs.py" in line["exception"]
    assert "OutageError: the CRM is gone HTTP 502" in line["exception"]
    assert "KeyError" in line["exception"]
    assert "89001234567" not in line["exception"]


def test_a_level_hides_what_is_below_it(log_file: Path) -> None:
    set_up_logs(level="warning", file=log_file)
    structlog.get_logger("kreslo").info("quiet")
    assert lines(log_file) == []


def test_a_log_file_that_cannot_be_written_is_a_setting_to_mend(log_file: Path) -> None:
    log_file.parent.write_text("a file where a folder should be")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        set_up_logs(file=log_file)


def test_an_unknown_level_is_a_setting_to_mend() -> None:
    with pytest.raises(ConfigurationError, match="loud"):
        set_up_logs(level="loud")
