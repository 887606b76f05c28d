"""What a method of the API is given, what it gives back, and the rules that all writes share."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from connectors.amocrm.sandbox.account import Account
from connectors.amocrm.sandbox.cards import Kind
from connectors.amocrm.sandbox.problems import ApiError, Errors, Refused, invalid, invalid_one, problem
from connectors.amocrm.sandbox.writing import Author
from kreslo.connectors.sandboxing import php

T = TypeVar("T")
MOST = 250


class Reply(msgspec.Struct, frozen=True):
    """`body` None: an empty one."""

    body: Any = None
    status: int = 200


EMPTY = Reply(status=204)


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """`base`: the account's address as the client wrote it. `path`: after it. `query`: nested, as PHP reads it.
    `args`: what stands in the path's places.
    """

    account: Account
    user_id: int
    verb: str
    base: str
    path: str
    raw_query: str
    query: dict[str, Any]
    body: bytes
    args: dict[str, str] = {}

    @property
    def author(self) -> Author:
        return Author(self.user_id, "api")

    @property
    def kind(self) -> Kind:
        return Kind(self.args["kind"])

    @property
    def id(self) -> int:
        return int(self.args["id"])

    def href(self, path: str) -> dict[str, dict[str, str]]:
        """`_links` to an address below /api/v4."""
        return {"self": {"href": f"{self.base}/api/v4/{path}"}}

    def asked_with(self) -> set[str]:
        """A comma list, or an array of words."""
        return {
            word.strip()
            for one in php.members(self.query.get("with", ""))
            for word in php.text(one).split(",")
        }

    def filter(self) -> dict[str, Any]:
        return dict(php.pairs(self.query.get("filter")))

    def json(self) -> Any:
        try:
            return msgspec.json.decode(self.body)
        except msgspec.DecodeError as error:
            raise problem(400, "Invalid JSON") from error

    def array(self, most: int = MOST) -> list[dict[str, Any]]:
        """The body of a write to a collection. Raises ApiError on anything but a list of objects."""
        sent = self.json()
        errors = Errors()
        if not isinstance(sent, list):
            errors.wrong_type("", "array")
        elif not sent:
            errors.add("TooFew", "")
        elif len(sent) > most:
            errors.add("TooMany", "", f"This collection should contain {most} elements or less.")
        elif not all(isinstance(item, dict) for item in sent):
            errors.wrong_type("", "array")
        if errors.found:
            raise invalid([Refused(errors.found)])
        return list(sent)

    def object(self) -> dict[str, Any]:
        sent = self.json()
        if not isinstance(sent, dict):
            raise invalid_one("InvalidType", "", detail="This value should be of type object.")
        return sent

    def need_admin(self) -> None:
        if not (self.account.switches.admin and self.account.people[self.user_id].admin):
            raise ApiError(403, problem(403, "Invalid scope").body)


class Method(msgspec.Struct, frozen=True):
    """`path` below /api/v4, with `{id}`, `{kind}` and the like in its places. `admin`: only for administrators."""

    verb: str
    path: str
    run: Callable[[Call], Reply]
    admin: bool = False


def many(
    call: Call,
    items: list[dict[str, Any]],
    prepare: Callable[[dict[str, Any], Errors], T],
    commit: Callable[[T, str], dict[str, Any]],
) -> list[dict[str, Any]]:
    """Write all items or none: one bad item refuses the request. (A switch lets the good ones through all the same.)"""
    ready: list[tuple[T, str]] = []
    refused: list[Refused] = []
    for at, item in enumerate(items):
        request_id = php.text(item.get("request_id", at))
        errors = Errors()
        made = prepare(item, errors)
        if errors.found:
            refused.append(Refused(errors.found, request_id))
        else:
            ready.append((made, request_id))
    if refused and call.account.switches.batch_on_error == "nothing":
        raise invalid(refused)
    done = [commit(made, request_id) for made, request_id in ready]
    if refused:
        raise invalid(refused)
    return done


def wrapped(call: Call, path: str, key: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The answer to a write."""
    return {"_links": call.href(path), "_embedded": {key: rows}}
