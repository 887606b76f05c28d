"""Sending changes: each is tried once, and each gets the outcome that is true of it.

- A create is one call, so it is either made or not. Made, but the answer lost: `UNKNOWN`.
- An update may be several calls (see `writing`). It is confirmed when all have succeeded. If a later one fails, the
  outcome is that of the failed one: an update can be sent again whole, since every one of its calls sets a state and
  none adds to it. A permanent refusal then says in its message that part has been applied.
- A refused login or right is `TRANSIENT` with a long pause: nothing is wrong with the card.
- Several requests are under way at once, so that the portal's slowness does not add up. It begins with one, and each
  that succeeds lets another in. When a whole request fails, those that were to follow are not sent at all.
"""

import asyncio
from collections.abc import Iterator, Sequence

from connectors.bitrix24.answers import PERMISSION_PAUSE, Refusal, Verdict, judge
from connectors.bitrix24.client import Answer, Client, Reply
from connectors.bitrix24.desk import BATCH
from connectors.bitrix24.packing import REQUEST_SECONDS, Packed, Packer, Parcel, Work
from connectors.bitrix24.wire import masked, section, sketch
from connectors.bitrix24.writing import BUNDLE_METHOD, Step, Writer
from kreslo.connectors.errors import ConfigurationError, DataError, ErrorKind
from kreslo.connectors.model import Card, Change, CreateCard, Outcome, OutcomeKind, UpdateCard

_NOT_SENT = Refusal(Verdict.OUTAGE, "", "не отправлено: предыдущий запрос остался без ответа", 10.0)
_STOPS = (Verdict.LIMIT, Verdict.OUTAGE, Verdict.UNKNOWN)
_PATIENCE = 10.0  # seconds that a method's working time is waited for before its changes are given back
_REQUIRED = "crm_field_error_required"


class Pace:
    """What one portal's sending has learned. `lanes`: requests that may be under way at once."""

    _most = 12

    def __init__(self, client: Client) -> None:
        self.packer = Packer(client.operating)
        self.lanes = 1

    def succeeded(self) -> None:
        self.lanes = min(self._most, self.lanes + 1)

    def failed(self) -> None:
        self.lanes = 1


async def send(
    client: Client,
    writer: Writer,
    changes: Sequence[Change],
    seen: dict[str, Card],
    pace: Pace,
    plain: frozenset[str],
) -> list[Outcome]:
    """Outcomes in the order of the changes. `seen`: cards by intent, where the change itself carries none; `plain`:
    field codes whose values may stand in the journal's sketch of a request.
    """
    outcomes: dict[str, Outcome] = {}
    works: list[Work] = []
    for change in changes:
        try:
            steps = writer.steps(change, _seen_by(change, seen))
        except DataError as error:
            outcomes[change.intent] = _rejected(
                change, OutcomeKind.PERMANENT, error.message, ErrorKind.DATA, None
            )
        except ConfigurationError as error:
            outcomes[change.intent] = _rejected(
                change, OutcomeKind.TRANSIENT, error.message, ErrorKind.CONFIGURATION, PERMISSION_PAUSE
            )
        else:
            works.append(Work(change, steps, target_id=_card_id(change)))
    await _Sending(client, works, pace).run()
    outcomes |= {work.change.intent: _outcome(work, plain) for work in works}
    return [outcomes[change.intent] for change in changes]


