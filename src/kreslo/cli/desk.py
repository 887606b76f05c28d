"""The people's side of a bridge for a command: asked of the running service, or of its journal where none runs."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Protocol, TypeVar
from urllib.parse import quote

import httpx
import msgspec
import typer
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from kreslo.cli.endpoints import opened_source, opened_target, system_seams
from kreslo.cli.run import default_state
from kreslo.cli.status import fetch
from kreslo.cli.words import say
from kreslo.connectors.errors import (
    ConfigurationError,
    DataError,
    ErrorKind,
    KresloError,
    LimitError,
    OutageError,
    PermissionDeniedError,
)
from kreslo.journal import BridgeJournal, Journal
from kreslo.journal.database import file_of
from kreslo.mapping.load import MappingFile, load, resolve
from kreslo.service.guard import REQUEST_HEADER
from kreslo.service.wire import (
    Cases,
    CaseShown,
    Parked,
    Reviews,
    case_shown,
    compared_shown,
    parked_shown,
    reviews_shown,
    typed_phone,
)
from kreslo.sync.comparing import Comparison
from kreslo.sync.drift import Compared
from kreslo.sync.reading import Reader
from kreslo.sync.threads import InPlace

T = TypeVar("T")

MOST = 500
LONGEST_SECONDS = 900.0
"""A comparison asks the MIS for all keys of a year."""

MappingArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="MAPPING",
        help=say(
            "файл YAML; без него спрашивается сервис по --url", "a YAML file; without it --url is asked"
        ),
    ),
]
UrlOption = Annotated[str, typer.Option(envvar="KRESLO_URL", help=say("адрес сервиса", "service's address"))]
StateOption = Annotated[
    str,
    typer.Option(
        envvar="KRESLO_STATE",
        help=say("URL базы состояния, если сервис не запущен", "URL of the state database, if nothing runs"),
    ),
]
URL = "http://127.0.0.1:8470"


class Sought(NamedTuple):
    """What cases are looked for by; what is given must all fit."""

    phone: str = ""
    card: str = ""
    last4: str = ""
    name: str = ""


class Desk(Protocol):
    """All raise KresloError."""

    def reviews(self, *, answered: bool) -> Reviews: ...

    def answer(self, number: int, choice: str, target_id: str, by: str) -> None: ...

    def parked(self) -> Parked: ...

    def release(self, number: int) -> None: ...

    def reconcile(self, *, heal: bool, sure: bool) -> Compared: ...

    def cases(self, sought: Sought) -> Cases: ...

    def case(self, key: str) -> CaseShown: ...


@contextmanager
def opened_desk(mapping: Path | None, *, url: str, state: str) -> Iterator[Desk]:
    """The service at `url`, if it runs the mapping's bridge (or, without a mapping, its only one); else the journal,
    under the bridge's lock. Raises KresloError.
    """
    if mapping is None:
        names = [each.name for each in fetch(url)]
        if len(names) != 1:
            raise ConfigurationError(
                say(
                    f"по адресу {url} работают мосты: {', '.join(names) or 'ни одного'}; назовите файл нужного",
                    f"the bridges at {url} are: {', '.join(names) or 'none'}; name the mapping of one",
                )
            )
        with _remote(url, names[0]) as desk:
            yield desk
        return
    file = load(mapping, judged=False)
    if _runs(url, file.name):
        with _remote(url, file.name) as desk:
            yield desk
        return
    address = state or default_state(mapping)
    _must_exist(address)
    with Journal.open(address) as whole, whole.lock(file.name, f"pid {os.getpid()}"):
        yield JournalDesk(whole.bridge(file.name, file.endpoints.source_id), mapping, file)


def _runs(url: str, name: str) -> bool:
    """Whether the service there runs this bridge. Somebody else at the usual port is no reason not to go on: the lock
    tells whether the bridge runs elsewhere.
    """
    try:
        return name in {each.name for each in fetch(url)}
    except KresloError:
        return False


def _must_exist(address: str) -> None:
    """A journal that a typing error would make is of no use. Raises ConfigurationError."""
    try:
        path = file_of(make_url(address))
    except ArgumentError as error:
        raise ConfigurationError(
            say(f"--state {address}: это не URL базы", "--state is no URL of a database")
        ) from error
    if path is not None and not path.exists():
        raise ConfigurationError(
            say(
                f"сервис не запущен, а журнала {path} нет; укажите --url или --state",
                f"no service runs, and there is no journal {path}; give --url or --state",
            )
        )


@contextmanager
def _remote(url: str, name: str) -> Iterator["RemoteDesk"]:
    with httpx.Client(
        base_url=f"{url.rstrip('/')}/api/{quote(name, safe='')}",
        headers={REQUEST_HEADER: "1"},
        timeout=httpx.Timeout(10, read=LONGEST_SECONDS),
        trust_env=False,
    ) as client:
        yield RemoteDesk(client)


class RemoteDesk:
    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def reviews(self, *, answered: bool) -> Reviews:
        return self._ask(Reviews, "GET", "/reviews", params={"answered": answered})

    def answer(self, number: int, choice: str, target_id: str, by: str) -> None:
        body = {"choice": choice, "target_id": target_id, "by": by}
        self._ask(dict[str, int], "POST", f"/reviews/{number}", json=body)

    def parked(self) -> Parked:
        return self._ask(Parked, "GET", "/parked")

    def release(self, number: int) -> None:
        self._ask(dict[str, int], "POST", f"/parked/{number}/release")

    def reconcile(self, *, heal: bool, sure: bool) -> Compared:
        return self._ask(Compared, "POST", "/reconcile", json={"heal": heal, "sure": sure})

    def cases(self, sought: Sought) -> Cases:
        return self._ask(Cases, "GET", "/cases", params=sought._asdict())

    def case(self, key: str) -> CaseShown:
        return self._ask(CaseShown, "GET", f"/cases/{quote(key, safe='')}")

    def _ask(self, shape: type[T], method: str, path: str, **more: Any) -> T:
        try:
            answer = self._client.request(method, path, **more)
        except httpx.HTTPError as error:
            raise OutageError(
                say(
                    "сервис Kreslo перестал отвечать; посмотрите его журнал",
                    "the service stopped answering; look at its log",
                ),
                detail=type(error).__name__,
            ) from error
        if answer.is_success:
            return msgspec.json.decode(answer.content, type=shape)
        raise _error_of(answer)


class _Refusal(msgspec.Struct):
    kind: ErrorKind
    message: str


class _Refused(msgspec.Struct):
    detail: _Refusal


_ERRORS: dict[ErrorKind, type[KresloError]] = {
    ErrorKind.DATA: DataError,
    ErrorKind.OUTAGE: OutageError,
    ErrorKind.LIMIT: LimitError,
    ErrorKind.PERMISSION: PermissionDeniedError,
}


def _error_of(answer: httpx.Response) -> KresloError:
    try:
        said = msgspec.json.decode(answer.content, type=_Refused).detail
    except msgspec.DecodeError:
        return ConfigurationError(
            say(
                f"сервис отказал: HTTP {answer.status_code}",
                f"the service refused: HTTP {answer.status_code}",
            ),
            detail=answer.text[:500],
        )
    return _ERRORS.get(said.kind, ConfigurationError)(said.message)


class JournalDesk:
    """Whoever has one owns the bridge's lock."""

    def __init__(self, journal: BridgeJournal, mapping: Path, file: MappingFile) -> None:
        self._journal = journal
        self._mapping = mapping
        self._file = file
        self._clock = system_seams().clock

    def reviews(self, *, answered: bool) -> Reviews:
        return reviews_shown(self._journal.reviews(MOST, answered=answered))

    def answer(self, number: int, choice: str, target_id: str, by: str) -> None:
        self._journal.answer(number, choice, target_id, by, self._clock.now())

    def parked(self) -> Parked:
        return parked_shown(self._journal.parked(MOST))

    def release(self, number: int) -> None:
        self._journal.release(number, self._clock.now())

    def reconcile(self, *, heal: bool, sure: bool) -> Compared:
        return compared_shown(asyncio.run(self._compare(heal=heal, sure=sure)))

    async def _compare(self, *, heal: bool, sure: bool) -> Compared:
        # Once more, with `${NAME}` and the options judged: both sides are asked.
        file = load(self._mapping)
        threads = InPlace()
        async with opened_source(file) as source, opened_target(file) as target:
            reader = Reader(source, self._journal, self._clock, threads)
            await reader.start()
            if not reader.complete:
                raise ConfigurationError(
                    say(
                        "МИС ещё ни разу не прочитана целиком: сравнивать не с чем; запустите kreslo run",
                        "the MIS was never read completely: there is nothing to compare with; start kreslo run",
                    )
                )
            bridge = resolve(file, await target.catalog())
            comparison = Comparison(
                bridge, self._journal, source, target, self._clock, threads, heal=heal, sure=sure
            )
            return await comparison.whole()

    def cases(self, sought: Sought) -> Cases:
        found = self._journal.find_cases(
            phone=typed_phone(sought.phone), last4=sought.last4, card_number=sought.card, name=sought.name
        )
        return Cases(found[:MOST])

    def case(self, key: str) -> CaseShown:
        said = self._journal.explain(key)
        if said is None:
            raise DataError(say(f"нет случая {key}", f"there is no case {key}"))
        return case_shown(said)
