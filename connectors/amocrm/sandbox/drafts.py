"""From one item of a write to a Draft: types, references, custom fields, tags."""

from collections.abc import Callable
from typing import Any

from connectors.amocrm.sandbox.account import Account
from connectors.amocrm.sandbox.cards import Card, ContactLink, Kind, Tag
from connectors.amocrm.sandbox.problems import Errors
from connectors.amocrm.sandbox.values import Custom
from connectors.amocrm.sandbox.writing import Draft

_TIMES = ("created_at", "closed_at")
_AUTHORS = ("created_by", "updated_by")


def draft(
    account: Account, kind: Kind, item: dict[str, Any], errors: Errors, *, card: Card | None = None
) -> Draft:
    """`card`: the one that is updated; None for a new one. What the API does not know is ignored."""
    made = Draft(values={}, custom={}, add_tags=[], drop_tags=[], contacts=[])
    values = made.values
    for name in ("name", "first_name", "last_name") if kind is Kind.CONTACT else ("name",):
        _take(values, item, name, errors, _text)
    for name in (*_TIMES, *(("updated_at",) if account.switches.updated_at_sent == "stored" else ())):
        _take(values, item, name, errors, _integer)
    if "closed_at" in item and item["closed_at"] is None:
        values.pop("closed_at", None)
    for name in _AUTHORS:
        if item.get(name) is not None:
            _choose(values, item, name, errors, lambda user: user == 0 or user in account.people)
    if item.get("responsible_user_id") is not None:
        _choose(values, item, "responsible_user_id", errors, lambda user: _works(account, user))
    if kind is Kind.LEAD:
        _lead(account, item, errors, made, card)
    made.custom = account.reader.read(kind, item.get("custom_fields_values"), errors)
    _tags(account, kind, item, errors, made, new=card is None)
    if kind is Kind.LEAD and account.switches.required_statuses == "api":
        _required(account, made, card, errors)
    return made


def _lead(account: Account, item: dict[str, Any], errors: Errors, made: Draft, card: Card | None) -> None:
    _take(made.values, item, "price", errors, _integer)
    if made.values.get("price", 0) is None:
        made.values["price"] = 0
    _place(account, item, errors, made.values, card)
    if item.get("loss_reason_id") is not None:
        _choose(made.values, item, "loss_reason_id", errors, account.pipelines.reasons.__contains__)
    elif "loss_reason_id" in item:
        made.values["loss_reason_id"] = None


def _place(
    account: Account, item: dict[str, Any], errors: Errors, values: dict[str, Any], card: Card | None
) -> None:
    """142 and 143 stand in every pipeline, so a move has to name both; a status alone means the present pipeline."""
    if card is not None and item.get("pipeline_id") is None and item.get("status_id") is None:
        return
    present = card.pipeline_id if card is not None else account.pipelines.main.id
    pipeline_id = present if item.get("pipeline_id") is None else item["pipeline_id"]
    pipeline = account.pipelines.all.get(pipeline_id) if isinstance(pipeline_id, int) else None
    if pipeline is None:
        errors.add("NotSupportedChoice", "pipeline_id")
        return
    status_id = item.get("status_id")
    if status_id is None:
        stays = card is not None and card.pipeline_id == pipeline.id
        status_id = card.status_id if card is not None and stays else pipeline.first().id
    status = pipeline.statuses.get(status_id) if isinstance(status_id, int) else None
    lenient = account.switches.unsorted_moves
    held = card is not None and _unsorted(account, card) and (status is None or status.id != card.status_id)
    entering = status is not None and status.type == 1 and (card is None or card.status_id != status.id)
    if status is None or ((held or entering) and not lenient):
        errors.add("NotSupportedChoice", "status_id")
        return
    values["pipeline_id"], values["status_id"] = pipeline.id, status.id


def _unsorted(account: Account, card: Card) -> bool:
    return account.pipelines.all[card.pipeline_id].statuses[card.status_id].type == 1


