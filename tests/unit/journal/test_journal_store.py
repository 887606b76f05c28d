"""The file itself: opened, locked, encrypted, migrated, torn."""

import base64
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from journal_makers import (
    MOTHER,
    NOW,
    begin,
    change,
    contact_state,
    create,
    decide,
    due_keys,
    enquiry,
    failed,
    lead,
    load,
    patient,
    settle,
    take,
)
from sqlalchemy import text

from kreslo.connectors.contract import Rejected
from kreslo.connectors.errors import ConfigurationError, ErrorKind, OutageError
from kreslo.connectors.model import OutcomeKind
from kreslo.decisions.desired import ReviewWish
from kreslo.journal import Journal, database
from kreslo.journal.migrations import HEAD
from kreslo.journal.migrations.steps import config_of
from kreslo.journal.schema import metadata
from kreslo.merging.plan import Overwrite
from kreslo.records import RecordKind, RecordRef


@contextmanager
def unprivileged() -> Iterator[None]:
    """Without root's leave to write anywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


# --- schema -------------------------------------------------------------------------------------------------------


def test_a_new_journal_has_the_schema_that_the_code_knows(tmp_path: Path) -> None:
    with (
        Journal.open(f"sqlite:///{tmp_path}/deep/er/journal.db") as journal,
        journal._engine.connect() as conn,
    ):
        assert compare_metadata(MigrationContext.configure(conn), metadata) == []


def test_the_last_migration_is_the_one_that_is_told() -> None:
    assert ScriptDirectory.from_config(config_of()).get_heads() == [HEAD]


def test_a_start_on_an_up_to_date_journal_leaves_alembic_alone(file_url: str) -> None:
    Journal.open(file_url).close()
    code = f"import sys; from kreslo.journal import Journal; Journal.open({file_url!r}).close(); print('alembic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_file_is_safe_against_power_cuts(file_url: str) -> None:
    with Journal.open(file_url) as journal, journal._engine.connect() as conn:
        settings = {
            name: conn.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}


def test_a_newer_schema_is_refused_and_left_alone(url: str, journal: Journal) -> None:
    with journal._engine.begin() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    journal.close()
    with pytest.raises(ConfigurationError, match=r"newer Kreslo \(schema 9999\)"):
        Journal.open(url)


def test_a_journal_that_was_never_made_is_refused_where_it_may_not_be_migrated(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="older schema"):
        Journal.open(f"sqlite:///{tmp_path}/none.db", migrate=False)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"not a database, at all. " * 100)
    with pytest.raises(ConfigurationError, match=r"journal\.db is damaged"):
        Journal.open(f"sqlite:///{tmp_path}/journal.db")


@pytest.mark.parametrize(
    ("address", "said"), [("mysql://x/y", "sqlite or postgresql"), ("nonsense", "cannot be read")]
)
def test_an_address_of_another_kind_is_refused(address: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Journal.open(address)


def test_a_directory_that_cannot_be_written_is_said_clearly() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        with (
            unprivileged(),
            pytest.raises(ConfigurationError, match=r"cannot be written: check the directory's rights"),
        ):
            Journal.open(f"sqlite:///{folder}/journal.db")
        with unprivileged(), pytest.raises(ConfigurationError, match="cannot be made"):
            Journal.open(f"sqlite:///{folder}/sub/journal.db")


def test_a_locked_file_is_said_clearly(file_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Journal.open(file_url).close()
    monkeypatch.setattr(database, "BUSY_SECONDS", 0)
    path = file_url.removeprefix("sqlite:///")
    holder = sqlite3.connect(path, isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(OutageError, match="is locked by another process"):
            Journal.open(file_url)
    finally:
        holder.close()


def test_a_bridge_with_cards_keeps_its_source_id(journal: Journal) -> None:
    book = journal.bridge("clinic", "ident")
    journal.bridge("clinic", "ident2")
    book = journal.bridge("clinic", "ident")
    take(book, patient("1"))
    decide(book, "patient:1", contact_state())
    with pytest.raises(ConfigurationError, match='under the source id "ident"'):
        journal.bridge("clinic", "other")


# --- keys ---------------------------------------------------------------------------------------------------------


def test_the_key_file_is_made_once_for_its_owner_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KRESLO_KEY", raising=False)
    address = f"sqlite:///{tmp_path}/journal.db"
    Journal.open(address).close()
    key = tmp_path / "journal.db.key"
    made = key.read_bytes()
    assert len(base64.b64decode(made)) == 32
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    Journal.open(address).close()
    assert key.read_bytes() == made


def test_a_wrong_key_is_refused(url: str) -> None:
    Journal.open(url).close()
    with pytest.raises(ConfigurationError, match="key does not fit"):
        Journal.open(url, key=bytes(32))


def test_a_lost_key_file_is_not_made_anew(file_url: str, tmp_path: Path) -> None:
    (tmp_path / "journal.db.key").unlink()
    with pytest.raises(ConfigurationError, match="is missing and the journal cannot be read"):
        Journal.open(file_url)
    assert not (tmp_path / "journal.db.key").exists()


def test_a_key_file_that_holds_none_is_named(file_url: str, tmp_path: Path) -> None:
    (tmp_path / "journal.db.key").write_text("hello", encoding="ascii")
    with pytest.raises(ConfigurationError, match="holds no key"):
        Journal.open(file_url)


@pytest.mark.parametrize("form", ["hex", "base64"])
def test_the_key_may_stand_in_the_environment(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = bytes(range(32))
    monkeypatch.setenv("KRESLO_KEY", secret.hex() if form == "hex" else base64.b64encode(secret).decode())
    address = f"sqlite:///{tmp_path}/journal.db"
    Journal.open(address).close()
    assert not (tmp_path / "journal.db.key").exists()
    Journal.open(address, key=secret).close()
    monkeypatch.setenv("KRESLO_KEY", "short")
    with pytest.raises(ConfigurationError, match="KRESLO_KEY holds no key"):
        Journal.open(address)


def test_no_name_and_no_phone_stands_in_the_file_in_plain(file_url: str, tmp_path: Path) -> None:
    journal = Journal.open(file_url)
    book = journal.bridge("clinic", "ident")
    secrets = {"surname": "Синицына", "card_number": "KARTA77", "email": "anna@example.org"}
    take(book, patient("1", MOTHER, **secrets), enquiry("100", MOTHER, name="Синицына"))
    take(book, enquiry("101", name="Синицына"))
    take(book, rejected=[Rejected(RecordRef(RecordKind.PATIENT, "9"), f"Синицына {MOTHER}")])
    book.observe([lead("17", MOTHER, name="Синицына")], NOW)
    card = contact_state(target_id="501")
    decide(
        book,
        "patient:1",
        card,
        planned=[change(card, {"NAME": "Синицына", "PHONE": (MOTHER,)})],
        reviews=(ReviewWish(question=f"match:{MOTHER}", rule="r", text="Синицына?"),),
        overwrites=(Overwrite(card=card.key, field="NAME", theirs="Синицына", ours=MOTHER),),
        rules=(f"Синицына {MOTHER}",),
    )
    [intent] = begin(book)
    settle(book, failed(intent, OutcomeKind.PERMANENT, ErrorKind.DATA, request=MOTHER, response="Синицына"))
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir() if "journal.db" in file.name)
    journal.close()
    assert b"patient:1" in stored  # we do look at the right bytes
    for word in ("Синицына", "синицына", "Анна", "KARTA77", "anna@example.org", MOTHER, MOTHER[2:]):
        for encoding in ("utf-8", "utf-16-le", "cp1251"):
            assert word.encode(encoding) not in stored, word
        assert word.encode("unicode_escape") not in stored, word


# --- locks --------------------------------------------------------------------------------------------------------

_HOLD = """
import sys
from kreslo.journal import Journal
with Journal.open(sys.argv[1]) as journal, journal.lock("clinic", "serve"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_process_owns_a_bridge_and_its_death_frees_it(url: str, journal: Journal) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ConfigurationError, match=rf'"clinic" is run by process {other.pid} .*\(serve\)'):
            journal.lock("clinic", "command")
        journal.lock("branch", "command").release()
        other.kill()
        other.wait()
    journal.lock("clinic", "command").release()


