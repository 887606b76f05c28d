"""The folders that 1C writes to. Polled: file events are unreliable on shares. A file is copied first, then looked at.

Taken is what stands still: size and time of change the same for `settle`, readable, the same after the copy as before
it, and ending as such a file ends. What cannot be seen (no share, no right) is unknown, never gone.
"""

import fnmatch
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import structlog

from connectors.helix.columns import Columns
from connectors.helix.formats import FileError, UnfinishedError, open_table
from connectors.helix.options import HelixOptions, ProfileOptions
from connectors.helix.store import Store
from kreslo.connectors.seams import Clock

log = structlog.get_logger(__name__)

_CHUNK = 1 << 20
_BINARY = getattr(os, "O_BINARY", 0)  # Windows would translate line ends
_TEMPORARY = (".tmp", ".part", ".partial", ".crdownload", ".ok", ".ready")


class Found(msgspec.Struct, frozen=True, order=True):
    """A file as the folder shows it: oldest first."""

    mtime: int
    name: str
    size: int


class _Watch(msgspec.Struct):
    """Since when (by our own clock, seconds) a file stands as it is, and until when it is not tried again."""

    found: Found
    since: float
    retry_at: float = 0.0
    tries: int = 0


class Drop:
    """Looks into the folders and puts what is ready into the ledger. `unreachable`: by profile, why its folder could not
    be listed the last time.
    """

    def __init__(self, options: HelixOptions, store: Store, inbox: Path, clock: Clock) -> None:
        self._options = options
        self._store = store
        self._inbox = inbox
        self._clock = clock
        self._watched: dict[tuple[str, str], _Watch] = {}
        self.unreachable: dict[str, str] = {}

    def look(self) -> int:
        """One round over all profiles: how many files were taken."""
        return sum(self._profile(name, profile) for name, profile in self._options.profiles.items())

    def waits(self) -> bool:
        """Whether something stands in a folder and is not taken yet."""
        return bool(self._watched)

    def listed(self, name: str) -> list[Found]:
        """The profile's files as its folder shows them now, oldest first. Raises OSError."""
        profile = self._options.profiles[name]
        with os.scandir(self._options.folder_of(name)) as entries:
            return sorted(self._matching(profile, entries))

    def prune(self) -> None:
        """Copies of files that were done with long enough ago."""
        for id_, copy in self._store.copies(self._clock.now() - self._options.keep):
            (self._inbox / copy).unlink(missing_ok=True)
            with self._store.writing():
                self._store.forget_copy(id_)

    def _profile(self, name: str, profile: ProfileOptions) -> int:
        try:
            files = self.listed(name)
        except OSError as error:
            self.unreachable[name] = error.strerror or type(error).__name__
            return 0
        self.unreachable.pop(name, None)
        there = {found.name for found in files}
        for key in [key for key in self._watched if key[0] == name and key[1] not in there]:
            del self._watched[key]
        if profile.after == "leave":
            self._forget_told(name, there)
        return sum(self._file(name, profile, found, there) for found in files)

    def _forget_told(self, name: str, there: set[str]) -> None:
        """A file that a person has taken away is nobody's worry any more."""
        gone = [file for file in self._store.told_files(name) if file not in there]
        if gone:
            with self._store.writing():
                for file in gone:
                    self._store.settle(f"file/{name}/{file}")

    def _matching(self, profile: ProfileOptions, entries: Iterator[os.DirEntry[str]]) -> Iterator[Found]:
        for entry in entries:
            lowered = entry.name.lower()
            if lowered.endswith(_TEMPORARY) or lowered.startswith((".", "~$")):
                continue
            if not any(fnmatch.fnmatchcase(lowered, pattern.lower()) for pattern in profile.files):
                continue
            try:
                if not entry.is_file():
                    continue
                stat = entry.stat()
            except OSError:
                continue  # it was renamed or deleted while the folder was listed: the next look says
            yield Found(stat.st_mtime_ns, entry.name, stat.st_size)

    def _file(self, name: str, profile: ProfileOptions, found: Found, there: set[str]) -> bool:
        if self._store.looked_at(name, found.name) == (found.size, found.mtime):
            self._watched.pop((name, found.name), None)
            return False
        watch = self._watched.get((name, found.name))
        now = self._clock.monotonic()
        if watch is None or watch.found != found:
            watch = self._watched[name, found.name] = _Watch(found, now)
        settle = self._options.settle.total_seconds()
        if profile.ready == "stable" and now - watch.since < settle:
            return False
        if profile.ready == "marker" and not self._has_marker(name, profile, found.name, there):
            return False
        if now < watch.retry_at:
            return False
        try:
            return self._take(name, profile, watch)
        except OSError as error:
            # Another program holds it open (Windows), or the share went away: again, less and less often.
            watch.tries += 1
            watch.retry_at = now + min(300.0, 2.0**watch.tries)
            log.info("helix.file_not_readable", profile=name, file=found.name, error=type(error).__name__)
            if watch.tries >= 5:
                self._warn(
                    name, found.name, "не открывается: его держит другая программа или нет прав на чтение"
                )
            return False

    def _has_marker(self, name: str, profile: ProfileOptions, file: str, there: set[str]) -> bool:
        marker = profile.marker.format(name=file, stem=Path(file).stem)
        return marker in there or (self._options.folder_of(name) / marker).exists()

    def _take(self, name: str, profile: ProfileOptions, watch: _Watch) -> bool:
        """True where the file went into the ledger. Raises OSError where it cannot be read now."""
        found = watch.found
        source = self._options.folder_of(name) / found.name
        if found.size > self._options.max_bytes:
            self._warn(name, found.name, f"больше {self._options.max_bytes >> 20} МБ (max_bytes)")
            return False
        # By profile and number, not by its own name: two profiles may have files of one name.
        temporary = self._inbox / f"{name}.taking"
        sha = _copied(source, temporary)
        after = source.stat()
        if (after.st_size, after.st_mtime_ns) != (found.size, found.mtime):
            temporary.unlink()
            return False  # it was written to while we copied: it must stand still first
        if self._known(name, profile, found, sha):
            temporary.unlink()
            self._noted(name, profile, found, source)
            return False
        if not self._complete(name, profile, watch, temporary):
            temporary.unlink()
            return False
        copy = f"{name}-{sha[:24]}{Path(found.name).suffix.lower()}"
        temporary.replace(self._inbox / copy)
        with self._store.writing():
            self._store.add_file(
                profile=name,
                name=found.name,
                sha=sha,
                size=found.size,
                written=found.mtime / 1e9,
                copy=copy,
                now=self._clock.now(),
            )
        self._noted(name, profile, found, source)
        return True

    def _known(self, name: str, profile: ProfileOptions, found: Found, sha: str) -> bool:
        """The same content is nothing new. In a snapshot it is, if something else was said in between."""
        known = self._store.with_content(name, sha)
        if known is None:
            return False
        last = self._store.last_file(name)
        if profile.mode == "append" or last is None or last.sha == sha:
            return True
        return found.mtime / 1e9 <= last.written

    def _complete(self, name: str, profile: ProfileOptions, watch: _Watch, copy: Path) -> bool:
        """Whether the file ends as such a file ends. One that does not is waited for; after `patience` a text is taken as
        it is, and of any other a person is told.
        """
        waited = self._clock.monotonic() - watch.since
        patient = waited < self._options.patience.total_seconds() and profile.ready == "stable"
        try:
            table = open_table(copy, profile, Columns(profile))
        except UnfinishedError as error:
            if not patient:
                self._warn(name, watch.found.name, f"не закончен: {error}")
            return False
        except FileError:
            return True  # it will not get better by waiting: the ledger keeps the reason
        return table.shape.whole or not patient

    def _noted(self, name: str, profile: ProfileOptions, found: Found, source: Path) -> None:
        with self._store.writing():
            self._store.save_look(name, found.name, found.size, found.mtime)
            self._store.save_note(f"arrived/{name}", self._clock.now().isoformat())
            self._store.settle(f"file/{name}/{found.name}")
        self._watched.pop((name, found.name), None)
        if profile.after == "delete":
            source.unlink(missing_ok=True)

    def _warn(self, name: str, file: str, text: str) -> None:
        with self._store.writing():
            self._store.warn(f"file/{name}/{file}", f"{name}: файл {file} {text}", self._clock.now())


def _copied(source: Path, target: Path) -> str:
    """Copies and hashes in one go. Raises OSError."""
    digest = hashlib.sha256()
    with (
        source.open("rb") as reading,
        os.fdopen(os.open(target, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | _BINARY, 0o600), "wb") as writing,
    ):
        while chunk := reading.read(_CHUNK):
            digest.update(chunk)
            writing.write(chunk)
        writing.flush()
        os.fsync(writing.fileno())
    return digest.hexdigest()
