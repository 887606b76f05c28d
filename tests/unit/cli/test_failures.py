"""What a person must mend is told: what, where, what to do; exit code 2, and no traceback."""

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kreslo.service.host import listen

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def told(result: "subprocess.CompletedProcess[str]") -> str:
    """The message, after the checks that hold for every failure of this kind."""
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    assert "Что делать" in result.stderr
    return result.stderr


def test_a_broken_mapping_is_shown_with_its_place(kreslo: Run, mapping: Path) -> None:
    mapping.write_text(
        mapping.read_text(encoding="utf-8").replace("upcoming:", "upcomming:"), encoding="utf-8"
    )
    message = told(kreslo("check", str(mapping), "--offline"))
    assert "clinic.yaml:8:5" in message
    assert "upcomming" in message
    assert "^" in message


def test_a_mapping_that_is_not_there(kreslo: Run, tmp_path: Path) -> None:
    assert "nowhere.yaml" in told(kreslo("run", str(tmp_path / "nowhere.yaml"), "--port", "0"))


def test_an_unreachable_database(kreslo: Run, mapping: Path, webhook: str) -> None:
    message = told(kreslo("run", str(mapping), "--port", "0", env={"PORTAL": webhook}))
    assert "nowhere.db" in message


def test_a_text_that_is_no_webhook_is_told_without_printing_it(kreslo: Run, mapping: Path) -> None:
    message = told(kreslo("setup", str(mapping), env={"PORTAL": "http://portal.example/rest/1/s3cr3tc0de/"}))
    assert "webhook" in message
    assert "s3cr3tc0de" not in message


@pytest.mark.parametrize("command", ["setup", "run"])
def test_a_wrong_webhook_is_told_without_printing_it(
    kreslo: Run, mapping: Path, portal: str, clinic: str, command: str
) -> None:
    text = mapping.read_text(encoding="utf-8").replace("sqlite:///nowhere.db", clinic)
    mapping.write_text(text, encoding="utf-8")
    options = ["--port", "0"] if command == "run" else []
    message = told(kreslo(command, str(mapping), *options, env={"PORTAL": f"{portal}/rest/1/s3cr3tc0de/"}))
    assert "нет прав" in message
    assert "s3cr3tc0de" not in message


def test_a_portal_where_nobody_answers(kreslo: Run, mapping: Path) -> None:
    message = told(kreslo("setup", str(mapping)))
    assert "нет связи" in message


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A folder that the process may read and not write. For root, who may write anything, it is made so by running as
    somebody else.
    """
    folder = Path(tempfile.mkdtemp(prefix="kreslo-read-only-"))
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize("command", ["demo", "run"])
def test_a_file_system_that_cannot_be_written(
    kreslo: Run, mapping: Path, read_only: Path, command: str
) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere; the next test holds the same for root")
    given = ["demo", "--dir", str(read_only / "demo")]
    if command == "run":
        given = ["run", str(mapping), "--port", "0", "--state", f"sqlite:///{read_only / 'state.db'}"]
    assert str(read_only) in told(kreslo(*given))


def test_a_folder_that_cannot_be_made(kreslo: Run, mapping: Path, tmp_path: Path) -> None:
    # A file where a folder should be stops even root.
    (tmp_path / "taken").write_text("")
    assert "--dir" in told(kreslo("demo", "--dir", str(tmp_path / "taken" / "demo")))
    state = f"sqlite:///{tmp_path / 'taken' / 'state.db'}"
    assert "taken" in told(kreslo("run", str(mapping), "--port", "0", "--state", state))


def test_a_state_that_is_no_database(kreslo: Run, mapping: Path, tmp_path: Path) -> None:
    (tmp_path / "state.db").write_text("not a database, and longer than the header of one" * 10)
    message = told(
        kreslo("run", str(mapping), "--port", "0", "--state", f"sqlite:///{tmp_path / 'state.db'}")
    )
    assert "state.db" in message


def test_a_busy_port(kreslo: Run, mapping: Path) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert str(port) in told(kreslo("run", str(mapping), "--port", str(port)))
        assert str(port) in told(kreslo("sandbox", "bitrix24", "--port", str(port)))


def test_no_kreslo_runs_there(kreslo: Run) -> None:
    assert "127.0.0.1:9" in told(kreslo("status", "--url", "http://127.0.0.1:9"))


def test_an_unknown_crm(kreslo: Run) -> None:
    assert "bitrix24" in told(kreslo("sandbox", "bitrix25"))


def test_a_switch_that_the_sandbox_does_not_know(kreslo: Run) -> None:
    assert "sandstorm" in told(kreslo("sandbox", "bitrix24", "--port", "0", "--switch", "sandstorm=1"))


def test_messages_are_english_where_asked(kreslo: Run) -> None:
    result = kreslo("status", "--url", "http://127.0.0.1:9", env={"KRESLO_LANG": "en"})
    assert result.returncode == 2
    assert "What to do" in result.stderr


def test_a_database_that_is_no_clinic_is_told_and_left_as_it_was(
    kreslo: Run, mapping: Path, tmp_path: Path, webhook: str
) -> None:
    with sqlite3.connect(tmp_path / "nowhere.db") as connection:
        connection.execute("CREATE TABLE Other (x)")
    connection.close()
    before = (tmp_path / "nowhere.db").read_bytes()
    told(kreslo("run", str(mapping), "--port", "0", env={"PORTAL": webhook}))
    assert (tmp_path / "nowhere.db").read_bytes() == before
