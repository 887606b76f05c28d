"""Sending changes: each is tried once, and each gets the outcome that is true of it.

- Changes of one kind share a request. A 400 names what was wrong with which of them: those are refused, and the others
  are sent again at once. Whether amoCRM keeps the good items of such a request is not documented, so for cards, notes
  and tasks it is looked up first, in a complete listing: what stands is confirmed, only what does not stand is sent.
- A refusal that names nobody is narrowed down by halves.
- Several requests are under way at once, so that an account that answers slowly does not slow the pace; of one card
  never more than one.
- A request without a clear answer is `UNKNOWN` for all of it, and what has not left by then is not sent. After a 504
  the next requests are half as large.
- An update may be several requests. It is confirmed when all have succeeded; every one of them sets a state and none
  adds to it, so it can be sent again whole.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from connectors.amocrm.answers import PERMISSION_PAUSE, Refusal, Verdict
from connectors.amocrm.client import Answer, Client
from connectors.amocrm.wire import embedded, masked, sketch
from connectors.amocrm.writing import COMPLEX, Step, Writer
from kreslo.connectors.errors import ConfigurationError, DataError, ErrorKind
from kreslo.connectors.model import Card, Change, CreateCard, Entity, Outcome, OutcomeKind, UpdateCard

_NOT_SENT = Refusal(Verdict.OUTAGE, "не отправлено: предыдущий запрос остался без ответа", 10.0)
_STOPS = (
    *(Verdict.LIMIT, Verdict.CROWDED, Verdict.UNPAID, Verdict.BLOCKED, Verdict.LOGIN, Verdict.PERMISSION),
    *(Verdict.OUTAGE, Verdict.UNKNOWN),
)
_GONE = Refusal(Verdict.DATA, "Карточки в amoCRM нет: её удалили или объединили с другой.", gone=True)
_LEAST = 5
_MOST_COMPLEX = 50
_IN_FLIGHT = 6
"""Requests that wait for their answers at once: 5 a second are kept up while an answer takes no longer than 1.2 s, and
an account that is slower still is not buried under more.
"""

Standing = Callable[[Sequence[Change]], Awaitable[dict[str, str] | None]]
"""Which of these changes stand in the account already: id by intent. None: it could not be read."""


class Size:
    """Cards that one request holds: as many as are set, half as many after a 504, and back by steps."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.now = most

    def too_heavy(self, sent: int) -> None:
        self.now = max(min(_LEAST, self._most), min(self.now, sent // 2))

    def fine(self) -> None:
        self.now = min(self._most, self.now + 5)


class Work(msgspec.Struct):
    """A change on its way: its steps, how many have succeeded, and how it ended. `contact`: made together with it."""

    change: Change
    steps: list[Step]
    done: int = 0
    target_id: str = ""
    contact: str = ""
    refusal: Refusal | None = None

    @property
    def step(self) -> Step:
        return self.steps[self.done]

    @property
    def card(self) -> tuple[Entity, str] | None:
        """The card that it writes to, None where it makes one."""
        action = self.change.action
        return None if isinstance(action, CreateCard) else (action.entity, action.id)


class Sender:
    """One call of `apply`. `plain`: ids of fields whose values may stand in the journal."""

    def __init__(self, client: Client, size: Size, standing: Standing, plain: frozenset[int]) -> None:
        self._client = client
        self._size = size
        self._standing = standing
        self._plain = plain
        self._stopped = False
        self.contacts: dict[str, str] = {}
        """Contacts that were made together with a deal, by intent."""

    async def send(
        self, writer: Writer, changes: Sequence[Change], seen: dict[str, Card], gone: set[str]
    ) -> list[Outcome]:
        """Outcomes in the order of the changes. `seen`: cards by intent, just read; `gone`: intents whose card was just
        seen not to be there.
        """
        outcomes: dict[str, Outcome] = {}
        works: list[Work] = []
        for change in changes:
            work = Work(change, [], target_id=_card_id(change))
            if change.intent in gone:
                work.refusal = _GONE
                outcomes[change.intent] = self._outcome(work)
                continue
            try:
                work.steps = writer.steps(change, seen.get(change.intent))
            except DataError as error:
                outcomes[change.intent] = _rejected(
                    change, OutcomeKind.PERMANENT, error.message, ErrorKind.DATA
                )
            except ConfigurationError as error:
                kind = ErrorKind.CONFIGURATION
                outcomes[change.intent] = _rejected(change, OutcomeKind.TRANSIENT, error.message, kind)
            else:
                works.append(work)
        while waiting := [work for work in works if work.refusal is None and work.done < len(work.steps)]:
            await self._round(waiting)
        outcomes |= {work.change.intent: self._outcome(work) for work in works}
        self.contacts = {work.change.intent: work.contact for work in works if work.contact}
        return [outcomes[change.intent] for change in changes]

    async def _round(self, works: Sequence[Work]) -> None:
        """The next step of each, those of one route together. Of several changes of one card only the first: the next
        has its turn when that one is through.
        """
        routes: dict[str, list[Work]] = {}
        cards: set[tuple[Entity, str]] = set()
        for work in works:
            card = work.card
            if card is not None and card in cards:
                continue
            if card is not None:
                cards.add(card)
            routes.setdefault(work.step.route, []).append(work)

        async def carry() -> None:
            while routes:
                route = next(iter(routes))
                part, left = self._part(routes.pop(route))
                if left:
                    routes[route] = left
                await self._deliver(part)

        tasks = [asyncio.ensure_future(carry()) for _ in range(_IN_FLIGHT)]
        try:
            await asyncio.gather(*tasks)
        finally:
            # Not a TaskGroup: what ends one of them ends them all, and goes on as it is, not in a group.
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _part(self, works: list[Work]) -> tuple[list[Work], list[Work]]:
        if works[0].step.solo:
            return works[:1], works[1:]
        most = min(self._size.now, _MOST_COMPLEX) if works[0].step.path == COMPLEX else self._size.now
        taken, items = 0, 0
        while taken < len(works):
            items += len(works[taken].step.items)
            if items > most and taken:
                break
            taken += 1
        return works[:taken], works[taken:]

    async def _deliver(self, works: list[Work]) -> None:
        if not works:
            return
        first = works[0].step
        items = [item for work in works for item in work.step.items]
        body = items[0] if first.solo else items
        reply = await self._client.tell(first.verb, first.path, body, unless=self._called_off)
        if isinstance(reply, Answer):
            self._size.fine()
            for work in works:
                _take(work, reply)
            return
        if reply.too_heavy:
            self._size.too_heavy(len(items))
        self._stopped = self._stopped or reply.verdict in _STOPS
        if reply.verdict is Verdict.DATA:
            await self._narrow(works, reply)
        elif reply.verdict is Verdict.LIMIT and not first.again:
            await self._settle(works, reply)
        else:
            for work in works:
                work.refusal = reply

    def _called_off(self) -> Refusal | None:
        return _NOT_SENT if self._stopped else None

    async def _narrow(self, works: list[Work], reply: Refusal) -> None:
        """Some of them were refused: who, and what becomes of the others."""
        named = _named(works, reply)
        for work, refusal in named:
            work.refusal = refusal
        others = [work for work in works if work.refusal is None]
        if not named and len(others) == 1:
            others[0].refusal = reply
            return
        others = await self._settle(others, None)
        if named or not others:
            await self._deliver(others)
            return
        half = len(others) // 2
        for part in (others[:half], others[half:]):
            await self._deliver(part)

    async def _settle(self, works: list[Work], refusal: Refusal | None) -> list[Work]:
        """Those of the works that surely do not stand; they get `refusal`, where there is one. What may be sent twice
        need not be looked for.
        """
        if not works or works[0].step.again:
            return works
        found = await self._standing([work.change for work in works])
        left: list[Work] = []
        for work in works:
            if found is None:
                work.refusal = Refusal(
                    Verdict.UNKNOWN, "соседи по запросу отвергнуты, а проверить не удалось"
                )
            elif work.change.intent in found:
                work.done += 1
                work.target_id = found[work.change.intent]
            else:
                work.refusal = refusal
                left.append(work)
        return left

    def _outcome(self, work: Work) -> Outcome:
        shown = (sketch(step.route, item, self._plain) for step in work.steps for item in step.items)
        request = "; ".join(shown)
        refusal = work.refusal
        if refusal is None:
            return Outcome(
                intent=work.change.intent,
                kind=OutcomeKind.CONFIRMED,
                target_id=work.target_id,
                request=request,
                response=f"id={work.target_id}",
            )
        message = _GONE.text if refusal.gone else refusal.error("").message
        if work.done and refusal.verdict is Verdict.DATA:
            message += " Часть изменения уже записана."
        return Outcome(
            intent=work.change.intent,
            kind=refusal.outcome,
            target_id="" if isinstance(work.change.action, CreateCard) else work.target_id,
            error=refusal.kind,
            message=message,
            retry_after=refusal.retry_after,
            request=request,
            response=refusal.text,
        )


def _take(work: Work, answer: Answer) -> None:
    """What a success means for one of its works."""
    step = work.step
    if step.key:
        row = _row(step, answer)
        if row is None or not row.get("id"):
            # It says yes, but not to this one: whoever asked must look.
            work.refusal = Refusal(Verdict.UNKNOWN, "в ответе нет этой записи")
            return
        work.target_id = str(row["id"])
        work.contact = str(row.get("contact_id") or "")
    work.done += 1


def _row(step: Step, answer: Answer) -> dict[str, Any] | None:
    """The answer's row for the step's item: a change by id, what was made by its request_id."""
    if isinstance(answer.body, list):  # leads/complex: a bare array, each request_id in an array of its own
        wanted = step.items[0]["request_id"]
        return next((row for row in answer.body if wanted in (row.get("request_id") or ())), None)
    rows = embedded(answer.body, step.key)
    if not rows and isinstance(answer.body, dict) and "id" in answer.body:
        rows = [answer.body]
    item = step.items[0]
    name = "id" if "id" in item else "request_id"
    return next((row for row in rows if str(row.get(name)) == str(item[name])), None)


def _named(works: Sequence[Work], reply: Refusal) -> list[tuple[Work, Refusal]]:
    """The works that the refusal names: by the request_id that was sent, or by the item's place."""
    found: list[tuple[Work, Refusal]] = []
    at = 0
    for work in works:
        names = {str(at + place) for place in range(len(work.step.items))}
        names |= {str(item["request_id"]) for item in work.step.items if "request_id" in item}
        at += len(work.step.items)
        hit = next((name for name in sorted(names) if name in reply.named), None)
        if hit is not None:
            found.append((work, reply.of(hit)))
    return found


def _rejected(change: Change, kind: OutcomeKind, message: str, error: ErrorKind) -> Outcome:
    pause = PERMISSION_PAUSE if kind is OutcomeKind.TRANSIENT else None
    return Outcome(intent=change.intent, kind=kind, error=error, message=masked(message), retry_after=pause)


def _card_id(change: Change) -> str:
    return change.action.id if isinstance(change.action, UpdateCard) else ""
