"""The amoCRM target: the contract of connectors over one account."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from connectors.amocrm.apply import Sender, Size
from connectors.amocrm.book import Book
from connectors.amocrm.client import Client
from connectors.amocrm.entities import DEAL, KINDS, kind_of
from connectors.amocrm.events import changed_since, parse_hook
from connectors.amocrm.fields import Field, canonical
from connectors.amocrm.find import Finder, keys_of
from connectors.amocrm.limits import MOST_A_SECOND
from connectors.amocrm.options import AmocrmOptions
from connectors.amocrm.schema import CONTACT_NAME, PHONE, Schema, load
from connectors.amocrm.setup import Setup
from connectors.amocrm.wire import embedded
from connectors.amocrm.writing import Writer, needs_seen, values_of
from kreslo.connectors.contract import HOOK_SECRET_HEADER, Seams
from kreslo.connectors.errors import ConfigurationError, DataError, ErrorKind, KresloError
from kreslo.connectors.model import (
    AddNote,
    AddTask,
    ById,
    ByMarker,
    ByPhone,
    Card,
    Catalog,
    Change,
    CreateCard,
    CreatedSince,
    Entity,
    Event,
    Found,
    Lookup,
    Needed,
    Outcome,
    OutcomeKind,
    Problem,
    Semantic,
    UpdateCard,
    Value,
)
from kreslo.connectors.values import as_tuple

log = structlog.get_logger(__name__)

_RELOAD_EVERY = 60.0  # seconds between two looks for a field that the account does not seem to have
_EVENT_SLACK = timedelta(seconds=5)
_WARN_BEFORE = timedelta(days=30)
_WARN_EVERY = 86_400.0
_BATCHES = 20
"""Requests that one `apply` may need: the more changes come at once, the fewer requests are half empty."""


class AmocrmTarget:
    """One account through one token. See README.md of this folder for its limits."""

    def __init__(self, options: AmocrmOptions, seams: Seams) -> None:
        self.batch_size = options.batch * _BATCHES
        self.settle_seconds = options.timeout + options.index_lag
        self._options = options
        self._clock = seams.clock
        self._client = Client(options, seams)
        self._size = Size(options.batch)
        self._book = Book()
        self._known: Schema | None = None
        self._loading = asyncio.Lock()
        self._finding = asyncio.Lock()
        self._loaded_at = 0.0
        self._warned_at: float | None = None

    def __repr__(self) -> str:
        return f"AmocrmTarget({self._options.host})"

    async def close(self) -> None:
        await self._client.close()

    # --- what the account is ----------------------------------------------------------------------------------

    async def catalog(self) -> Catalog:
        """Read again from the account each time."""
        return (await self._schema(fresh=True)).catalog

    async def check(self) -> list[Problem]:
        """Problems of the token, its rights, and the account's state; in words for a person."""
        try:
            schema = await self._schema(fresh=True)
        except KresloError as error:
            return [Problem(error.message, error.kind)]
        problems = [
            Problem(f"В amoCRM нет поля {self._options.key_field} в {kind.russian}: выполните kreslo setup")
            for kind in KINDS
            if kind.entity not in schema.catalog.key_fields
        ]
        if not schema.catalog.users:
            text = "Токен не видит сотрудников: выпустите его от имени администратора, чтобы видеть их имена"
            problems.append(Problem(text, ErrorKind.PERMISSION, fatal=False))
        problems += [Problem(text, ErrorKind.PERMISSION, fatal=False) for text in self.notices()]
        if self._client.pace.shared:
            text = (
                "В этот аккаунт amoCRM уже пишет другой процесс Kreslo на этой машине. Предел amoCRM у них общий "
                f"({MOST_A_SECOND} запросов в секунду), поэтому этот процесс шлёт не больше "
                f"{self._client.pace.rate:.2g} в секунду. Держите мосты одного аккаунта в одном процессе"
            )
            problems.append(Problem(text, fatal=False))
        return problems

    def notices(self) -> list[str]:
        """What a person should know without anything being wrong yet: the token's end. Asks nothing of the account."""
        ends = self._client.access.expires_at
        left = None if ends is None else ends - self._clock.now()
        if ends is None or left is None or left > _WARN_BEFORE:
            return []
        day = ends.astimezone(UTC).strftime("%d.%m.%Y")
        if left <= timedelta(0):
            return [f"Токен amoCRM истёк {day}: выпустите новый в карточке интеграции («Ключи и доступы»)"]
        text = f"Токен amoCRM истекает {day} (осталось дней: {left.days}): выпустите новый заранее в карточке интеграции"
        return [f"{text} («Ключи и доступы»)"]

    async def setup(self, needed: Needed, *, dry_run: bool) -> list[str]:
        """Make what is missing. Each line is one thing; a line «Не создано: …» is for a person to do."""
        run = Setup(self._client, await self._schema(fresh=True), self._options, dry_run=dry_run)
        try:
            await run.run(needed)
        finally:
            self._known = None
        return run.lines

    # --- reading ------------------------------------------------------------------------------------------------

    async def find(self, lookups: Sequence[Lookup]) -> list[Found]:
        """Of `CreatedSince`, cards made a few seconds before may be among the answers."""
        schema = await self._schema()
        async with self._finding:
            finder = Finder(self._client, self._clock, schema, self._options, self._book)
            return await finder.find(lookups)

    async def keys(self, entity: Entity, prefix: str) -> dict[str, str]:
        """By a walk over all cards of the account, 250 a request: amoCRM has no filter by the beginning of a text. The
        book learns what it reads on the way.
        """
        if entity not in {kind.entity for kind in KINDS}:
            return {}
        schema = await self._schema()
        if schema.key_field(entity) is None:
            raise ConfigurationError(
                f"В amoCRM нет поля {self._options.key_field} в {kind_of(entity).russian}: выполните kreslo setup"
            )
        async with self._finding:
            return await keys_of(self._client, self._clock, kind_of(entity), schema, self._book, prefix)

    def canonical(self, entity: Entity, code: str, value: Value) -> Value:
        """Raises ConfigurationError before the catalog has been read and for a field that the account does not have,
        DataError for a value that the field cannot hold.
        """
        if self._known is None:
            raise ConfigurationError("Каталог amoCRM ещё не прочитан")
        field = self._known.field(entity, code)
        if field is None:
            raise ConfigurationError(f"В amoCRM нет поля {code} в {kind_of(entity).russian}")
        return canonical(field, value, self._known.zone)

    def now(self) -> datetime:
        return self._client.now()

    async def events(self, since: datetime) -> tuple[list[Event], datetime]:
        """`since` and the instant given back are by the account's clock; changes of the last seconds may come again. After
        many writes of our own since the last look, only what others did is told.
        """
        self._warn()
        schema = await self._schema()
        asked_at, moment = self.now(), self._clock.monotonic()
        least = (since - _EVENT_SLACK).timestamp()
        async with self._finding:
            found = await changed_since(self._client, self._clock, schema, self._book, least)
            if least <= self._book.until:
                self._book.until, self._book.read_at = asked_at.timestamp(), moment
            self._book.own_writes = 0
        return found, max(asked_at, since)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> list[Event]:
        secret = self._options.hook_secret
        given = {name.lower(): value for name, value in headers.items()}.get(HOOK_SECRET_HEADER, "")
        account = self._known.account_id if self._known else ""
        return parse_hook(given, body, secret.get_secret_value() if secret else None, account)

    # --- writing ------------------------------------------------------------------------------------------------

    async def apply(self, changes: Sequence[Change]) -> list[Outcome]:
        """See `apply.py`. amoCRM has no way to make a card without starting robots: `CreateCard.quiet` changes
        nothing here.
        """
        try:
            schema = await self._schema()
            if self._lacks(schema, changes):
                schema = await self._schema(fresh=self._clock.monotonic() - self._loaded_at > _RELOAD_EVERY)
            seen, gone = await self._seen(changes)
            unsorted = await self._unsorted(changes, seen)
            callers = await self._callers(changes)
        except KresloError as error:
            return [_unread(change, error) for change in changes]
        started = self.now()

        async def standing(asked: Sequence[Change]) -> dict[str, str] | None:
            return await self._standing(asked, started)

        key = schema.key_field(Entity.DEAL), schema.key_field(Entity.CONTACT)
        plain = frozenset(field.id for field in key if field is not None)
        sender = Sender(self._client, self._size, standing, plain)
        writer = Writer(schema, self._options.key_field, unsorted, callers)
        outcomes = await sender.send(writer, changes, seen, gone)
        for change, outcome in zip(changes, outcomes, strict=True):
            if outcome.kind is OutcomeKind.CONFIRMED:
                contact = sender.contacts.get(change.intent) or callers.get(change.intent, "")
                self._remember(change, outcome.target_id, seen.get(change.intent), contact)
        return outcomes

    async def _seen(self, changes: Sequence[Change]) -> tuple[dict[str, Card], set[str]]:
        """Cards by intent of the changes that have to know them, read now; and the intents whose card is not there."""
        lookups = {
            change.intent: ById(change.action.entity, change.action.id)
            for change in changes
            if needs_seen(change) and not isinstance(change.action, CreateCard)
        }
        if not lookups:
            return {}, set()
        found = {one.lookup: one.cards for one in await self.find(list(dict.fromkeys(lookups.values())))}
        seen = {intent: found[one][0] for intent, one in lookups.items() if found[one]}
        return seen, lookups.keys() - seen.keys()

    async def _unsorted(self, changes: Sequence[Change], seen: dict[str, Card]) -> dict[str, str]:
        """Uids of the incoming leads that the changes move."""
        wanted = {
            change.action.id
            for change in changes
            if isinstance(change.action, UpdateCard)
            and change.action.stage is not None
            and change.action.entity is DEAL.entity
            and (card := seen.get(change.intent)) is not None
            and card.semantic is Semantic.UNSORTED
        }
        if not wanted:
            return {}
        rows = await self._client.pages("leads/unsorted", "unsorted")
        return {
            str(lead["id"]): str(row["uid"])
            for row in rows
            for lead in embedded(row, "leads")
            if str(lead["id"]) in wanted
        }

    async def _callers(self, changes: Sequence[Change]) -> dict[str, str]:
        """The contact that has the number of an enquiry's caller, by intent, where there is exactly one."""
        lookups = {
            change.intent: ByPhone(Entity.CONTACT, as_tuple(change.action.fields.get(PHONE)))
            for change in changes
            if isinstance(change.action, CreateCard)
            and change.action.entity is Entity.DEAL
            and not change.action.contacts
            and change.action.fields.get(PHONE)
        }
        if not lookups:
            return {}
        found = {one.lookup: one.cards for one in await self.find(list(dict.fromkeys(lookups.values())))}
        return {intent: found[one][0].id for intent, one in lookups.items() if len(found[one]) == 1}

    async def _standing(self, changes: Sequence[Change], since: datetime) -> dict[str, str] | None:
        """Which of these were applied although their request was refused: by a complete listing, or by their marker."""
        lookups: list[Lookup] = []
        for change in changes:
            action = change.action
            if isinstance(action, CreateCard):
                lookups.append(CreatedSince(action.entity, since - _EVENT_SLACK))
            elif isinstance(action, AddNote | AddTask):
                lookups.append(_marker(action))
        try:
            found = {one.lookup: one.cards for one in await self.find(list(dict.fromkeys(lookups)))}
        except KresloError:
            return None
        cards = {(card.entity, card.key): card.id for one in found.values() for card in one if card.key}
        stand: dict[str, str] = {}
        for change in changes:
            action = change.action
            made: str | None = None
            if isinstance(action, CreateCard):
                made = cards.get((action.entity, action.key))
            elif isinstance(action, AddNote | AddTask):
                hits = found[_marker(action)]
                made = hits[0].id if hits else None
            if made is not None:
                stand[change.intent] = made
        return stand

    def _remember(self, change: Change, card: str, seen: Card | None, contact: str) -> None:
        """The search learns of a write some seconds later; the book knows at once. `contact`: of a deal's caller."""
        action = change.action
        if isinstance(action, CreateCard):
            phones = as_tuple(action.fields.get(PHONE))
            if action.entity is Entity.CONTACT:
                self._book.wrote(action.entity, card, key=action.key, phones=phones)
                return
            contacts = action.contacts or ((contact,) if contact else ())
            self._book.wrote(action.entity, card, key=action.key, contacts=contacts)
            if contact and self._book.phones(contact) is None:
                name = " ".join(as_tuple(action.fields.get(CONTACT_NAME)))
                self._book.wrote(Entity.CONTACT, contact, phones=phones, name=name)
        elif isinstance(action, UpdateCard):
            self._book.wrote(
                action.entity,
                card,
                key=action.key,
                phones=_phones_after(action, seen),
                contacts=action.contacts,
            )

    # --- the schema -------------------------------------------------------------------------------------------

    def _lacks(self, schema: Schema, changes: Sequence[Change]) -> bool:
        """Whether the account may have got a field or an option since we looked that the changes want."""
        if len(schema.catalog.key_fields) < len(KINDS):
            return True
        for change in changes:
            for code, value in values_of(change):
                field = schema.field(change.action.entity, code)
                if field is None or not _holds(field, value, schema):
                    return True
        return False

    async def _schema(self, *, fresh: bool = False) -> Schema:
        async with self._loading:
            if self._known is None or fresh:
                self._known = await load(self._client, self._options)
                self._loaded_at = self._clock.monotonic()
            self._warn()
            return self._known

    def _warn(self) -> None:
        """The token's end, in the log once a day."""
        now = self._clock.monotonic()
        if self._warned_at is not None and now - self._warned_at < _WARN_EVERY:
            return
        for text in self.notices():
            self._warned_at = now
            log.warning("amocrm_notice", account=self._options.host, message=text)


def _marker(action: AddNote | AddTask) -> ByMarker:
    return ByMarker(action.entity, action.id, action.marker, task=isinstance(action, AddTask))


def _phones_after(action: UpdateCard, seen: Card | None) -> tuple[str, ...] | None:
    if action.entity is not Entity.CONTACT:
        return None
    if "PHONE" in action.fields:
        return as_tuple(action.fields["PHONE"])
    multi = action.multi.get("PHONE")
    if multi is None:
        return None
    present = as_tuple(seen.fields.get("PHONE") if seen else None)
    return tuple(dict.fromkeys((*(one for one in present if one not in multi.remove), *multi.add)))


def _holds(field: Field, value: Value, schema: Schema) -> bool:
    try:
        canonical(field, value, schema.zone)
    except DataError:
        return False
    return True


def _unread(change: Change, error: KresloError) -> Outcome:
    """The account could not even be read, so nothing was sent."""
    return Outcome(
        intent=change.intent,
        kind=OutcomeKind.TRANSIENT,
        error=error.kind,
        message=error.message,
        retry_after=error.retry_after or 10.0,
    )
