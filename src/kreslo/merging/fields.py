"""Three-way merge of one field: what we wish, what we wrote and read back last, what is there now."""

from collections.abc import Callable
from enum import Enum, auto

import msgspec

from kreslo.connectors.model import MultiChange, Value
from kreslo.decisions.case import Base
from kreslo.decisions.desired import FieldWish
from kreslo.mapping.model import FieldMode

Canonical = Callable[[str, Value], Value]
"""How the CRM will give a field's value back: (code, value) → value."""

REWRITES = 3
"""The third identical rewrite without a change in the MIS parks the field: somebody else is writing it."""


class Verdict(Enum):
    SAME = auto()  # nothing to do
    WRITE = auto()
    DRIFT = auto()  # differs, and without a base we cannot tell whose it is: shown, not healed
    LEAVE = auto()  # a person's, by the field's mode
    PARK = auto()


class FieldMerge(msgspec.Struct, frozen=True):
    """`value` or `multi` is what to send; `theirs`: what a person had put there and we write over, or empty.
    `rewrite`: it is the same value again, without a change in the MIS.
    """

    verdict: Verdict
    value: Value = None
    multi: MultiChange | None = None
    theirs: Value = None
    rewrite: bool = False


def merge_field(
    code: str, wish: FieldWish, base: Base | None, actual: Value, canonical: Canonical, *, overrule: bool
) -> FieldMerge:
    """One field. `overrule`: the card was taken over and the MIS's values stand at once."""
    wanted = canonical(code, wish.value)
    there = canonical(code, actual)
    if empty(wanted) and wish.never_clear:
        return FieldMerge(Verdict.LEAVE)
    if isinstance(wanted, tuple) or isinstance(there, tuple):
        return _merge_many(code, wish, base, as_tuple(wanted), as_tuple(there), canonical)
    if wanted == there or (empty(wanted) and empty(there)):
        return FieldMerge(Verdict.SAME)
    if wish.mode is FieldMode.FILL:
        return FieldMerge(Verdict.WRITE, value=wish.value) if empty(there) else FieldMerge(Verdict.LEAVE)
    if base is None or code not in base.decided:
        # Without a base only what is empty is filled; for a card we have a base of, a field new in the mapping too.
        if empty(there) or overrule:
            return FieldMerge(Verdict.WRITE, value=wish.value, theirs=there)
        return FieldMerge(Verdict.DRIFT)
    touched = there != canonical(code, base.read_back.get(code))
    moved_on = canonical(code, base.decided[code]) != wanted
    if wish.mode is FieldMode.UNTIL_TOUCHED and touched:
        return FieldMerge(Verdict.LEAVE)
    if moved_on:
        return FieldMerge(Verdict.WRITE, value=wish.value, theirs=there if touched else None)
    if not touched:
        return FieldMerge(Verdict.DRIFT)
    if base.rewrites.get(code, 0) + 1 >= REWRITES:
        return FieldMerge(Verdict.PARK)
    return FieldMerge(Verdict.WRITE, value=wish.value, theirs=there, rewrite=True)


def _merge_many(
    code: str,
    wish: FieldWish,
    base: Base | None,
    wanted: tuple[str, ...],
    there: tuple[str, ...],
    canonical: Canonical,
) -> FieldMerge:
    known = base or Base()
    ours = as_tuple(canonical(code, known.decided.get(code)))
    add = tuple(each for each in wanted if each not in there)
    remove: tuple[str, ...] = ()
    if wish.mode is FieldMode.MIS:
        # Only what was ours goes away; numbers that staff added are theirs.
        remove = tuple(each for each in ours if each in there and each not in wanted)
    if wish.mode is FieldMode.FILL and there:
        return FieldMerge(Verdict.LEAVE)
    if wish.mode is FieldMode.UNTIL_TOUCHED and base is not None:
        stood = as_tuple(canonical(code, base.read_back.get(code)))
        if set(stood) != set(there):
            return FieldMerge(Verdict.LEAVE)
    if not add and not remove:
        return FieldMerge(Verdict.SAME)
    if not remove and set(add) <= set(ours):
        # A person took our value away. Adding is no healing: it is put back only as often as any other rewrite.
        if known.rewrites.get(code, 0) + 1 >= REWRITES:
            return FieldMerge(Verdict.PARK)
        return FieldMerge(Verdict.WRITE, multi=MultiChange(add=add), rewrite=True)
    return FieldMerge(Verdict.WRITE, multi=MultiChange(add=add, remove=remove))


def differs(code: str, wish: FieldWish, actual: Value, canonical: Canonical) -> bool:
    """Whether a wish that is left unwritten is another than what is there; of several values, whether one is missing."""
    wanted, there = canonical(code, wish.value), canonical(code, actual)
    if empty(wanted):
        return not (wish.never_clear or empty(there))
    if isinstance(wanted, tuple) or isinstance(there, tuple):
        return not set(as_tuple(wanted)) <= set(as_tuple(there))
    return wanted != there


def empty(value: Value) -> bool:
    return value is None or value in ("", ())


def as_tuple(value: Value) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return value
    return () if value is None or value == "" else (str(value),)
