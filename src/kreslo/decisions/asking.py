"""How a pure decision asks: it takes the answers it has and collects the questions it still has."""

from datetime import UTC, datetime

from kreslo.connectors.model import Card, Entity, Lookup
from kreslo.decisions.case import Answer, Case, Facts, OwnCard
from kreslo.records import RecordKind

_PATIENT = f"/{RecordKind.PATIENT}/"


class Asker:
    """Answers from the facts of this round. `missing`: what was asked and not known; a decision that asked for
    anything missing is thrown away and made again with the answers.
    """

    def __init__(self, case: Case, facts: Facts) -> None:
        self._case = case
        self._facts = facts
        self.missing: dict[Lookup, None] = {}

    def ask(self, lookup: Lookup) -> tuple[Card, ...]:
        found = self._facts.found.get(lookup)
        if found is None:
            self.missing[lookup] = None
            return ()
        return found.cards

    def owner(self, entity: Entity, target_id: str) -> str:
        """The case that owns a card, "" if none of ours does, or this case itself does."""
        owner = self._facts.owners.get((entity, target_id), "")
        return "" if owner == self._case.key else owner


def newest(cards: tuple[Card, ...]) -> list[Card]:
    """By creation, the newest first; the id breaks ties so that the order never depends on the CRM's."""
    epoch = datetime.min.replace(tzinfo=UTC)
    return sorted(cards, key=lambda card: (card.created_at or epoch, card.id), reverse=True)


def answer_to(case: Case, question: str) -> Answer | None:
    """What a person said last on this question."""
    return next((answer for answer in reversed(case.answers) if answer.question == question), None)


def deleted_question(own: OwnCard) -> str:
    """By the id that was deleted: a card that was made again and deleted again is a new question."""
    return f"deleted:{own.key}:{own.target_id}"


def about_contact(question: str) -> bool:
    """Whether it asks whose contact it is."""
    return question.startswith("contact:") or (question.startswith("deleted:") and _PATIENT in question)
