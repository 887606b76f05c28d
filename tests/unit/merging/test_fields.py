"""DESIGN 7, field modes: the three-way merge of one field."""

from decimal import Decimal
from typing import Any

import pytest

from kreslo.connectors.model import Card, Entity, MultiChange, Value
from kreslo.decisions.case import Base, OwnCard, Role
from kreslo.decisions.desired import DesiredCard, FieldWish
from kreslo.mapping.model import FieldMode
from kreslo.merging import merge
from kreslo.merging.fields import FieldMerge, Verdict, as_tuple, differs, merge_field
from tests.unit.decisions.builders import NOW, at, make_appointment, make_bridge, make_case
from tests.unit.decisions.world import World, same

MIS, FILL, UNTIL, ADD = FieldMode.MIS, FieldMode.FILL, FieldMode.UNTIL_TOUCHED, FieldMode.ADD
KEY = "ident/appointment/10"


def merged(
    wish: FieldWish,
    base: tuple[Value, Value] | None,
    actual: Value,
    *,
    rewrites: int = 0,
    overrule: bool = False,
) -> FieldMerge:
    """`base`: what was decided and what was read back last."""
    known = Base(decided={"F": base[0]}, read_back={"F": base[1]}, rewrites={"F": rewrites}) if base else None
    return merge_field("F", wish, known, actual, same, overrule=overrule)


ONE: list[tuple[str, FieldMode, Value, tuple[Value, Value] | None, Value, Verdict]] = [
    ("mis: nothing new", MIS, "a", ("a", "a"), "a", Verdict.SAME),
    ("mis: the MIS moved on", MIS, "b", ("a", "a"), "a", Verdict.WRITE),
    ("mis: a person edited, the MIS's value stands", MIS, "a", ("a", "a"), "x", Verdict.WRITE),
    ("mis: both", MIS, "b", ("a", "a"), "x", Verdict.WRITE),
    ("mis: a person wrote what we wish", MIS, "b", ("a", "a"), "b", Verdict.SAME),
    ("mis: emptied in the MIS", MIS, None, ("a", "a"), "a", Verdict.WRITE),
    ("mis: both empty", MIS, None, ("a", "a"), "", Verdict.SAME),
    ("mis: the CRM gave it back in its own way", MIS, "a", ("a", "A"), "A", Verdict.DRIFT),
    ("fill: empty", FILL, "a", None, None, Verdict.WRITE),
    ("fill: taken", FILL, "a", None, "x", Verdict.LEAVE),
    ("fill: ours, and the MIS moved on", FILL, "b", ("a", "a"), "a", Verdict.LEAVE),
    ("fill: emptied by a person", FILL, "a", ("a", "a"), None, Verdict.WRITE),
    ("until touched: the MIS moved on", UNTIL, "b", ("a", "a"), "a", Verdict.WRITE),
    ("until touched: a person edited", UNTIL, "a", ("a", "a"), "x", Verdict.LEAVE),
    ("until touched: both", UNTIL, "b", ("a", "a"), "x", Verdict.LEAVE),
    ("until touched: emptied by a person", UNTIL, "b", ("a", "a"), None, Verdict.LEAVE),
    ("false is a value", MIS, False, (True, True), True, Verdict.WRITE),
    ("nought is a value", MIS, 0, (5, 5), 5, Verdict.WRITE),
]


@pytest.mark.parametrize(
    ("mode", "wish", "base", "actual", "verdict"), [r[1:] for r in ONE], ids=[r[0] for r in ONE]
)
def test_each_mode_has_its_way_with_the_mis_and_the_persons(
    mode: FieldMode, wish: Value, base: tuple[Value, Value] | None, actual: Value, verdict: Verdict
) -> None:
    """Field modes: `mis` (default), `fill` (only if empty), `until_touched`."""
    assert merged(FieldWish(value=wish, mode=mode), base, actual).verdict is verdict


NEVER: list[tuple[FieldMode, Value, Value, Verdict]] = [
    (MIS, None, "a", Verdict.LEAVE),
    (MIS, "", "a", Verdict.LEAVE),
    (MIS, (), ("a",), Verdict.LEAVE),
    (MIS, "b", "a", Verdict.WRITE),
    (UNTIL, None, "a", Verdict.LEAVE),
]


