"""Sending changes: each is tried once, and each gets the outcome that is true of it.

- A create is one call, so it is either made or not. Made, but the answer lost: `UNKNOWN`.
- An update may be several calls (see `writing`). It is confirmed when all have succeeded. If a later one fails, the
  outcome is that of the failed one: an update can be sent again whole, since every one of its calls sets a state and
  none adds to it. A permanent refusal then says in its message that part has been applied.
- A refused login or right is `TRANSIENT` with a long pause: nothing is wrong with the card.
- When a whole request fails, what was to follow in later requests is not sent at all.
"""

from collections.abc import Sequence

import msgspec

from connectors.bitrix24.answers import PERMISSION_PAUSE, Refusal, Verdict
from connectors.bitrix24.client import BATCH, Answer, Client, Reply
from connectors.bitrix24.wire import masked, sketch
from connectors.bitrix24.writing import Step, Writer
from kreslo.connectors.errors import ConfigurationError, DataError, ErrorKind
from kreslo.connectors.model import Card, Change, CreateCard, Outcome, OutcomeKind, UpdateCard

_NOT_SENT = Refusal(Verdict.OUTAGE, "", "не отправлено: предыдущий запрос остался без ответа", 10.0)
_STOPS = (Verdict.LIMIT, Verdict.OUTAGE, Verdict.UNKNOWN)


class Pace:
    """How many writes one request holds. All of them share the portal's 60 seconds, so a slow request makes the next
    one smaller.
    """

    _least = 5
    _slow = 20.0
    _fast = 8.0

    def __init__(self) -> None:
        self.size = 25

    def took(self, seconds: float, sent: int) -> None:
        if seconds > self._slow:
            self.size = max(self._least, min(self.size, sent) // 2)
        elif seconds < self._fast and sent >= self.size:
            self.size = min(BATCH, self.size + 5)


class _Work(msgspec.Struct):
    """A change on its way: its calls, how many have succeeded, and how it ended."""

    change: Change
    steps: list[Step]
    done: int = 0
    target_id: str = ""
    missed: str = ""
    refusal: Refusal | None = None


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
    works: list[_Work] = []
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
            works.append(_Work(change, steps, target_id=_card_id(change)))
    await _run(client, works, pace)
    outcomes |= {work.change.intent: _outcome(work, plain) for work in works}
    return [outcomes[change.intent] for change in changes]


async def _run(client: Client, works: Sequence[_Work], pace: Pace) -> None:
    """All first calls, then the second calls of what succeeded, and so on: a change's own calls stay in order, and one
    that failed is not followed by the next.
    """
    stopped = False
    while waiting := [work for work in works if work.refusal is None and work.done < len(work.steps)]:
        while waiting:
            part, waiting = _part(waiting, pace.size)
            if stopped:
                for work in part:
                    work.refusal = _NOT_SENT
                continue
            steps = [work.steps[work.done] for work in part]
            calls = [call for step in steps for call in (step.call, step.check) if call is not None]
            answers = await client.tell(calls)
            pace.took(client.last_seconds, len(part))
            told = iter(answers)
            for work, step in zip(part, steps, strict=True):
                reply = next(told)
                _take(work, step, reply, next(told) if step.check is not None else reply)
            stopped = _whole_failed(answers)


def _part(works: Sequence[_Work], size: int) -> tuple[list[_Work], list[_Work]]:
    """As many works as fit one request, and the rest."""
    taken, calls = 0, 0
    while taken < min(size, len(works)):
        step = works[taken].steps[works[taken].done]
        calls += 1 if step.check is None else 2
        if calls > BATCH:
            break
        taken += 1
    return list(works[:taken]), list(works[taken:])


def _take(work: _Work, step: Step, reply: Reply, judged: Reply) -> None:
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


def _outcome(work: _Work, plain: frozenset[str]) -> Outcome:
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
