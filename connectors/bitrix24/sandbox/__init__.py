"""A Bitrix24 portal behind its real REST protocol, in memory: for the demo, tests and rehearsals."""

from typing import Any

from starlette.types import ASGIApp

from connectors.bitrix24.sandbox.oauth import TECHNICAL_USER, WEBHOOK_CODE
from kreslo.connectors.sandboxes import SandboxPlan


class Bitrix24Sandbox:
    """A TargetSandbox. Each `build` is a portal of its own."""

    def build(self, plan: SandboxPlan) -> ASGIApp:
        """The portal as an ASGI app. Raises ConfigurationError on a switch that it does not know."""
        # Imported here: who runs a real portal does not wait for this one to be loaded.
        from connectors.bitrix24.sandbox.app import build_app  # noqa: PLC0415
        from connectors.bitrix24.sandbox.portal import Portal  # noqa: PLC0415
        from connectors.bitrix24.sandbox.switches import switches_of  # noqa: PLC0415

        return build_app(Portal(switches_of(plan.switches), plan.clock))

    def settings(self, base_url: str) -> dict[str, Any]:
        """The connector's options that reach the portal: its incoming webhook."""
        return {"webhook": f"{base_url.rstrip('/')}/rest/{TECHNICAL_USER}/{WEBHOOK_CODE}/"}


sandbox = Bitrix24Sandbox()