@pytest.mark.parametrize(("mode", "wish", "actual", "verdict"), NEVER)
def test_never_clear_stands_on_top_of_any(
    mode: FieldMode, wish: Value, actual: Value, verdict: Verdict
) -> None:
    """`never_clear` on top of any: an empty value in the MIS empties nothing."""
    field = FieldWish(value=wish, mode=mode, never_clear=True)
    assert (
        merged(field, ("a", "a") if isinstance(actual, str) else (("a",), ("a",)), actual).verdict is verdict
    )


@pytest.mark.parametrize("mode", [MIS, FILL, UNTIL])
def test_an_empty_field_is_filled_with_the_miss_value(mode: FieldMode) -> None:
    """Without a base: empty fields are filled, whatever the mode."""
    done = merged(FieldWish(value="a", mode=mode), None, "")
    assert (done.verdict, done.value, done.theirs or None) == (Verdict.WRITE, "a", None)


def test_one_value_is_a_tuple_of_one() -> None:
    """However the CRM gives a field of several values back."""
    assert [as_tuple(each) for each in (None, "", "1", ("1", "2"), 7)] == [(), (), ("1",), ("1", "2"), ("7",)]


def test_a_new_value_beside_the_old_ones_is_no_rewrite() -> None:
    """Rewrites are counted without a change in the MIS: a second phone is one."""
    done = merged(FieldWish(value=("1", "2"), mode=ADD), (("1",), ("1",)), ("1",), rewrites=2)
    assert (done.verdict, done.rewrite) == (Verdict.WRITE, False)


def test_what_a_person_had_written_is_recorded_when_it_is_overwritten() -> None:
    """The overwrite is recorded: theirs, beside what we write."""
    done = merged(FieldWish(value="b"), ("a", "a"), "x")
    assert (done.value, done.theirs, done.rewrite) == ("b", "x", False)
    ours = merged(FieldWish(value="b"), ("a", "a"), "a")
    assert (ours.value, ours.theirs) == ("b", None)


REWRITES = [(0, Verdict.WRITE), (1, Verdict.WRITE), (2, Verdict.PARK)]


@pytest.mark.parametrize(("rewrites", "verdict"), REWRITES)
@pytest.mark.parametrize("many", [False, True])
def test_the_third_identical_rewrite_parks_the_field(rewrites: int, verdict: Verdict, many: bool) -> None:
    """The third identical rewrite without a change in the MIS parks the field: someone else is writing it."""
    value: Value = ("a",) if many else "a"
    done = merged(FieldWish(value=value), (value, value), () if many else "x", rewrites=rewrites)
    assert (done.verdict, done.rewrite) == (verdict, verdict is Verdict.WRITE)


def test_a_change_in_the_mis_counts_anew() -> None:
    """… without a change in the MIS."""
    done = merged(FieldWish(value="b"), ("a", "a"), "x", rewrites=2)
    assert (done.verdict, done.rewrite) == (Verdict.WRITE, False)


