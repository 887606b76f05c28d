"""The source's own state in one SQLite file: ledger, records, aliases, parked rows. Used by one thread."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from connectors.helix.sealing import Seal, seal_in
from kreslo.connectors.contract import Rejected
from kreslo.connectors.errors import ConfigurationError
from kreslo.records import Appointment, Enquiry, Entry, Patient, Record, RecordKind, RecordRef, ref_of
from kreslo.records.codec import decode

_SCHEMA = Path(__file__).with_name("schema.sql")
_VERSION = 1
_AT_ONCE = 500
"""Question marks in one statement; SQLite before 3.32 takes 999."""
KINDS = (RecordKind.PATIENT, RecordKind.APPOINTMENT, RecordKind.ENQUIRY, RecordKind.ENTRY)
"""The order of a pass: a patient is known before the visit."""


class FileRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the ledger. `row`: the last row of the file that has been taken over."""

    id: int
    profile: str
    name: str
    sha: str
    written: float
    state: str
    row: int
    rows: int
    bad: int
    whole: bool
    reason: str
    copy: str


class Store:
    """`id` is another one after the state was lost: a cursor of before then means "from the beginning"."""

    def __init__(self, folder: Path, fresh_id: str) -> None:
        """Raises ConfigurationError where the folder cannot be used."""
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._seal: Seal = seal_in(folder)
            self._db = sqlite3.connect(folder / "helix.db", timeout=30, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(f"state: {folder} cannot be used: {error}") from error
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        # Keys are hashes: a small cache would read and write most pages once for every thousand rows.
        self._db.execute("PRAGMA cache_size = -32000")
        self._db.execute("PRAGMA wal_autocheckpoint = 4000")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            self._db.close()
            raise ConfigurationError(f"state: {folder} was written by a newer Kreslo; use that version")
        self._db.executescript(_SCHEMA.read_text(encoding="utf-8"))
        self._db.execute(f"PRAGMA user_version = {_VERSION}")
        self._db.execute("INSERT OR IGNORE INTO meta VALUES ('id', ?)", (fresh_id,))
        self.id: str = self._db.execute("SELECT value FROM meta WHERE name = 'id'").fetchone()[0]
        self._seq = self._highest()

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """All or nothing. A reader that stands beside (kreslo check) is not in the way."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._seq = self._highest()
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # --- meta -------------------------------------------------------------------------------------------------------

    def note(self, name: str) -> str | None:
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def save_note(self, name: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def warnings(self) -> dict[str, str]:
        """What stands wrong with single files and rows, by topic."""
        return {
            row["topic"]: row["text"]
            for row in self._db.execute("SELECT * FROM warnings ORDER BY since, topic")
        }

    def warn(self, topic: str, text: str, now: datetime) -> bool:
        """True where it is news."""
        known = self._db.execute("SELECT text FROM warnings WHERE topic = ?", (topic,)).fetchone()
        if known is not None and known[0] == text:
            return False
        self._db.execute("INSERT OR REPLACE INTO warnings VALUES (?, ?, ?)", (topic, text, now.isoformat()))
        return known is None

    def settle(self, topic: str) -> bool:
        """The end of a warning; True where there was one."""
        return self._db.execute("DELETE FROM warnings WHERE topic = ?", (topic,)).rowcount > 0

    def told_files(self, profile: str) -> list[str]:
        """Names of the profile's files that something is wrong with."""
        prefix = f"file/{profile}/"
        return [topic.removeprefix(prefix) for topic in self.warnings() if topic.startswith(prefix)]

    # --- ledger -----------------------------------------------------------------------------------------------------

    def looked_at(self, profile: str, name: str) -> tuple[int, int] | None:
        """Size and mtime (ns) of the file as it was dealt with."""
        row = self._db.execute(
            "SELECT size, mtime FROM seen WHERE profile = ? AND name = ?", (profile, name)
        ).fetchone()
        return None if row is None else (row[0], row[1])

    def save_look(self, profile: str, name: str, size: int, mtime: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?)", (profile, name, size, mtime))

    def last_file(self, profile: str) -> FileRow | None:
        """The newest of the profile's files, by the time its writer gave it."""
        query = "SELECT * FROM files WHERE profile = ? AND state != 'failed' ORDER BY written DESC, id DESC LIMIT 1"
        return next(map(_file, self._db.execute(query, (profile,))), None)

    def with_content(self, profile: str, sha: str) -> FileRow | None:
        query = (
            "SELECT * FROM files WHERE profile = ? AND sha = ? AND state != 'failed' ORDER BY id DESC LIMIT 1"
        )
        return next(map(_file, self._db.execute(query, (profile, sha))), None)

    def add_file(
        self, *, profile: str, name: str, sha: str, size: int, written: float, copy: str, now: datetime
    ) -> int:
        row = self._db.execute(
            "INSERT INTO files (profile, name, sha, size, written, state, taken_at, copy)"
            " VALUES (?, ?, ?, ?, ?, 'taken', ?, ?)",
            (profile, name, sha, size, written, now.isoformat(), copy),
        )
        return int(row.lastrowid or 0)

    def taken(self) -> FileRow | None:
        """The next file to go on with: what was begun first, then as they came."""
        query = "SELECT * FROM files WHERE state = 'taken' ORDER BY row = 0, id LIMIT 1"
        return next(map(_file, self._db.execute(query)), None)

    def waiting(self) -> int:
        """How many files are not read to their end."""
        return int(self._db.execute("SELECT count(*) FROM files WHERE state = 'taken'").fetchone()[0])

    def file(self, id_: int) -> FileRow | None:
        return next(map(_file, self._db.execute("SELECT * FROM files WHERE id = ?", (id_,))), None)

    def save_progress(self, id_: int, *, row: int, rows: int, bad: int) -> None:
        self._db.execute(
            "UPDATE files SET row = ?, rows = rows + ?, bad = bad + ? WHERE id = ?", (row, rows, bad, id_)
        )

    def end_file(self, id_: int, state: str, now: datetime, *, reason: str = "", whole: bool = True) -> None:
        self._db.execute(
            "UPDATE files SET state = ?, reason = ?, whole = ?, done_at = ? WHERE id = ?",
            (state, reason, whole, now.isoformat(), id_),
        )

    def retry(self, profile: str) -> int:
        """The profile has changed: what failed, and what had bad rows, is read again from its copy. How many files."""
        return self._db.execute(
            "UPDATE files SET state = 'taken', row = 0, rows = 0, bad = 0 WHERE profile = ? AND copy != ''"
            " AND (state = 'failed' OR bad > 0)",
            (profile,),
        ).rowcount

    def copies(self, before: datetime | None = None) -> list[tuple[int, str]]:
        """Inbox copies of files that are done with (before then)."""
        query = "SELECT id, copy FROM files WHERE copy != ''"
        rows = (
            self._db.execute(query)
            if before is None
            else self._db.execute(f"{query} AND state != 'taken' AND done_at < ?", (before.isoformat(),))
        )
        return [(row[0], row[1]) for row in rows]

    def forget_copy(self, id_: int) -> None:
        self._db.execute("UPDATE files SET copy = '' WHERE id = ?", (id_,))

    # --- records ----------------------------------------------------------------------------------------------------

    def get(self, ref: RecordRef) -> Record | None:
        """The record as it is known, None also for one that is gone."""
        row = self._db.execute(
            "SELECT body FROM records WHERE kind = ? AND id = ? AND gone = 0", (ref.kind.value, ref.id)
        ).fetchone()
        return None if row is None else self._opened(row[0])

    def kept(self, refs: Sequence[RecordRef]) -> Iterator[tuple[RecordRef, Record | None, bytes, int]]:
        """Of those that are kept: the record (None: it is gone), its digest and its last file."""
        for kind in dict.fromkeys(ref.kind for ref in refs):
            for ids in batched([ref.id for ref in refs if ref.kind is kind], _AT_ONCE):
                marks = ",".join("?" * len(ids))
                query = f"SELECT id, body, digest, file, gone FROM records WHERE kind = ? AND id IN ({marks})"  # noqa: S608  question marks
                for row in self._db.execute(query, (kind.value, *ids)).fetchall():
                    record = None if row["gone"] else self._opened(row["body"])
                    yield RecordRef(kind, row["id"]), record, row["digest"], row["file"]

    def put_all(self, records: Sequence[tuple[Record, bytes, bytes]], file: int) -> None:
        """Each with its digest and its body."""
        rows = []
        for record, digest, body in records:
            ref = ref_of(record)
            sealed = self._seal.close(body)
            rows.append((ref.kind.value, ref.id, self._next(), _at(record), file, digest, sealed))
        self._db.executemany(
            "INSERT OR REPLACE INTO records (kind, id, seq, at, file, gone, digest, body) VALUES (?, ?, ?, ?, ?, 0, ?, ?)",
            rows,
        )

    def given_again(self, refs: Sequence[RecordRef], file: int) -> None:
        """The file said of these what was known."""
        self._db.executemany(
            "UPDATE records SET file = ? WHERE kind = ? AND id = ?",
            [(file, ref.kind.value, ref.id) for ref in refs],
        )

    def remove(self, ref: RecordRef) -> None:
        self._db.execute(
            "UPDATE records SET gone = 1, seq = ? WHERE kind = ? AND id = ?",
            (self._next(), ref.kind.value, ref.id),
        )

    def of_days(
        self, kind: RecordKind, spans: Iterable[tuple[float, float]], profile: str
    ) -> list[tuple[str, int]]:
        """Ids and last files of what starts in these spans and was last given by the profile."""
        query = (
            "SELECT r.id, r.file FROM records r JOIN files f ON f.id = r.file"
            " WHERE r.kind = ? AND r.at >= ? AND r.at < ? AND r.gone = 0 AND f.profile = ?"
        )
        return [
            (row[0], row[1])
            for since, until in spans
            for row in self._db.execute(query, (kind.value, since, until, profile))
        ]

    def days_of(self, file: int, zone: ZoneInfo) -> frozenset[date]:
        """The local days of the visits that this file gave."""
        rows = self._db.execute(
            "SELECT DISTINCT at FROM records WHERE kind = ? AND file = ? AND gone = 0",
            (RecordKind.APPOINTMENT.value, file),
        )
        return frozenset(datetime.fromtimestamp(row[0], zone).date() for row in rows)

    def ids(self, kind: RecordKind, span: tuple[float, float] | None) -> frozenset[str]:
        query = "SELECT id FROM records WHERE kind = ? AND gone = 0"
        if span is None:
            rows = self._db.execute(query, (kind.value,))
        else:
            rows = self._db.execute(f"{query} AND at >= ? AND at < ?", (kind.value, *span))
        return frozenset(row[0] for row in rows)

    def page(self, kind: RecordKind, since: int, after: str, limit: int) -> list[Record]:
        """Records of the kind that changed after `since`, by id."""
        changed = " AND seq > ?" if since else ""
        rows = self._db.execute(
            f"SELECT body FROM records WHERE kind = ? AND id > ? AND gone = 0{changed} ORDER BY id LIMIT ?",  # noqa: S608  the text is ours
            (kind.value, after, *([since] if since else []), limit),
        )
        return [self._opened(row[0]) for row in rows]

    # --- aliases ----------------------------------------------------------------------------------------------------

    def aliases(self, kind: RecordKind, keys: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Key and id of the records known by any of these keys, by id."""
        for some in batched(keys, _AT_ONCE):
            marks = ",".join("?" * len(some))
            query = f"SELECT key, id FROM aliases WHERE kind = ? AND key IN ({marks}) ORDER BY id"  # noqa: S608  question marks
            for row in self._db.execute(query, (kind.value, *some)).fetchall():
                yield row["key"], row["id"]

    def call_all(self, names: Iterable[tuple[RecordKind, str, str]]) -> None:
        """Kind, key and id each."""
        self._db.executemany(
            "INSERT OR IGNORE INTO aliases VALUES (?, ?, ?)",
            [(kind.value, key, id_) for kind, key, id_ in names],
        )

    # --- parked -----------------------------------------------------------------------------------------------------

    def park(self, file: FileRow, kind: RecordKind, line: int, reason: str) -> None:
        ref = f"{file.profile}/{file.name}:{line}"
        self._db.execute(
            "INSERT OR REPLACE INTO parked VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
            (ref, kind.value, self._next(), file.id, file.profile, file.name, line, reason),
        )

    def release(self, profile: str, name: str | None, newer: int) -> int:
        """Rows of older files of this name (None: of any name) that are not bad any more. How many."""
        query = "SELECT ref FROM parked WHERE profile = ? AND file != ? AND released = 0"
        arguments: list[Any] = [profile, newer]
        if name is not None:
            query += " AND name = ?"
            arguments.append(name)
        refs = [row[0] for row in self._db.execute(query, arguments).fetchall()]
        self._db.executemany(
            "UPDATE parked SET released = 1, seq = ? WHERE ref = ?", [(self._next(), ref) for ref in refs]
        )
        return len(refs)

    def release_file(self, file: int) -> None:
        """All rows of a file that is read once more; what is still bad is parked again."""
        refs = [
            row[0]
            for row in self._db.execute("SELECT ref FROM parked WHERE file = ? AND released = 0", (file,))
        ]
        self._db.executemany(
            "UPDATE parked SET released = 1, seq = ? WHERE ref = ?", [(self._next(), ref) for ref in refs]
        )

    def parked(self, since: int, after: str, limit: int) -> tuple[list[Rejected], list[RecordRef], str]:
        """Rows parked and rows released since then, by reference, and the last reference given."""
        rows = self._db.execute(
            "SELECT * FROM parked WHERE seq > ? AND ref > ? ORDER BY ref LIMIT ?", (since, after, limit)
        ).fetchall()
        refs = {row["ref"]: RecordRef(RecordKind(row["kind"]), row["ref"]) for row in rows}
        rejected = [
            Rejected(refs[row["ref"]], f"{row['name']}, строка {row['line']}: {row['reason']}")
            for row in rows
            if not row["released"]
        ]
        released = [refs[row["ref"]] for row in rows if row["released"]]
        return rejected, released, rows[-1]["ref"] if rows else ""

    def doubt(self, file: FileRow, line: int, why: str) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO doubts VALUES (?, ?, ?, ?)", (file.profile, file.name, line, why)
        )

    def clear_doubts(self, profile: str, name: str | None) -> None:
        """Of the file of this name (None: of any), which is read again or followed by a newer one."""
        self._db.execute("DELETE FROM doubts WHERE profile = ? AND name = coalesce(?, name)", (profile, name))

    def doubts(self, limit: int | None) -> tuple[int, list[tuple[str, int, str]]]:
        """How many names look wrong, and where the first of them (None: all) stand: file, line, why."""
        count = int(self._db.execute("SELECT count(*) FROM doubts").fetchone()[0])
        rows = self._db.execute(
            "SELECT name, line, why FROM doubts ORDER BY name, line LIMIT ?",
            (-1 if limit is None else limit,),
        )
        return count, [(row[0], row[1], row[2]) for row in rows]

    # --- the counter ------------------------------------------------------------------------------------------------

    def top(self) -> int:
        """The counter behind everything that is known now."""
        return self._highest()

    def _highest(self) -> int:
        query = "SELECT max((SELECT coalesce(max(seq), 0) FROM records), (SELECT coalesce(max(seq), 0) FROM parked))"
        return int(self._db.execute(query).fetchone()[0])

    def _next(self) -> int:
        self._seq += 1
        return self._seq

    def _opened(self, body: bytes) -> Record:
        try:
            return decode(self._seal.open(body))
        except msgspec.ValidationError as error:
            raise ConfigurationError(
                "the Helix state holds a record that this version cannot read"
            ) from error


def batched(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _at(record: Record) -> float | None:
    match record:
        case Appointment(starts_at=starts_at):
            return starts_at.timestamp()
        case Enquiry(created_at=created_at) | Entry(created_at=created_at):
            return created_at.timestamp()
        case Patient():
            return None


def _file(row: sqlite3.Row) -> FileRow:
    names = FileRow.__struct_fields__
    return FileRow(**{name: row[name] for name in names if name != "whole"}, whole=bool(row["whole"]))


def span(since: datetime, until: datetime) -> tuple[float, float]:
    return since.astimezone(UTC).timestamp(), until.astimezone(UTC).timestamp()