def _required(account: Account, made: Draft, card: Card | None, errors: Errors) -> None:
    place = {name: made.values.get(name) for name in ("pipeline_id", "status_id")}
    for field in account.fields.of(Kind.LEAD):
        asked = any({name: one.get(name) for name in place} == place for one in field.required_statuses)
        custom: Custom = {**(card.custom if card else {}), **made.custom}
        if asked and not custom.get(field.id):
            errors.add("FieldMissing", f"custom_fields_values.{field.id}")


def _works(account: Account, user_id: Any) -> bool:
    person = account.people.get(user_id)
    return person is not None and person.active


def _take(
    values: dict[str, Any],
    item: dict[str, Any],
    name: str,
    errors: Errors,
    fits: Callable[[Any, str, Errors], bool],
) -> None:
    if name in item and fits(item[name], name, errors):
        values[name] = item[name] if item[name] is not None else ("" if fits is _text else None)


def _text(value: Any, path: str, errors: Errors) -> bool:
    if value is None or isinstance(value, str):
        return True
    errors.wrong_type(path, "string")
    return False


def _integer(value: Any, path: str, errors: Errors) -> bool:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return True
    errors.wrong_type(path, "int")
    return False


def _choose(
    values: dict[str, Any], item: dict[str, Any], name: str, errors: Errors, known: Callable[[Any], bool]
) -> None:
    if not _integer(item[name], name, errors):
        return
    if known(item[name]):
        values[name] = item[name]
    else:
        errors.add("NotSupportedChoice", name)


def _tags(
    account: Account, kind: Kind, item: dict[str, Any], errors: Errors, made: Draft, *, new: bool
) -> None:
    embedded = item.get("_embedded")
    if isinstance(embedded, dict):
        if embedded.get("tags") is not None:
            made.tags = _named(account, kind, embedded["tags"], "_embedded.tags", errors)
        if new and kind is Kind.LEAD:
            made.contacts = _contacts(account, embedded.get("contacts"), errors)
        if new and kind is not Kind.COMPANY:
            _company(account, embedded.get("companies"), errors, made)
    made.add_tags = _named(account, kind, item.get("tags_to_add"), "tags_to_add", errors)
    made.drop_tags = _named(account, kind, item.get("tags_to_delete"), "tags_to_delete", errors)


def _named(account: Account, kind: Kind, raw: Any, path: str, errors: Errors) -> list[Tag]:
    if raw is None:
        return []
    if not isinstance(raw, list):
        errors.wrong_type(path, "array")
        return []
    found: list[Tag] = []
    for at, one in enumerate(raw):
        name = one.get("name") if isinstance(one, dict) else None
        tag_id = one.get("id") if isinstance(one, dict) else None
        by_id = next((tag for (of, _), tag in account.tags.items() if of is kind and tag.id == tag_id), None)
        if by_id is not None:
            found.append(by_id)
        elif isinstance(name, str) and name:
            found.append(account.tag(kind, name))
        else:
            errors.add("NotSupportedChoice", f"{path}.{at}")
    return found


def _contacts(account: Account, raw: Any, errors: Errors) -> list[ContactLink]:
    links: list[ContactLink] = []
    for at, one in enumerate(raw or []):
        contact_id = one.get("id") if isinstance(one, dict) else None
        if not isinstance(contact_id, int) or account.card(Kind.CONTACT, contact_id) is None:
            errors.add("NotSupportedChoice", f"_embedded.contacts.{at}.id")
            continue
        links.append(ContactLink(contact_id, is_main=bool(one.get("is_main"))))
    return links


def _company(account: Account, raw: Any, errors: Errors, made: Draft) -> None:
    for at, one in enumerate(raw or []):
        company_id = one.get("id") if isinstance(one, dict) else None
        if not isinstance(company_id, int) or account.card(Kind.COMPANY, company_id) is None:
            errors.add("NotSupportedChoice", f"_embedded.companies.{at}.id")
        else:
            made.values["company_id"] = company_id