MANY: list[tuple[str, FieldMode, Value, tuple[Value, Value] | None, Value, MultiChange | None]] = [
    ("add: a new one", ADD, ("1", "2"), (("1",), ("1",)), ("1",), MultiChange(add=("2",))),
    ("add: nothing is taken away", ADD, ("2",), (("1",), ("1",)), ("1",), MultiChange(add=("2",))),
    ("add: staff's own stays", ADD, ("1",), (("1",), ("1",)), ("1", "9"), None),
    ("add: without a base", ADD, ("1",), None, ("9",), MultiChange(add=("1",))),
    ("add: all gone from the MIS", ADD, None, (("1",), ("1",)), ("1",), None),
    (
        "mis: ours that is no more goes",
        MIS,
        ("2",),
        (("1",), ("1",)),
        ("1", "9"),
        MultiChange(("2",), ("1",)),
    ),
    ("mis: staff's own stays", MIS, ("1",), (("1",), ("1",)), ("1", "9"), None),
    ("mis: without a base nothing goes", MIS, ("2",), None, ("1",), MultiChange(add=("2",))),
    ("mis: emptied in the MIS", MIS, None, (("1",), ("1",)), ("1", "9"), MultiChange(remove=("1",))),
    ("fill: taken", FILL, ("1",), None, ("9",), None),
    ("fill: empty", FILL, ("1",), None, (), MultiChange(add=("1",))),
    ("until touched: staff added one", UNTIL, ("1", "2"), (("1",), ("1",)), ("1", "9"), None),
    ("until touched: untouched", UNTIL, ("1", "2"), (("1",), ("1",)), ("1",), MultiChange(add=("2",))),
    ("a person took ours away", ADD, ("1",), (("1",), ("1",)), (), MultiChange(add=("1",))),
    ("ours is gone already", MIS, ("2",), (("1",), ("1",)), ("9",), MultiChange(add=("2",))),
    ("one away, another back", MIS, ("1",), (("1", "2"), ("1", "2")), ("2",), MultiChange(("1",), ("2",))),
    ("until touched: without a base", UNTIL, ("1",), None, ("9",), MultiChange(add=("1",))),
    ("the CRM holds nothing", ADD, ("1", "2"), None, None, MultiChange(add=("1", "2"))),
    ("the CRM holds an empty text", ADD, ("1",), None, "", MultiChange(add=("1",))),
    ("the CRM holds one value as a text", ADD, ("1", "2"), None, "1", MultiChange(add=("2",))),
    ("the MIS holds one value as a text", ADD, "1", None, ("1", "2"), None),
    ("the order is nobody's business", MIS, ("2", "1"), (("1", "2"), ("1", "2")), ("2", "1"), None),
]


@pytest.mark.parametrize(
    ("mode", "wish", "base", "actual", "change"), [r[1:] for r in MANY], ids=[r[0] for r in MANY]
)
def test_of_several_values_only_ours_are_ours(
    mode: FieldMode, wish: Value, base: tuple[Value, Value] | None, actual: Value, change: MultiChange | None
) -> None:
    """`add` (multi-values such as phones): what staff added is theirs, whatever the mode."""
    assert merged(FieldWish(value=wish, mode=mode), base, actual).multi == change


DIFFERS: list[tuple[Value, Value, bool, bool]] = [
    ("a", "a", False, False),
    ("a", "b", False, True),
    (Decimal("7.5"), Decimal("7.50"), False, False),  # one sum of money
    ("a", None, False, True),
    (None, "a", False, True),
    (None, "a", True, False),  # `never_clear`
    ("", None, False, False),
    (None, None, True, False),
    (("1",), ("1", "2"), False, False),  # what staff added is theirs
    (("1", "2"), ("1",), False, True),
    (("1",), ("2",), False, True),
    (("1", "2"), ("2", "1"), False, False),
    ((), ("1",), False, True),
    ("1", ("1", "2"), False, False),
    (("1",), "1", False, False),
    (("1",), None, False, True),
    (("1",), "", False, True),
]


@pytest.mark.parametrize(("wish", "there", "never_clear", "differing"), DIFFERS)
def test_what_a_comparison_calls_another_value(
    wish: Value, there: Value, never_clear: bool, differing: bool
) -> None:
    """Drift by kind: a field that holds another value than the one that is wished."""
    assert differs("F", FieldWish(value=wish, never_clear=never_clear), there, same) is differing


# --- through several decisions ----------------------------------------------------------------------------------------


def test_an_edit_of_staff_is_healed_twice_and_then_parked() -> None:
    """Human-owned or robot-owned: the third time we stop, and write no more even when the MIS moves on."""
    world = World()
    case = make_case(make_appointment())
    world.step(case, NOW)
    titles = []
    for _ in range(4):
        world.edit(KEY, fields={**world.card(KEY).fields, "TITLE": "робот"})
        world.step(case, NOW, look=True)
        titles.append(world.card(KEY).fields["TITLE"])
    assert titles == ["Приём 20.11 10:00, Петров П. П."] * 2 + ["робот"] * 2
    assert world.overwrites == ["TITLE", "TITLE"]
    assert world.base(KEY).parked_fields == ("TITLE",)
    world.step(make_case(make_appointment(starts="25.11 10:00")), NOW)
    assert world.card(KEY).fields["TITLE"] == "робот"


