"""Acts of a clinic's staff in a sandbox CRM: how they are asked for. What each does is the CRM's own."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import msgspec

from kreslo.connectors.sandboxing.control import WrongOrderError

Owner = TypeVar("Owner")
OrderT = TypeVar("OrderT", bound="StaffOrder")
Made = TypeVar("Made")


class StaffOrder(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One act on the card `id` of an `entity` by a user. `fields`: by code or title; phones and e-mails as lists.
    `into`: the survivor of a merge. `answer`: what was replied.
    """

    entity: str = "deal"
    id: int = 0
    user_id: int = 0
    stage: str = ""
    funnel: str = ""
    fields: dict[str, Any] = {}
    contact_ids: list[int] | None = None
    into: int = 0
    answer: str = ""


def acted(
    owner: Owner,
    acts: Mapping[str, Callable[[Owner, OrderT], Made]],
    action: str,
    order: OrderT,
    people: Collection[int],
) -> Made:
    """Does the act of that name. Raises WrongOrderError where there is no such act or user."""
    if action not in acts:
        raise WrongOrderError(f"no action {action!r}; there are {', '.join(acts)}")
    if order.user_id not in people:
        raise WrongOrderError(f"no user {order.user_id}; there are {', '.join(map(str, people))}")
    return acts[action](owner, order)
