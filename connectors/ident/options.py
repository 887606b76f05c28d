"""The settings of the iDent source, as they stand under `source:` of a mapping."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator

from connectors.ident.datasets import DATASETS

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _duration(value: Any) -> Any:
    """`"5m"` as a timedelta; anything else is left to pydantic."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+)\s*([smhd])\s*", value)
    if match is None:
        raise ValueError('a duration is a number and a unit, such as "30s", "5m", "2h" or "1d"')
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _text_keys(value: Any) -> Any:
    """YAML reads the key of `7: {…}` as a number; ids are texts here."""
    return {str(key): item for key, item in value.items()} if isinstance(value, dict) else value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f'no time zone "{value}"; write an IANA name such as "Europe/Moscow"') from error
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration)]


class BranchOptions(BaseModel):
    """What iDent does not know of a branch. `area_code`: of local numbers written without it, such as "473"."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    address: str = ""
    timezone: str = ""
    area_code: str = Field(default="", pattern=r"^\d*$")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        return _zone(value) if value else value


class IdentOptions(BaseModel):
    r"""`database`: an SQLAlchemy URL (`mssql+pyodbc://…`, `sqlite:///clinic.db`) or an ODBC connection string
    (`SERVER=clinic\PZSQLSERVER;DATABASE=PZ;UID=…;PWD=…`). `queries`: an administrator's own file for a dataset.
    `cancel_reasons`: texts for ids of reasons, where the database's dictionary cannot be read.
    `page`: rows a batch. `overlap`: how far behind the last pass each pass looks again.
    `change_pass`: how often the tables are looked through for changes; between, rows are read by their keys alone.
    `trust_certificate`: take the server's certificate although nobody vouches for it (self-signed, as it usually is).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(default="ident", pattern=r"^[a-z0-9][a-z0-9_-]*$")
    database: SecretStr
    timezone: str
    branches: Annotated[dict[str, BranchOptions], BeforeValidator(_text_keys)] = {}
    queries: dict[str, Path] = {}
    cancel_reasons: Annotated[dict[str, str], BeforeValidator(_text_keys)] = {}
    page: int = Field(default=500, ge=1, le=5000)
    overlap: Duration = timedelta(minutes=5)
    change_pass: Duration = timedelta(minutes=5)
    query_timeout: Duration = timedelta(seconds=60)
    trust_certificate: bool = False
    allow_writable_login: bool = False

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        return _zone(value)

    @field_validator("database")
    @classmethod
    def _not_empty(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().strip():
            raise ValueError("empty; give an SQLAlchemy URL or an ODBC connection string")
        return value

    @field_validator("overlap", "query_timeout")
    @classmethod
    def _positive(cls, value: timedelta) -> timedelta:
        if value <= timedelta(0):
            raise ValueError("must be longer than nothing")
        return value

    @field_validator("change_pass")
    @classmethod
    def _not_negative(cls, value: timedelta) -> timedelta:
        if value < timedelta(0):
            raise ValueError("must not be negative; 0s looks through the tables at each reading")
        return value

    @field_validator("queries")
    @classmethod
    def _known_datasets(cls, value: dict[str, Path]) -> dict[str, Path]:
        if unknown := sorted(set(value) - set(DATASETS)):
            raise ValueError(f"no dataset {', '.join(unknown)}; there are {', '.join(DATASETS)}")
        return value

    def area_code(self) -> str:
        """The area code of numbers whose branch is not known: the clinic's only one, else none."""
        codes = {branch.area_code for branch in self.branches.values() if branch.area_code}
        return codes.pop() if len(codes) == 1 else ""
