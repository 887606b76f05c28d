"""The settings of the Helix source, as they stand under `source:` of a mapping."""

import re
from datetime import time, timedelta
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from connectors.helix.words import COLUMNS

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

RowKind = Literal["appointment", "completed", "patient", "enquiry", "campaign"]
FormatName = Literal["auto", "csv", "xlsx", "xls", "xml", "json", "dbf"]
Encoding = Literal["auto", "utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp1251", "cp866"]
KeyPart = Literal["id", "patient", "starts_at", "date", "doctor", "phone", "created_at"]


def _duration(value: Any) -> Any:
    """`"5m"` as a timedelta; anything else is left to pydantic."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+)\s*([smhd])\s*", value)
    if match is None:
        raise ValueError('a duration is a number and a unit, such as "30s", "5m", "2h" or "1d"')
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _clock(value: Any) -> Any:
    """YAML 1.2 reads 14:00 as a text; a number of seconds would be a mistake."""
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a time of day is hh:mm, such as "14:00"')
    return time(int(match[1]), int(match[2]))


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f'no time zone "{value}"; write an IANA name such as "Europe/Moscow"') from error
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Titles = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Clock = Annotated[time, BeforeValidator(_clock)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScheduleOptions(Strict):
    """When files come: at these times, or so often between two times. `tolerance`: after it, the file is late."""

    at: Annotated[tuple[Clock, ...], BeforeValidator(_listed)] = ()
    every: Duration | None = None
    since: Clock = time(0, 0)
    until: Clock = time(23, 59)
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = _DAYS  # type: ignore[assignment]
    tolerance: Duration = timedelta(minutes=20)

    @model_validator(mode="after")
    def _one_of_two(self) -> "ScheduleOptions":
        if bool(self.at) == (self.every is not None):
            raise ValueError("say either `at:` or `every:`")
        if self.every is not None and self.every < timedelta(minutes=1):
            raise ValueError("`every:` is at least 1m")
        if self.since >= self.until:
            raise ValueError("`since:` must be before `until:`")
        return self


class ProfileOptions(Strict):
    """One kind of file. `row`: what a row is. `columns`: by canonical name, the titles that this clinic's file has, before
    the usual ones; `set`: the same value for every row. `key`: what tells one row's record from another's, where the file
    has no ids. `snapshot`: a new file says everything about its days; `absent`: what a visit is that a newer snapshot no
    longer has (at most `max_drop` of a day's visits at once, else nothing happens and a person is told).
    """

    row: RowKind
    campaign: str = ""
    folder: Path | None = None
    files: Titles
    format: FormatName = "auto"
    encoding: Encoding = "auto"
    delimiter: str = Field(default="", max_length=1)
    sheet: str = ""
    rows: str = ""
    columns: dict[str, Titles] = {}
    set: dict[str, str] = {}
    statuses: dict[str, Literal["", "cancelled", "moved", "completed", "arrived", "confirmed"]] = {}
    key: tuple[KeyPart, ...] = ()
    mode: Literal["snapshot", "append"] = "append"
    absent: Literal["keep", "cancel", "gone"] = "keep"
    max_drop: float = Field(default=0.3, ge=0, le=1)
    empty_amount: Literal["zero", "unknown"] = "zero"
    minutes: int = Field(default=0, ge=0, le=1440)
    schedule: ScheduleOptions | None = None
    ready: Literal["stable", "marker", "renamed"] = "stable"
    marker: str = "{name}.ok"
    after: Literal["leave", "delete"] = "leave"

    @field_validator("files")
    @classmethod
    def _plain_patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            if not pattern or "/" in pattern or "\\" in pattern:
                raise ValueError(
                    "a pattern names files of one folder, such as visits_*.csv; the folder is `folder:`"
                )
            if PurePath(pattern).suffix.lower() in {".mxl", ".htm", ".html"}:
                raise ValueError(
                    f"{PurePath(pattern).suffix} cannot be read: have 1C save CSV (ЗаписьТекста) or XLSX"
                )
        if not value:
            raise ValueError("at least one pattern, such as visits_*.csv")
        return value

    @field_validator("columns", "set")
    @classmethod
    def _known_columns(cls, value: dict[str, Any]) -> dict[str, Any]:
        if unknown := sorted(set(value) - set(COLUMNS)):
            raise ValueError(f"no column {', '.join(unknown)}; there are {', '.join(COLUMNS)}")
        return value

    @field_validator("marker")
    @classmethod
    def _names_the_file(cls, value: str) -> str:
        if "{name}" not in value and "{stem}" not in value:
            raise ValueError('it must hold {name} or {stem}, such as "{name}.ok"')
        return value

    @model_validator(mode="after")
    def _agreed(self) -> "ProfileOptions":
        if self.absent != "keep" and (self.mode != "snapshot" or self.row != "appointment"):
            raise ValueError("`absent:` needs `row: appointment` and `mode: snapshot`")
        if (self.row == "campaign") != bool(self.campaign):
            raise ValueError("`campaign:` names the campaign of `row: campaign`, and of no other")
        return self

    def record_key(self) -> tuple[str, ...]:
        """What tells records apart: ids first, wherever a file has them."""
        usual = {"enquiry": ("id", "phone", "created_at"), "patient": ("id",)}.get(
            self.row, ("id", "patient", "starts_at")
        )
        return tuple(self.key) or usual


class BranchOptions(Strict):
    """What a file does not say of a branch. `area_code`: of local numbers written without it, such as "473"."""

    address: str = ""
    timezone: str = ""
    area_code: str = Field(default="", pattern=r"^\d*$")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        return _zone(value) if value else value


class HelixOptions(Strict):
    """`folder`: where 1C puts its files; a profile may name its own. `state`: a folder of ours, for the copies taken and
    for what is known so far: it must be kept. `settle`: a file that has not changed for so long is complete;
    `patience`: how long to wait for the end of one that looks cut off. `keep`: processed copies are kept so long.
    """

    id: str = Field(default="helix", pattern=r"^[a-z0-9][a-z0-9_-]*$")
    timezone: str
    folder: Path
    state: Path
    profiles: dict[str, ProfileOptions] = Field(min_length=1)
    branches: dict[str, BranchOptions] = {}
    area_code: str = Field(default="", pattern=r"^\d*$")
    page: int = Field(default=500, ge=1, le=5000)
    settle: Duration = timedelta(seconds=10)
    patience: Duration = timedelta(minutes=2)
    keep: Duration = timedelta(days=7)
    max_bytes: int = Field(default=512 * 2**20, ge=1024)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        return _zone(value)

    @field_validator("profiles")
    @classmethod
    def _plain_names(cls, value: dict[str, ProfileOptions]) -> dict[str, ProfileOptions]:
        for name in value:
            if not re.fullmatch(r"[\w-]{1,40}", name):
                raise ValueError(f'a profile\'s name is one word, not "{name}"')
        return value

    @model_validator(mode="after")
    def _apart(self) -> "HelixOptions":
        for name in self.profiles:
            if self.state.absolute() == self.folder_of(name).absolute():
                raise ValueError("`state:` must be another folder than the one 1C writes to")
        return self

    def folder_of(self, profile: str) -> Path:
        own = self.profiles[profile].folder
        return self.folder if own is None else self.folder / own
