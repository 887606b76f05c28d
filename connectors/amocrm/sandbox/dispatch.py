"""One request, from the gateway's limits to the answer, with the checks in this order:

blocked (403, HTML) · seven a second (429, HTML) · the account is paid for (402) · the token (401) · the route (404,
405) · rights (403, JSON) · the method itself.
"""

from typing import Literal

import msgspec

from connectors.amocrm.sandbox import methods, problems
from connectors.amocrm.sandbox.account import Account
from connectors.amocrm.sandbox.calls import Call, Reply
from connectors.amocrm.sandbox.problems import ApiError
from connectors.amocrm.sandbox.tokens import Grant
from kreslo.connectors.sandboxing import php

Verdict = Literal["pass", "too many", "blocked"]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """`path` below /api/v4. `context_user`: of the header X-Context-User-ID."""

    verb: str
    base: str
    path: str
    query: str
    body: bytes
    authorization: str
    context_user: str
    address: str

    @property
    def name(self) -> str:
        """Verb and route, as faults and statistics call it: `PATCH /api/v4/leads/{id}`."""
        method, _, _ = methods.find(self.verb, self.path)
        return f"{self.verb} /api/v4/{method.path if method else self.path}"


def verdict(account: Account, request: Request) -> Verdict:
    """Count the request, and say whether the gateway lets it through."""
    now = account.clock.monotonic()
    account.stats.request(request.name, now)
    if account.limits.blocked:
        return "blocked"
    grant = _grant(account, request)
    by_address = account.switches.count_by == "address"
    if account.limits.take(request.address if by_address or grant is None else grant.integration, now):
        return "pass"
    account.stats.violations += 1
    return "too many"


def handle(account: Account, request: Request) -> Reply:
    """Answer a request that the gateway let through. Raises ApiError."""
    unpaid = account.unpaid
    if account.clock.monotonic() < unpaid.until and (unpaid.reads or request.verb != "GET"):
        raise problems.unpaid()
    grant = _grant(account, request)
    if grant is None:
        raise problems.unauthorized()
    method, args, known = methods.find(request.verb, request.path)
    url = f"{request.base}/api/v4/{request.path}"
    if method is None:
        raise ApiError(405, None) if known else problems.no_route(request.verb, url)
    account.base = request.base
    call = Call(
        account=account,
        user_id=_user(account, grant, request.context_user),
        verb=request.verb,
        base=request.base,
        path=f"/api/v4/{request.path}",
        raw_query=request.query,
        query=php.decode(request.query),
        body=request.body,
        args=args,
    )
    if method.admin:
        call.need_admin()
    return method.run(call)


def _grant(account: Account, request: Request) -> Grant | None:
    return account.tokens.grant(request.authorization, account.clock.now().timestamp())


def _user(account: Account, grant: Grant, asked: str) -> int:
    """An administrator's token may act as another user."""
    if not asked:
        return grant.user_id
    user_id = php.integer(asked)
    person = account.people.get(user_id)
    if person is None or not person.active or not account.people[grant.user_id].admin:
        raise problems.forbidden()
    return user_id
