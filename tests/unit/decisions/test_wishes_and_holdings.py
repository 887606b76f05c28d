"""DESIGN 6 and 7: a field rule's wish, and which of a case's cards is which chain's."""

from typing import Any

import msgspec
import pytest

from kreslo.connectors.model import FieldType
from kreslo.decisions.asking import Asker
from kreslo.decisions.case import Facts, OwnCard, Role
from kreslo.decisions.chains import Chain
from kreslo.decisions.desired import FieldWish
from kreslo.decisions.fields import text_of, wishes
from kreslo.decisions.holdings import holdings
from kreslo.mapping.expressions import Expression
from kreslo.mapping.model import FieldMode, FieldRule
from tests.unit.decisions.builders import make_appointment, make_bridge, make_case, own_visit


def test_a_wish_carries_the_mode_and_the_title_of_its_rule() -> None:
    """Field modes, and `never_clear` on top of any; a rule whose `when` does not hold leaves its field alone."""
    rules = (
        FieldRule(code="A", title="A", type=FieldType.TEXT, value=Expression('"a"'), mode=FieldMode.FILL),
        FieldRule(code="B", title="Б", type=FieldType.TEXT, value=Expression('"b"'), never_clear=True),
        FieldRule(
            code="C", title="C", type=FieldType.TEXT, value=Expression('"c"'), when=Expression("false")
        ),
    )
    assert wishes(rules, {}) == {
        "A": FieldWish(value="a", mode=FieldMode.FILL, title="A"),
        "B": FieldWish(value="b", never_clear=True, title="Б"),
    }


TEXTS = [('"V-7"', "V-7"), ("7", "7"), ("null", ""), ('""', "")]


@pytest.mark.parametrize(("expression", "said"), TEXTS)
def test_a_key_is_a_text(expression: str, said: str) -> None:
    """As a text field would hold it; nothing is an empty one."""
    assert text_of(Expression(expression), {}) == said


def key(number: str) -> str:
    return f"ident/appointment/{number}"


def card(number: str, *members: str, target: str = "", **changes: bool) -> OwnCard:
    held = tuple(map(key, members or (number,)))
    return own_visit(number, target_id=target or f"7{number}", members=held, **changes)


ONE = [Chain((make_appointment("1"), make_appointment("2")))]
TWO = [Chain((make_appointment("1"),)), Chain((make_appointment("2"),))]
PAIRS = [Chain((make_appointment("0"), make_appointment("1"))), Chain((make_appointment("3"),))]
HELD: list[tuple[str, list[Chain], list[OwnCard], dict[str, list[str]]]] = [
    ("one", ONE, [card("1")], {"1": ["71"]}),
    ("two: that of the earlier member", ONE, [card("2"), card("1")], {"1": ["71", "72"]}),
    ("two of one member: the older", ONE, [card("1", target="79"), card("1", target="70")], {"1": ["79", "70"]}),
    ("a living one before a deleted one", ONE, [card("1", gone=True), card("2")], {"1": ["72", "71"]}),
    ("an open one before a superseded one", ONE, [card("1", closed=True), card("2")], {"1": ["72", "71"]}),
    ("a deleted one before a superseded one", ONE, [card("1", closed=True), card("2", gone=True)], {"1": ["72", "71"]}),
    ("the earlier by its members", ONE, [card("2"), card("2", "1", "2", target="70")], {"1": ["70", "72"]}),
    ("by its members in this chain only", PAIRS, [card("1", "4"), card("1", "3", "1", target="70")], {"0": ["71", "70"]}),
    ("made for a record out of sight", ONE, [card("9", "9", "2")], {"1": ["79"]}),
    ("by the earliest of its members", TWO, [card("9", "2", "1")], {"1": ["79"]}),
    ("by its own record before its members", TWO, [card("2", "1", "2")], {"2": ["72"]}),
    ("by its own record, not a member any more", TWO, [card("2", "1")], {"2": ["72"]}),
    ("of nothing in sight", ONE, [card("9")], {}),
    ("of nothing in sight, and one behind it", ONE, [card("9"), card("1")], {"1": ["71"]}),
]  # fmt: skip


@pytest.mark.parametrize(("chains", "cards", "held"), [r[1:] for r in HELD], ids=[r[0] for r in HELD])
def test_a_card_goes_with_the_record_that_it_was_made_for(
    chains: list[Chain], cards: list[OwnCard], held: dict[str, list[str]]
) -> None:
    """All members of a chain link to its card; of two cards the older lives on. Whatever links come and go, a card belongs
    to one chain.
    """
    other = OwnCard(
        key=key("1"), role=Role.CLAIM, entity=own_visit().entity, target_id="7", members=(key("1"),)
    )
    case = make_case(cards=(other, *cards))
    found = holdings(chains, case, make_bridge(), Asker(case, Facts()))
    assert {first: [each.target_id for each in cards] for first, cards in found.items()} == held


@pytest.mark.parametrize(
    ("state", "asks"),
    [({}, True), ({"closed": True}, False), ({"gone": True}, False), ({"target_id": ""}, False)],
    ids=["open", "closed", "gone", "not made yet"],
)
def test_whether_the_older_card_stands_is_asked_only_where_another_would_be_closed_for_it(
    state: dict[str, Any], asks: bool
) -> None:
    case = make_case(cards=(card("1"), msgspec.structs.replace(card("2", "1", "2"), **state)))
    asker = Asker(case, Facts())
    holdings(ONE, case, make_bridge(), asker)
    assert bool(asker.missing) is asks
