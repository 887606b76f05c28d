"""What staff do by hand in the account: move, edit, delete, merge, take a reply, complete a task; always as themselves,
never as the integration.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from connectors.amocrm.sandbox import incoming, working, writing
from connectors.amocrm.sandbox.account import Account
from connectors.amocrm.sandbox.cards import Card, Cell, ContactLink, Kind
from connectors.amocrm.sandbox.fields import Field
from connectors.amocrm.sandbox.merging import merge_cards
from connectors.amocrm.sandbox.moving import stage_named
from connectors.amocrm.sandbox.people import ADMINISTRATOR
from connectors.amocrm.sandbox.problems import Errors
from connectors.amocrm.sandbox.values import Custom
from connectors.amocrm.sandbox.writing import Author, Draft
from kreslo.connectors.sandboxing.control import WrongOrderError
from kreslo.connectors.sandboxing.staffing import StaffOrder, acted

_REPLIES = {"да": "Подтвердил по смс", "нет": "Отменил по смс"}
_OWN = {
    Kind.LEAD: {"name": "name", "название": "name", "price": "price", "бюджет": "price"},
    Kind.CONTACT: {"name": "name", "first_name": "first_name", "last_name": "last_name", "имя": "first_name", "фамилия": "last_name"},
    Kind.COMPANY: {"name": "name", "название": "name"},
}  # fmt: skip


class Order(StaffOrder, kw_only=True, forbid_unknown_fields=True):
    """`entity`: contact, company, deal (amoCRM's lead) or task. Fields are named by id too; phones and e-mails are added.
    `answer`: a client's reply, or the result of a task.
    """

    user_id: int = ADMINISTRATOR


def act(account: Account, action: str, order: Order) -> Card | None:
    """Do it; gives the card as it is then, None where it is gone. Raises WrongOrderError."""
    acts: dict[str, Callable[[Account, Order], Card | None]] = {
        "create": _create,
        "move": _move,
        "edit": _edit,
        "delete": _delete,
        "merge": _merge,
        "reply": _reply,
        "complete": _complete,
        "accept": _accept,
        "decline": _decline,
    }
    return acted(account, acts, action, order, account.people)


def kind_of(word: str) -> Kind:
    kinds = {"deal": Kind.LEAD, "lead": Kind.LEAD, "contact": Kind.CONTACT, "company": Kind.COMPANY}
    if word not in kinds:
        raise WrongOrderError(f"no entity {word!r}; there are {', '.join(kinds)}")
    return kinds[word]


def _author(order: Order) -> Author:
    return Author(order.user_id, "staff")


def _card(account: Account, order: Order, card_id: int | None = None) -> Card:
    kind = kind_of(order.entity)
    wanted = order.id if card_id is None else card_id
    card = account.card(kind, wanted)
    if card is None:
        raise WrongOrderError(f"no {order.entity} {wanted}")
    return card


def _move(account: Account, order: Order) -> Card:
    card = _card(account, order)
    if card.kind is not Kind.LEAD:
        raise WrongOrderError("only deals have stages")
    pipeline, stage = stage_named(account, order.stage, funnel=order.funnel, near=card.pipeline_id)
    item = next((one for one in account.unsorted.values() if one.lead_id == card.id), None)
    if item is not None:
        if pipeline.id != item.pipeline_id:
            raise WrongOrderError(f"deal {card.id} is to be accepted in its own funnel first")
        incoming.accept(account, item, stage, _author(order))
    else:
        place = {"pipeline_id": pipeline.id, "status_id": stage.id}
        writing.update(account, card, Draft(values=place), _author(order))
    return card


def _accept(account: Account, order: Order) -> Card:
    if not order.stage:
        raise WrongOrderError("accept needs the stage on which the deal is to stand")
    _incoming(account, order)
    return _move(account, order)


def _decline(account: Account, order: Order) -> None:
    incoming.decline(account, _incoming(account, order), _author(order))


def _incoming(account: Account, order: Order) -> Any:
    item = next((one for one in account.unsorted.values() if one.lead_id == order.id), None)
    if item is None:
        raise WrongOrderError(f"deal {order.id} is not an incoming lead")
    return item


def _reply(account: Account, order: Order) -> Card:
    word = order.answer.strip().casefold().rstrip(".!")
    if not order.stage and word not in _REPLIES:
        raise WrongOrderError(f"the answer {order.answer!r} is neither «Да» nor «Нет», and no stage is named")
    return _move(account, msgspec.structs.replace(order, stage=order.stage or _REPLIES[word]))


def _edit(account: Account, order: Order) -> Card:
    card = _card(account, order)
    writing.update(account, card, _draft(account, card.kind, order, card), _author(order))
    return card


def _create(account: Account, order: Order) -> Card:
    kind = kind_of(order.entity)
    draft = _draft(account, kind, order, None)
    if kind is Kind.LEAD:
        main = account.pipelines.main
        found = (
            stage_named(account, order.stage, funnel=order.funnel, near=main.id)
            if order.stage
            else (main, main.first())
        )
        draft.values |= {"pipeline_id": found[0].id, "status_id": found[1].id}
    return writing.create(account, kind, draft, _author(order))


def _draft(account: Account, kind: Kind, order: Order, card: Card | None) -> Draft:
    draft = Draft(values={}, custom={}, contacts=[])
    for at, contact_id in enumerate(order.contact_ids or ()):
        if account.card(Kind.CONTACT, contact_id) is None:
            raise WrongOrderError(f"no contact {contact_id}")
        draft.contacts.append(ContactLink(contact_id, is_main=at == 0))
    for name, raw in order.fields.items():
        own = _OWN[kind].get(name.casefold())
        if own is not None:
            draft.values[own] = raw
        else:
            draft.custom.update(_custom(account, kind, name, raw, card))
    return draft


def _custom(account: Account, kind: Kind, name: str, raw: Any, card: Card | None) -> Custom:
    field = field_named(account, kind, name)
    if field.is_api_only:
        raise WrongOrderError(f"the field {name!r} can be written through the API only")
    if raw is None or raw == "":
        return {field.id: None}
    members = raw if isinstance(raw, list) else [raw]
    rows = [row if isinstance(row, dict) else {"value": row} for row in members]
    errors = Errors()
    custom = account.reader.read(kind, [{"field_id": field.id, "values": rows or None}], errors)
    if errors.found:
        raise WrongOrderError(f"{raw!r} is no value for {name}: {errors.found[0]['detail']}")
    present: list[Cell] = (
        card.custom.get(field.id, []) if card is not None and field.type == "multitext" else []
    )
    return {field.id: [*present, *(custom[field.id] or ())] or None}


def field_named(account: Account, kind: Kind, name: str) -> Field:
    found = [field for field in account.fields.of(kind) if name in {str(field.id), field.code, field.name}]
    if len(found) != 1:
        raise WrongOrderError(f"{len(found) or 'no'} fields {name!r} of {kind.value} (stages: use move)")
    return found[0]


def _delete(account: Account, order: Order) -> None:
    writing.remove(account, _card(account, order), _author(order))


def _merge(account: Account, order: Order) -> Card:
    loser, survivor = _card(account, order), _card(account, order, order.into)
    if loser is survivor:
        raise WrongOrderError("a card cannot be merged into itself")
    merge_cards(account, survivor, loser, _author(order))
    return survivor


def _complete(account: Account, order: Order) -> None:
    task = account.tasks.get(order.id)
    if task is None:
        raise WrongOrderError(f"no task {order.id}")
    done = {"is_completed": True, "result": {"text": order.answer}}
    working.change_task(account, task, done, _author(order))
