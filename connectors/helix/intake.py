"""One file into the state, some rows at a time: a crash in the middle goes on behind the last rows that were kept."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from connectors.helix import doubts, merging
from connectors.helix.columns import Columns
from connectors.helix.formats import Bad, FileError, Item, open_table
from connectors.helix.options import HelixOptions
from connectors.helix.rows import KINDS, Draft, Rows
from connectors.helix.store import FileRow, Store, span
from connectors.helix.tables import Table
from connectors.helix.taking import Taking
from connectors.helix.working import Working
from kreslo.connectors.seams import Clock
from kreslo.records import Appointment, RecordKind, RecordRef

log = structlog.get_logger(__name__)

STEP = 1000
"""Rows in one transaction."""


class _Open:
    """The file under way. `days`: of its visits; `given`: their ids, where absence counts."""

    def __init__(self, file: FileRow, table: Table, rows: Rows) -> None:
        self.file = file
        self.table = table
        self.items: Iterator[Item] = (item for item in table.rows if item.number > file.row)
        self.rows = rows
        self.bad = file.bad


class Intake:
    def __init__(self, options: HelixOptions, store: Store, inbox: Path, clock: Clock) -> None:
        self._options = options
        self._store = store
        self._inbox = inbox
        self._clock = clock
        self._zone = ZoneInfo(options.timezone)
        self._open: _Open | None = None

    def step(self) -> bool:
        """Some rows of the file that is under way, or of the next one. False where there is nothing to do."""
        if self._open is None:
            file = self._store.taken()
            if file is None:
                return False
            if not self._begin(file):
                return True
        if self._open is not None:
            self._rows(self._open)
        return True

    def _begin(self, file: FileRow) -> bool:
        now = self._clock.now()
        profile = self._options.profiles.get(file.profile)
        if profile is None:
            with self._store.writing():
                self._store.end_file(file.id, "failed", now, reason="профиля больше нет в настройках")
            return False
        try:
            table = open_table(self._inbox / file.copy, profile, Columns(profile))
        except (FileError, FileNotFoundError) as error:
            self._fail(
                file, str(error) if isinstance(error, FileError) else "копия файла пропала из inbox", now
            )
            return False
        if file.row == 0:
            with self._store.writing():
                self._store.release_file(file.id)
                self._store.clear_doubts(file.profile, None if profile.mode == "snapshot" else file.name)
        self._open = _Open(file, table, Rows(self._options, profile, self._today()))
        return True

    def _rows(self, work: _Open) -> None:
        """Raises nothing for what is wrong with a row."""
        file = work.file
        try:
            items = list(islice(work.items, STEP))
        except (OSError, UnicodeError) as error:
            self._fail(file, f"копия файла не читается: {type(error).__name__}", self._clock.now())
            return
        profile = self._options.profiles[file.profile]
        drafts, reasons = _drafts(work.rows, items)
        with self._store.writing():
            reasons |= Taking(self._store, file, profile, self._clock.now()).take(drafts)
            for number, reason in sorted(reasons.items()):
                work.bad += 1
                self._store.park(file, KINDS[profile.row], number, reason)
            for draft in drafts:
                if draft.doubt and draft.number not in reasons:
                    self._store.doubt(file, draft.number, draft.doubt)
            if items:
                bad = work.bad - file.bad
                file = self._saved(file, items[-1].number, len(items), bad)
                work.file = file
            if len(items) < STEP:
                self._finish(work)

    def _saved(self, file: FileRow, row: int, rows: int, bad: int) -> FileRow:
        self._store.save_progress(file.id, row=row, rows=rows, bad=bad)
        saved = self._store.file(file.id)
        if saved is None:
            raise RuntimeError("the ledger lost the file that is under way")
        return saved

    def _finish(self, work: _Open) -> None:
        file, now = work.file, self._clock.now()
        profile = self._options.profiles[file.profile]
        whole = work.table.shape.whole
        if profile.absent != "keep":
            self._absent(file, now, complete=whole and not work.bad)
        everything = profile.mode == "snapshot"
        released = self._store.release(file.profile, None if everything else file.name, file.id)
        self._store.end_file(file.id, "done", now, whole=whole)
        for name in self._store.told_files(file.profile) if everything else [file.name]:
            self._store.settle(f"file/{file.profile}/{name}")
        self._open = None
        doubts.write_list(self._store, self._options.state)
        log.info(
            "helix.file_read",
            profile=file.profile,
            rows=file.rows,
            parked=work.bad,
            released=released,
            encoding=work.table.shape.encoding,
            format=work.table.shape.format,
        )

    def _absent(self, file: FileRow, now: datetime, *, complete: bool) -> None:
        """What this profile gave for the days of this file, lies ahead, and is not in this file."""
        profile, topic = self._options.profiles[file.profile], f"absent/{file.profile}"
        newest = self._store.last_file(file.profile)
        if newest is not None and newest.id != file.id and newest.written > file.written:
            return
        days = self._store.days_of(file.id, self._zone)
        spans = [span(*self._bounds(day)) for day in sorted(days)]
        known = self._store.of_days(RecordKind.APPOINTMENT, spans, file.profile)
        visits = [
            self._store.get(RecordRef(RecordKind.APPOINTMENT, id_)) for id_, last in known if last != file.id
        ]
        gone = [
            visit
            for visit in visits
            if isinstance(visit, Appointment) and visit.cancelled_at is None and visit.starts_at > now
        ]
        if not gone:
            self._store.settle(topic)
            return
        if not complete or len(gone) > profile.max_drop * len(known):
            why = (
                f"в новом файле не хватает {len(gone)} из {len(known)} приёмов"
                if complete
                else f"в новом файле нет {len(gone)} приёмов, но часть строк не прочитана"
            )
            self._store.warn(
                topic, f"{file.profile}: {why}; приёмы не отменены, проверьте файл {file.name}", now
            )
            return
        self._store.settle(topic)
        working = Working(self._store, file.id)
        for visit in gone:
            if profile.absent == "cancel":
                working.put(merging.cancelled(visit, now))
            else:
                self._store.remove(RecordRef(RecordKind.APPOINTMENT, visit.id))
        working.flush()

    def _bounds(self, day: date) -> tuple[datetime, datetime]:
        start = datetime(day.year, day.month, day.day, tzinfo=self._zone)
        return start, start + timedelta(days=1)

    def _fail(self, file: FileRow, reason: str, now: datetime) -> None:
        """The whole file is of no use; a person is told until a file of that name can be read."""
        with self._store.writing():
            self._store.end_file(file.id, "failed", now, reason=reason, whole=False)
            self._store.warn(
                f"file/{file.profile}/{file.name}",
                f"{file.profile}: файл {file.name} не прочитан: {reason}",
                now,
            )
        self._open = None

    def _today(self) -> date:
        return self._clock.now().astimezone(self._zone).date()


def _drafts(rows: Rows, items: list[Item]) -> tuple[list[Draft], dict[int, str]]:
    """What the rows say, and by number why some of them say nothing."""
    drafts: list[Draft] = []
    bad: dict[int, str] = {}
    for item in items:
        if isinstance(item, Bad):
            bad[item.number] = item.reason
            continue
        try:
            drafts.append(rows.draft(item))
        except (ValueError, OverflowError) as error:
            bad[item.number] = str(error)
    return drafts, bad
