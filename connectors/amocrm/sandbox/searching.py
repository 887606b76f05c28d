"""Full-text search (`query`): a separate index that learns of writes late, and gives more than was asked for."""

import re
from collections import deque

from connectors.amocrm.sandbox.cards import Card
from connectors.amocrm.sandbox.switches import Switches

_NO_DIGIT = re.compile(r"\D")
_PHONE_LIKE = re.compile(r"^[\d\s()+\-.]+$")


class Index:
    """Of one kind of cards. Values are kept apart, so that a query never spans two of them."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._waiting: deque[tuple[float, int, str | None]] = deque()
        self._texts: dict[int, str] = {}
        self._digits: dict[int, str] = {}

    def write(self, card: Card, now: float) -> None:
        cells = [str(cell.value) for cells in card.custom.values() for cell in cells]
        text = "\n".join([card.name, *cells, *(tag.name for tag in card.tags)])
        self._waiting.append((now + self._switches.search_lag, card.id, text.casefold()))

    def forget(self, card_id: int, now: float) -> None:
        self._waiting.append((now + self._switches.search_lag, card_id, None))

    def find(self, query: str, now: float) -> set[int]:
        """Ids that fit, and as many others as the switch says."""
        self._settle(now)
        wanted = query.strip().casefold()
        if len(wanted) < self._switches.search_min:
            return set()
        if self._switches.search_mode == "digits" and _PHONE_LIKE.match(wanted):
            digits = _NO_DIGIT.sub("", wanted)
            found = {card_id for card_id, text in self._digits.items() if digits in text} if digits else set()
        else:
            found = {card_id for card_id, text in self._texts.items() if wanted in text}
        return found | self._noise(found)

    def _noise(self, found: set[int]) -> set[int]:
        noise: set[int] = set()
        for card_id in self._texts:
            if len(noise) >= self._switches.search_noise:
                break
            if card_id not in found:
                noise.add(card_id)
        return noise

    def _settle(self, now: float) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            _, card_id, text = self._waiting.popleft()
            if text is None:
                self._texts.pop(card_id, None)
                self._digits.pop(card_id, None)
            else:
                self._texts[card_id] = text
                self._digits[card_id] = "\n".join(_NO_DIGIT.sub("", line) for line in text.split("\n"))