def test_a_lock_is_taken_once_in_a_process_too(journal: Journal) -> None:
    with (
        journal.lock("clinic", "serve"),
        pytest.raises(ConfigurationError, match=f"process,? {os.getpid()}"),
    ):
        journal.lock("clinic", "command")
    journal.lock("clinic", "command").release()


def test_names_that_look_alike_in_a_file_name_have_locks_of_their_own(journal: Journal) -> None:
    with journal.lock("Клиника", "serve"), journal.lock("Филиалы", "serve"):
        pass


# --- torn writes --------------------------------------------------------------------------------------------------

_DIE = """
import os, sys
from sqlalchemy import event
from journal_makers import *
from kreslo.journal import Journal
journal = Journal.open(sys.argv[1])
book = journal.bridge("clinic", "ident")
take(book, patient("1"), cursor="1")

def die(_conn, _cursor, statement, *_):
    if statement.startswith(sys.argv[2]):
        os.kill(os.getpid(), 9)

event.listen(journal._engine, sys.argv[3], die)
if sys.argv[2].startswith("INSERT INTO cursors"):
    take(book, patient("2"), cursor="2")
else:
    decide(book, "patient:1", contact_state(), planned=[create(contact_state())])
"""


@pytest.mark.parametrize("statement", ["INSERT INTO cursors", "UPDATE cases"])
@pytest.mark.parametrize("moment", ["before_cursor_execute", "after_cursor_execute"])
def test_a_kill_in_the_middle_of_a_transaction_leaves_what_was_before(
    url: str, statement: str, moment: str
) -> None:
    died = subprocess.run(
        [sys.executable, "-c", _DIE, url, statement, moment],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]),
        },
        check=False,
    )
    assert died.returncode == -9
    with Journal.open(url) as journal:
        book = journal.bridge("clinic", "ident")
        assert book.cursor() == "1"
        assert due_keys(book) == ["patient:1"]
        assert load(book, "patient:1").cards == ()
        assert book.sendable(NOW, 10) == []
        # And it goes on from there.
        decide(book, "patient:1", contact_state(), planned=[create(contact_state())])
        assert len(book.sendable(NOW, 10)) == 1
