"""The Bitrix24 target: the contract of connectors over one portal."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

from connectors.bitrix24.apply import Pace, send
from connectors.bitrix24.client import Answer, Client
from connectors.bitrix24.entities import CONTACT, DEAL, KINDS, LEAD, kind_of
from connectors.bitrix24.events import parse_hook
from connectors.bitrix24.fields import Field, canonical
from connectors.bitrix24.find import Finder
from connectors.bitrix24.hearing import Hearing, hearing_problems
from connectors.bitrix24.listing import Query, chunks, keys_of, one_of, read_all
from connectors.bitrix24.offline import FEATURES
from connectors.bitrix24.options import Bitrix24Options
from connectors.bitrix24.phonebook import Phonebook
from connectors.bitrix24.schema import Schema, load
from connectors.bitrix24.setup import NO_LEADS, Setup
from connectors.bitrix24.wire import Call, section
from connectors.bitrix24.writing import Writer, needs_seen, values_of
from kreslo.connectors.contract import Seams
from kreslo.connectors.errors import ConfigurationError, DataError, ErrorKind, KresloError
from kreslo.connectors.model import (
    AddTask,
    ById,
    Card,
    Catalog,
    Change,
    Entity,
    Event,
    Found,
    Lookup,
    Needed,
    Outcome,
    OutcomeKind,
    Problem,
    UpdateCard,
    Value,
)

_RELOAD_EVERY = 60.0  # seconds between two looks for a field that the portal does not seem to have


class Bitrix24Target:
    """One portal through one inbound webhook. See README.md of this folder for its limits."""

    batch_size = 600
    """Twelve requests of fifty: as many as are under way at once."""

    def __init__(self, options: Bitrix24Options, seams: Seams) -> None:
        self._options = options
        self.settle_seconds = options.settle
        self._clock = seams.clock
        self._client = Client(options, seams)
        self._pace = Pace(self._client)
        self._hearing = Hearing(options, self._client, seams.clock)
        self._phonebooks = {
            kind.entity: Phonebook(self._client, seams.clock, kind) for kind in (CONTACT, LEAD)
        }
        self._known: Schema | None = None
        self._loading = asyncio.Lock()
        self._loaded_at = 0.0

    def __repr__(self) -> str:
        return f"Bitrix24Target({self._options.host})"

    async def close(self) -> None:
        await self._client.close()

    # --- what the portal is -----------------------------------------------------------------------------------

    async def catalog(self) -> Catalog:
        """Read again from the portal each time."""
        return (await self._schema(fresh=True)).catalog

    async def check(self) -> list[Problem]:
        """Problems of the webhook, its rights, and the portal's state; in words for a person."""
        try:
            schema = await self._schema(fresh=True)
            mode, scope, profile, *features = await self._client.ask_all(
                [
                    Call("crm.settings.mode.get"),
                    Call("scope"),
                    Call("profile"),
                    *(Call("feature.get", {"CODE": code}) for code in FEATURES),
                ]
            )
        except KresloError as error:
            return [Problem(error.message, error.kind)]
        problems = [
            Problem(f"В портале нет поля {self._options.key_field} ({kind.word}): выполните kreslo setup")
            for kind in KINDS
            if kind.entity not in schema.catalog.key_fields
        ]
        if isinstance(scope, Answer) and isinstance(scope.result, list) and "crm" not in scope.result:
            problems.append(Problem("У вебхука нет доступа «CRM (crm)»", ErrorKind.PERMISSION))
        if not schema.catalog.users:
            text = "Вебхук не видит сотрудников: отметьте доступ «Пользователи (user_basic)», чтобы видеть их имена"
            problems.append(Problem(text, ErrorKind.PERMISSION, fatal=False))
        if isinstance(mode, Answer) and str(mode.result) == "2":
            problems.append(Problem(NO_LEADS, fatal=False))
        admin = not isinstance(profile, Answer) or section(profile.result).get("ADMIN") is not False
        problems += hearing_problems(self._options, features, admin=admin)
        if self._client.moved_to:
            text = f"Портал переехал на {self._client.moved_to}: возьмите в нём новый адрес вебхука"
            problems.append(Problem(text, fatal=False))
        return problems

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
        finder = Finder(self._client, self._clock, schema, self._options.key_field, self._phonebooks)
        return await finder.find(lookups)

    async def keys(self, entity: Entity, prefix: str) -> dict[str, str]:
        """Two short fields a card, some thousand cards a request."""
        schema = await self._schema()
        if entity not in schema.catalog.key_fields:
            word = kind_of(entity).word
            raise ConfigurationError(
                f"В портале нет поля {self._options.key_field} для карточек «{word}»: выполните kreslo setup"
            )
        return await keys_of(self._client, kind_of(entity), self._options.key_field, prefix)

    def canonical(self, entity: Entity, code: str, value: Value) -> Value:
        """Raises ConfigurationError before the catalog has been read and for a field that the portal does not have,
        DataError for a value that the field cannot hold.
        """
        if self._known is None:
            raise ConfigurationError("Каталог портала ещё не прочитан")
        field = self._known.field(entity, code)
        if field is None:
            raise ConfigurationError(f"В портале нет поля {code} у карточек «{kind_of(entity).word}»")
        return canonical(field, value)

    def now(self) -> datetime:
        return self._client.now()

    async def events(self, since: datetime) -> tuple[list[Event], datetime]:
        """`since` and the instant given back are by the portal's clock; changes of the last seconds may come again."""
        await self._schema()  # its answers tell how the portal's clock stands to ours
        return await self._hearing.since(since)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> list[Event]:  # noqa: ARG002 - the contract's
        token = self._options.hook_token
        return parse_hook(body, token.get_secret_value() if token else None)

    # --- writing ------------------------------------------------------------------------------------------------

    async def apply(self, changes: Sequence[Change]) -> list[Outcome]:
        """See `apply.py`. `CreateCard.quiet` is honoured: contacts and leads are added as an import, deals by
        crm.item.import; the webhook's owner needs the right to import, and without it nothing is created.
        """
        try:
            schema = await self._schema()
            if self._lacks(schema, changes):
                schema = await self._schema(fresh=self._clock.monotonic() - self._loaded_at > _RELOAD_EVERY)
            seen = await self._seen(changes)
            responsible = await self._responsible(changes)
        except KresloError as error:
            return [_unread(change, error) for change in changes]
        writer = Writer(schema, self._options, responsible)
        plain = frozenset((self._options.key_field,))
        return await send(self._client, writer, changes, seen, self._pace, plain)

    async def _seen(self, changes: Sequence[Change]) -> dict[str, Card]:
        """Cards by intent, of the changes that cannot be written without them and do not carry them."""
        blind = [change for change in changes if needs_seen(change)]
        lookups = [
            ById(change.action.entity, change.action.id)
            for change in blind
            if isinstance(change.action, UpdateCard)
        ]
        found = await self.find(lookups) if lookups else []
        return {change.intent: one.cards[0] for change, one in zip(blind, found, strict=True) if one.cards}

    async def _responsible(self, changes: Sequence[Change]) -> dict[tuple[Entity, str], str]:
        tasks = [
            change.action
            for change in changes
            if isinstance(change.action, AddTask) and not change.action.user
        ]
        queries: list[tuple[Entity, Query]] = []
        for kind in (CONTACT, DEAL, LEAD):
            ids = sorted({task.id for task in tasks if task.entity is kind.entity})
            for part in chunks(ids):
                query = Query(
                    method=kind.method("list"),
                    filter={"@ID": part},
                    select=("ID", "ASSIGNED_BY_ID"),
                    fits=one_of("ID", part),
                    most=len(part),
                )
                queries.append((kind.entity, query))
        found = await read_all(self._client, [query for _, query in queries])
        return {
            (entity, str(row["ID"])): str(row.get("ASSIGNED_BY_ID") or "")
            for (entity, _), page in zip(queries, found, strict=True)
            for row in page
        }

    # --- the schema -------------------------------------------------------------------------------------------

    def _lacks(self, schema: Schema, changes: Sequence[Change]) -> bool:
        """Whether the portal may have got a field or an option since we looked that the changes want."""
        if len(schema.catalog.key_fields) < len(KINDS):
            return True
        for change in changes:
            for code, value in values_of(change):
                field = schema.field(change.action.entity, code)
                if field is None or not _holds(field, value):
                    return True
        return False

    async def _schema(self, *, fresh: bool = False) -> Schema:
        async with self._loading:
            if self._known is None or fresh:
                self._known = await load(self._client, self._options)
                self._loaded_at = self._clock.monotonic()
            return self._known


def _holds(field: Field, value: Value) -> bool:
    try:
        canonical(field, value)
    except DataError:
        return False
    return True


def _unread(change: Change, error: KresloError) -> Outcome:
    """The portal could not even be read, so nothing was sent."""
    return Outcome(
        intent=change.intent,
        kind=OutcomeKind.TRANSIENT,
        error=error.kind,
        message=error.message,
        retry_after=error.retry_after or 10.0,
    )
