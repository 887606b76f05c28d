"""/users: for administrators, and not for external integrations."""

from typing import Any

from connectors.amocrm.sandbox.calls import EMPTY, Call, Method, Reply
from connectors.amocrm.sandbox.lists import paged
from connectors.amocrm.sandbox.people import Person
from connectors.amocrm.sandbox.problems import forbidden


def find_many(call: Call) -> Reply:
    _own_only(call)
    people = sorted(call.account.people.values(), key=lambda person: person.id)
    return paged(call, "users", people, lambda person: _shown(call, person), totals=True)


def find_one(call: Call) -> Reply:
    _own_only(call)
    person = call.account.people.get(call.id)
    return EMPTY if person is None else Reply(_shown(call, person))


def _own_only(call: Call) -> None:
    if call.account.switches.external:
        raise forbidden()


def _shown(call: Call, person: Person) -> dict[str, Any]:
    rights = dict.fromkeys(("view", "edit", "add", "delete", "export"), "A")
    return {
        "id": person.id,
        "name": person.name,
        "email": person.email,
        "lang": "ru",
        "rights": {
            **dict.fromkeys(("leads", "contacts", "companies"), rights),
            "tasks": {"edit": "A", "delete": "A"},
            "mail_access": False,
            "catalog_access": True,
            "status_rights": None,
            "is_admin": person.admin,
            "is_free": False,
            "is_active": person.active,
            "group_id": None,
            "role_id": None,
        },
        "_links": call.href(f"users/{person.id}"),
        "_embedded": {"roles": [], "groups": []},
    }


METHODS = (Method("GET", "users", find_many, admin=True), Method("GET", "users/{id}", find_one, admin=True))