class _Sending:
    """One `send`: what waits, what is under way."""

    def __init__(self, client: Client, works: Sequence[Work], pace: Pace) -> None:
        self._client = client
        self._waiting = [work for work in works if work.ready]
        self._pace = pace
        self._busy: set[tuple[str, str]] = set()
        self._stopped = False

    async def run(self) -> None:
        under_way: set[asyncio.Task[None]] = set()
        try:
            while self._waiting or under_way:
                while not self._stopped and len(under_way) < self._pace.lanes and (packed := self._pack()):
                    under_way.add(asyncio.create_task(self._request(packed)))
                if under_way:
                    done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
                elif self._stopped:
                    for work in self._waiting:
                        work.refusal = _NOT_SENT
                    self._waiting = []
                else:
                    await self._pause()
        finally:
            for task in under_way:
                task.cancel()

    def _share(self) -> float:
        """Seconds of work for one request: what waits is shared out among the lanes, so that it is soon done; but no
        request is smaller than a plain batch, nor, where requests are scarce, than two. Where working time is scarce,
        nothing is gained by haste.
        """
        packer = self._pace.packer
        if any(self._client.operating.scarce(work.step.call.method) for work in self._waiting[:BATCH]):
            return REQUEST_SECONDS
        each = [packer.expected(work) for work in self._waiting]
        least = max(each, default=0.0) * BATCH * (2 if self._client.crowded else 1)
        return min(REQUEST_SECONDS, max(sum(each) / self._pace.lanes, least))

    def _pack(self) -> Packed | None:
        packed = self._pace.packer.pack(self._waiting, self._busy, self._share())
        if not packed.parcels:
            return None
        for method, seconds in packed.seconds.items():
            self._client.operating.begin(method, seconds)
        taken = {id(work) for work in packed.works}
        self._waiting = [work for work in self._waiting if id(work) not in taken]
        self._busy.update(work.card for work in packed.works)
        return packed

    async def _pause(self) -> None:
        """Nothing is under way and nothing fits: its methods have used up their working time."""
        waits = {id(work): self._pace.packer.wait_for(work) for work in self._waiting}
        if (least := min(waits.values())) <= _PATIENCE:
            await self._client.sleep(max(least, 0.1))
            return
        for work in self._waiting:
            work.refusal = Refusal(Verdict.BLOCKED, "OPERATION_TIME_LIMIT", "", waits[id(work)])
        self._waiting = []

    async def _request(self, packed: Packed) -> None:
        try:
            calls = [
                call for parcel in packed.parcels for call in (parcel.call, parcel.check) if call is not None
            ]
            replies = await self._client.tell(calls)
        finally:
            for method, seconds in packed.seconds.items():
                self._client.operating.end(method, seconds)
        told = iter(replies)
        for parcel in packed.parcels:
            reply = next(told)
            judged = next(told) if parcel.check is not None else reply
            for work, own in self._shared(parcel, reply):
                _take(work, work.step, own, judged if parcel.check is not None else own)
        if _whole_failed(replies):
            self._stopped = True
            self._pace.failed()
        else:
            self._pace.succeeded()
        self._busy.difference_update(work.card for work in packed.works)
        self._waiting = [work for work in packed.works if work.ready] + self._waiting

    def _shared(self, parcel: Parcel, reply: Reply) -> Iterator[tuple[Work, Reply]]:
        """What the answer to one command says of each of its works. Those of which it says nothing stay ready, and are
        sent another way: by themselves, or not by a method that the portal does not have.
        """
        if isinstance(reply, Refusal) and reply.verdict is Verdict.BLOCKED:
            return  # the method is parked now: another one takes them, or they are given back
        if parcel.call.method != BUNDLE_METHOD:
            for work in parcel.works:
                if self._misfit(work, parcel, reply):
                    work.alone = True
                else:
                    yield work, reply
            return
        if isinstance(reply, Refusal):
            if reply.verdict is Verdict.CONFIGURATION:
                self._pace.packer.bundles = False
                return
            # The portal answers for each card; where it refuses the whole, it does not say after how many.
            whole = (
                Refusal(Verdict.UNKNOWN, reply.code, reply.text) if reply.verdict is Verdict.DATA else reply
            )
            yield from ((work, whole) for work in parcel.works)
            return
        items = list(section(section(reply.result).get("items")).values())
        for at, work in enumerate(parcel.works):
            item = section(items[at]) if len(items) == len(parcel.works) else {}
            if "error" in item:
                yield work, judge(200, item["error"], item.get("error_description"))
            else:
                yield work, Answer(item)

    def _misfit(self, work: Work, parcel: Parcel, reply: Reply) -> bool:
        """crm.item.add insists on fields that crm.deal.add does not: then the card waits for the latter."""
        spare = work.step.spare
        return (
            spare is not None
            and parcel.call is spare
            and isinstance(reply, Refusal)
            and reply.code.lower() == _REQUIRED
        )


def _take(work: Work, step: Step, reply: Reply, judged: Reply) -> None:
    if isinstance(reply, Refusal):
        work.refusal = reply
        return
    work.done += 1
    if isinstance(judged, Answer):
        work.missed = step.missed(judged.result) or work.missed
    if made := step.made(reply.result):
        work.target_id = made
    elif not work.target_id:
        # It says that it was made, but not what: whoever asked must look.
        work.refusal = Refusal(Verdict.UNKNOWN, "", "в ответе нет номера созданного")
    if work.missed:
        work.steps = work.steps[: work.done]  # what was to follow rested on it


def _whole_failed(replies: Sequence[Reply]) -> bool:
    """Whether the request failed, rather than some calls in it. A refused webhook is refused again next time."""
    refusals = [reply for reply in replies if isinstance(reply, Refusal)]
    if not replies or len(refusals) < len(replies):
        return False
    return all(one.verdict in _STOPS for one in refusals)


def _outcome(work: Work, plain: frozenset[str]) -> Outcome:
    request = "; ".join(sketch(step.call, plain) for step in work.steps)
    if work.refusal is None:
        if work.missed:
            return Outcome(
                intent=work.change.intent,
                kind=OutcomeKind.PERMANENT,
                target_id=work.target_id,
                error=ErrorKind.DATA,
                message=work.missed,
                request=request,
                response=f"id={work.target_id}",
            )
        return Outcome(
            intent=work.change.intent,
            kind=OutcomeKind.CONFIRMED,
            target_id=work.target_id,
            request=request,
            response=f"id={work.target_id}",
        )
    refusal = work.refusal
    message = refusal.error("").message
    if refusal.gone:
        message = "Карточки в портале нет: её удалили или объединили с другой."
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
        response=f"{refusal.code} {refusal.text}".strip(),
    )


def _rejected(
    change: Change, kind: OutcomeKind, message: str, error: ErrorKind, retry_after: float | None
) -> Outcome:
    return Outcome(
        intent=change.intent, kind=kind, error=error, message=masked(message), retry_after=retry_after
    )


def _seen_by(change: Change, seen: dict[str, Card]) -> Card | None:
    carried = change.action.seen if isinstance(change.action, UpdateCard) else None
    return carried or seen.get(change.intent)


def _card_id(change: Change) -> str:
    return change.action.id if isinstance(change.action, UpdateCard) else ""
