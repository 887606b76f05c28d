"""Everything of a running Helix source that works with files: folders, inbox, state, what is wrong with them."""

import hashlib
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from connectors.helix import doubts
from connectors.helix.columns import Columns
from connectors.helix.drop import Drop
from connectors.helix.formats import FileError, UnfinishedError, open_table
from connectors.helix.intake import Intake
from connectors.helix.lateness import late
from connectors.helix.options import HelixOptions
from connectors.helix.store import Store
from kreslo.connectors.contract import Seams
from kreslo.connectors.errors import ConfigurationError, ErrorKind
from kreslo.connectors.model import Problem

log = structlog.get_logger(__name__)


class Desk:
    """Used by one thread."""

    def __init__(self, options: HelixOptions, seams: Seams) -> None:
        """Raises ConfigurationError where the state cannot be used."""
        self._options = options
        self._clock = seams.clock
        self._zone = ZoneInfo(options.timezone)
        self.store = Store(options.state, f"{int(seams.chance.random() * 2**53):014x}")
        inbox = options.state / "inbox"
        try:
            inbox.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            self.store.close()
            raise ConfigurationError(f"state: {inbox} cannot be made: {error.strerror}") from error
        self._drop = Drop(options, self.store, inbox, seams.clock)
        self._intake = Intake(options, self.store, inbox, seams.clock)
        self._changed_profiles()

    def close(self) -> None:
        self.store.close()

    def look(self) -> int:
        """Looks into the folders; how many files were taken. Sets and ends what is late."""
        if self.store.note("watched_since") is None:
            with self.store.writing():
                self.store.save_note("watched_since", self._clock.now().isoformat())
        taken = self._drop.look()
        self._drop.prune()
        self._lateness()
        return taken

    def waits(self) -> bool:
        """Whether files stand in the folders that are not taken yet."""
        return self._drop.waits()

    def step(self) -> bool:
        return self._intake.step()

    def doing(self) -> str:
        """The file under way and what waits behind it, "" where nothing does."""
        file, waiting = self.store.taken(), self.store.waiting()
        if file is None:
            return ""
        return f"файл {file.name}: строк {file.rows}; файлов впереди {waiting - 1}"

    def unreachable(self) -> list[str]:
        return [
            f"{name}: папка {self._options.folder_of(name)} недоступна ({why}): проверьте сетевой диск и права"
            for name, why in sorted(self._drop.unreachable.items())
        ]

    def warnings(self) -> list[Problem]:
        """Everything that stands wrong now, none of which stops the bridge."""
        found = [Problem(text, ErrorKind.OUTAGE, fatal=False) for text in self.unreachable()]
        found += [Problem(text, ErrorKind.DATA, fatal=False) for text in self.store.warnings().values()]
        return found + doubts.told(self.store, self._options.state)

    def check(self) -> list[Problem]:
        """Looks and takes nothing. Of a profile that has read files before, nothing is fatal: a share that is away and a
        file that went wrong are waited out, and a restart must not make them an end.
        """
        problems: list[Problem] = []
        for name, profile in self._options.profiles.items():
            try:
                files = self._drop.listed(name)
            except OSError as error:
                where = self._options.folder_of(name)
                text = f"{name}: папка {where} недоступна ({error.strerror}): проверьте путь, сетевой диск и права"
                problems.append(Problem(text, ErrorKind.OUTAGE, fatal=not self._proved(name)))
                continue
            if not files:
                text = f"{name}: файлов {', '.join(profile.files)} в папке пока нет"
                problems.append(Problem(text, ErrorKind.DATA, fatal=False))
                continue
            problems += self._sample(name, self._options.folder_of(name) / files[-1].name)
        problems += [Problem(text, ErrorKind.DATA, fatal=False) for text in self.store.warnings().values()]
        return problems + doubts.told(self.store, self._options.state)

    def _sample(self, name: str, path: Path) -> list[Problem]:
        profile = self._options.profiles[name]
        try:
            open_table(path, profile, Columns(profile))
        except UnfinishedError as error:
            return [
                Problem(f"{name}: файл {path.name} пока не закончен: {error}", ErrorKind.DATA, fatal=False)
            ]
        except FileError as error:
            text = f"{name}: файл {path.name}: {error}"
            return [Problem(text, ErrorKind.DATA, fatal=not self._proved(name))]
        except OSError as error:
            text = f"{name}: файл {path.name} не открывается: {error.strerror}"
            return [Problem(text, ErrorKind.PERMISSION, fatal=False)]
        return []

    def _proved(self, name: str) -> bool:
        """Whether a file of the profile was ever read: then its settings are right."""
        return self.store.last_file(name) is not None

    def _changed_profiles(self) -> None:
        """A profile that was corrected reads again what it could not read before."""
        for name, profile in self._options.profiles.items():
            topic, now = f"profile/{name}", hashlib.sha256(profile.model_dump_json().encode()).hexdigest()
            before = self.store.note(topic)
            if before == now:
                continue
            with self.store.writing():
                self.store.save_note(topic, now)
                again = self.store.retry(name) if before is not None else 0
            if again:
                log.info("helix.files_read_again", profile=name, files=again)

    def _lateness(self) -> None:
        now = self._clock.now()
        since = datetime.fromisoformat(self.store.note("watched_since") or now.isoformat())
        for name, profile in self._options.profiles.items():
            if profile.schedule is None:
                continue
            arrived = self.store.note(f"arrived/{name}")
            due = late(
                profile.schedule,
                self._zone,
                now=now,
                arrived=datetime.fromisoformat(arrived) if arrived else None,
                watched_since=since,
            )
            self._tell(name, due, now)

    def _tell(self, name: str, due: datetime | None, now: datetime) -> None:
        topic = f"late/{name}"
        if due is None:
            if topic in self.store.warnings():
                with self.store.writing():
                    self.store.settle(topic)
                log.info("helix.file_came", profile=name)
            return
        schedule = self._options.profiles[name].schedule
        limit = due + schedule.tolerance if schedule else due
        text = f"{name}: файла за {due:%d.%m %H:%M} нет и в {limit:%H:%M}; проверьте расписание выгрузки в 1С"
        if self.store.warnings().get(topic) != text:
            with self.store.writing():
                self.store.warn(topic, text, now)
            log.warning("helix.file_late", profile=name, due=f"{due:%H:%M}")
