from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from connectors.amocrm.events import parse_hook
from kreslo.connectors.errors import DataError, PermissionDeniedError
from kreslo.connectors.model import Entity, Event, EventKind

SECRET, ACCOUNT = "s3cret-of-hook", "31500001"
AT = datetime.fromtimestamp(1483966700, UTC)


def form(**fields: str) -> bytes:
    """Names with double underscores for brackets: leads__add__0__id."""
    named = {}
    for name, value in fields.items():
        head, *rest = name.split("__")
        named[head + "".join(f"[{step}]" for step in rest)] = value
    return urlencode({**named, "account[subdomain]": "clinic", "account[id]": ACCOUNT}).encode()


def parse(body: bytes) -> list[Event]:
    return parse_hook(SECRET, body, SECRET, ACCOUNT)


def test_a_body_may_hold_several_cards_and_actions() -> None:
    body = form(
        leads__status__0__id="5",
        leads__status__0__modified_user_id="7",
        leads__status__0__last_modified="1483966700",
        leads__status__1__id="6",
        leads__status__1__custom_fields__0__id="427183",
        leads__delete__0__id="8",
        contacts__update__0__id="9",
        contacts__update__0__type="contact",
        contacts__update__0__linked_leads_id__5__ID="5",
        contacts__update__1__id="10",
        contacts__update__1__type="company",
    )
    assert parse(body) == [
        Event(entity=Entity.DEAL, id="5", at=AT, by="7"),
        Event(entity=Entity.DEAL, id="6"),
        Event(entity=Entity.DEAL, id="8", kind=EventKind.DELETED),
        Event(entity=Entity.CONTACT, id="9"),
    ]


def test_brackets_may_be_encoded_or_not() -> None:
    raw = f"leads[add][0][id]=25399013&leads[add][0][name]=Lead+title&account[id]={ACCOUNT}".encode()
    assert parse(raw) == [Event(entity=Entity.DEAL, id="25399013")]


def test_a_robots_author_is_nobody() -> None:
    body = form(leads__update__0__id="5", leads__update__0__modified_user_id="0")
    assert parse(body) == [Event(entity=Entity.DEAL, id="5")]


def test_a_note_names_the_card_it_hangs_on() -> None:
    body = form(
        leads__note__0__note__id="900", leads__note__0__note__element_id="5", leads__note__0__note__text="да"
    )
    assert parse(body) == [Event(entity=Entity.DEAL, id="5")]


@pytest.mark.parametrize("result", ["accept_result", "decline_result"])
def test_what_left_the_unsorted_is_a_changed_deal(result: str) -> None:
    body = form(
        **{"unsorted__delete__0__action": "accept", f"unsorted__delete__0__{result}__leads__0": "77"},
    )
    assert parse(body) == [Event(entity=Entity.DEAL, id="77")]


@pytest.mark.parametrize("top", ["task", "message", "talk", "customers", "catalogs"])
def test_what_is_not_about_our_cards_is_no_event(top: str) -> None:
    assert parse(form(**{f"{top}__add__0__id": "5"})) == []


@pytest.mark.parametrize(
    ("given", "known"), [("wrong", SECRET), ("", SECRET), ("", ""), (SECRET, None), ("ё", SECRET)]
)
def test_a_hook_without_the_right_secret_is_refused(given: str, known: str | None) -> None:
    with pytest.raises(PermissionDeniedError):
        parse_hook(given, form(leads__add__0__id="5"), known, ACCOUNT)


def test_a_hook_of_another_account_is_refused() -> None:
    with pytest.raises(PermissionDeniedError, match="другого аккаунта"):
        parse_hook(SECRET, form(leads__add__0__id="5"), SECRET, "1")
    assert parse_hook(SECRET, form(leads__add__0__id="5"), SECRET, "") != []


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe",
        b"",
        b"{}",
        b"leads[add][0][id]=5",
        form(leads__add__0__id="x"),
        form(leads__add__0__name="т"),
        b"x" * 2_000_000,
    ],
)
def test_what_is_no_hook_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(DataError):
        parse(body)
