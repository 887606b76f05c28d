from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from connectors.bitrix24.events import parse_hook
from kreslo.connectors.errors import DataError, PermissionDeniedError
from kreslo.connectors.model import Entity, Event, EventKind

TOKEN = "jvh9y1ulvt2m6k5or90v9mg8nn32ozas"


def hook(event: str = "ONCRMDEALUPDATE", token: str = TOKEN, **data: str) -> bytes:
    fields = {f"data[FIELDS][{name}]": value for name, value in ({"ID": "7405"} | data).items()}
    auth = {"auth[domain]": "clinic.bitrix24.ru", "auth[application_token]": token}
    return urlencode(
        {"event": event, "event_handler_id": "975", **fields, "ts": "1766047124", **auth}
    ).encode()


@pytest.mark.parametrize(
    ("name", "entity", "kind"),
    [
        ("ONCRMDEALADD", Entity.DEAL, EventKind.CHANGED),
        ("ONCRMDEALUPDATE", Entity.DEAL, EventKind.CHANGED),
        ("ONCRMDEALMOVETOCATEGORY", Entity.DEAL, EventKind.CHANGED),
        ("OnCrmDealDelete", Entity.DEAL, EventKind.DELETED),
        ("ONCRMCONTACTUPDATE", Entity.CONTACT, EventKind.CHANGED),
        ("ONCRMLEADDELETE", Entity.LEAD, EventKind.DELETED),
    ],
)
def test_an_event_names_its_card(name: str, entity: Entity, kind: EventKind) -> None:
    at = datetime.fromtimestamp(1766047124, UTC)
    assert parse_hook(hook(name), TOKEN) == [Event(entity=entity, id="7405", kind=kind, at=at)]


@pytest.mark.parametrize(
    "name", ["ONCRMACTIVITYADD", "ONTASKADD", "ONCRMDEALUSERFIELDADD", "ONCRMCOMPANYADD"]
)
def test_what_is_not_about_our_cards_is_no_event(name: str) -> None:
    assert parse_hook(hook(name), TOKEN) == []


@pytest.mark.parametrize(
    ("token", "known"), [("wrong", TOKEN), ("", TOKEN), ("", ""), (TOKEN, None), ("ё", TOKEN)]
)
def test_a_hook_without_the_right_token_is_refused(token: str, known: str | None) -> None:
    with pytest.raises(PermissionDeniedError):
        parse_hook(hook(token=token), known)


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe",
        hook(ID="undefined"),
        hook(ID=""),
        hook(event=""),
        b"x" * 100_000,
    ],
)
def test_a_body_that_is_no_hook_is_refused(body: bytes) -> None:
    with pytest.raises(DataError):
        parse_hook(body, TOKEN)


def test_json_is_no_hook() -> None:
    with pytest.raises(PermissionDeniedError):
        parse_hook(b'{"event": "ONCRMDEALUPDATE"}', TOKEN)
