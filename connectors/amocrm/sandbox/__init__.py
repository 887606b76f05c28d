"""An amoCRM account behind its real API v4, in memory: for the demo, tests and rehearsals."""

from typing import Any

import httpx
from starlette.types import ASGIApp

from connectors.amocrm.sandbox.people import INTEGRATION_USER
from connectors.amocrm.sandbox.tokens import LONG_LIVED_UNTIL, token
from kreslo.connectors.sandboxes import SandboxPlan


class AmocrmSandbox:
    """A TargetSandbox. Each `build` is an account of its own."""

    def build(self, plan: SandboxPlan) -> ASGIApp:
        """The account as an ASGI app. Raises ConfigurationError on a switch that it does not know."""
        # Imported here: who runs a real account does not wait for this one to be loaded.
        from connectors.amocrm.sandbox.account import Account  # noqa: PLC0415
        from connectors.amocrm.sandbox.app import build_app  # noqa: PLC0415
        from connectors.amocrm.sandbox.switches import switches_of  # noqa: PLC0415

        return build_app(Account(switches_of(plan.switches), plan.clock))

    def settings(self, base_url: str) -> dict[str, Any]:
        """The connector's options that reach the account: its address and a long-lived token."""
        address = base_url.rstrip("/")
        domain = httpx.URL(address).netloc.decode()
        made = token(INTEGRATION_USER, 0, LONG_LIVED_UNTIL, domain, id="sandbox-long-lived")
        return {"address": address, "token": made}


sandbox = AmocrmSandbox()