def test_an_edit_is_not_looked_for_without_a_reason() -> None:
    """Level-triggered, not polling: without an event or a new wish the card is not compared."""
    world = World()
    world.step(make_case(make_appointment()), NOW)
    world.edit(KEY, fields={**world.card(KEY).fields, "TITLE": "x"})
    world.step(make_case(make_appointment()), at("16.11 10:00"))
    assert world.planned == []


def test_what_a_person_wrote_stays_theirs_after_later_writes() -> None:
    """`until_touched`: written until a person has changed it, however often the card is written for other fields."""
    base = Base(decided={"F": "a"}, read_back={"F": "a"})

    def once(value: str, stands: Base) -> Any:
        wish = DesiredCard(
            key=KEY, role=Role.VISIT, entity=Entity.DEAL, fields={"F": FieldWish(value=value, mode=UNTIL)}
        )
        own = OwnCard(key=KEY, role=Role.VISIT, entity=Entity.DEAL, target_id="700", base=stands)
        actual = Card(entity=Entity.DEAL, id="700", key=KEY, fields={"F": "x"})
        return merge(
            wish,
            own,
            actual,
            asked=True,
            look=True,
            canonical=same,
            resolve=lambda ref: "",
            bridge=make_bridge(),
        )

    first = once("b", base)
    assert first.planned == ()
    second = once("c", first.base)
    assert second.planned == ()


KEPT: list[tuple[str, FieldWish, Base | None, Value, tuple[str, ...]]] = [
    ("a person's value in a field that is only filled", FieldWish(value="a", mode=FILL), None, "x", ("F",)),
    ("the same value there", FieldWish(value="a", mode=FILL), None, "a", ()),
    ("nothing wished, and it may not be cleared", FieldWish(value=None, never_clear=True), None, "x", ()),
    (
        "a person's value, until touched",
        FieldWish(value="a", mode=UNTIL),
        Base(decided={"F": "a"}, read_back={"F": "a"}),
        "x",
        ("F",),
    ),
    (
        "emptied by the MIS, and a person's",
        FieldWish(value=None, mode=UNTIL),
        Base(decided={"F": "a"}, read_back={"F": "a"}),
        "x",
        ("F",),
    ),
    (
        "of several values one is missing",
        FieldWish(value=("1", "2"), mode=FILL),
        None,
        ("1",),
        ("F",),
    ),
    ("of several values none is missing", FieldWish(value=("1",), mode=FILL), None, ("1", "9"), ()),
    (
        "somebody else writes it",
        FieldWish(value="a"),
        Base(decided={"F": "a"}, parked_fields=("F",)),
        "x",
        ("F",),
    ),
]


def _met(wish: FieldWish, base: Base | None, actual: Value) -> Any:
    card = DesiredCard(key=KEY, role=Role.VISIT, entity=Entity.DEAL, fields={"F": wish})
    return merge(
        card,
        OwnCard(key=KEY, role=Role.VISIT, entity=Entity.DEAL, target_id="700", base=base),
        Card(entity=Entity.DEAL, id="700", key=KEY, fields={"F": actual}),
        asked=True,
        look=True,
        canonical=same,
        resolve=lambda ref: "",
        bridge=make_bridge(),
    )


@pytest.mark.parametrize(("wish", "base", "actual", "kept"), [r[1:] for r in KEPT], ids=[r[0] for r in KEPT])
def test_what_differs_by_a_persons_hand_is_named(
    wish: FieldWish, base: Base | None, actual: Value, kept: tuple[str, ...]
) -> None:
    assert _met(wish, base, actual).kept == kept


def test_a_parked_field_is_let_go_once_it_holds_what_we_wish() -> None:
    base = Base(decided={"F": "a"}, parked_fields=("F", "G"))
    assert _met(FieldWish(value="a"), base, "x").released_fields == ()
    done = _met(FieldWish(value="a"), base, "a")
    assert (done.released_fields, done.base.parked_fields) == (("F",), ("G",))
