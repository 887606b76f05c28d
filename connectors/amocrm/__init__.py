"""amoCRM: the CRM of a clinic, reached by its API v4 with a long-lived token. See README.md beside this file."""

from connectors.amocrm.options import AmocrmOptions, privacy_note
from connectors.amocrm.sandbox import sandbox
from connectors.amocrm.target import AmocrmTarget
from kreslo.connectors.contract import TargetConnector

connector = TargetConnector(
    name="amocrm",
    title="amoCRM",
    options=AmocrmOptions,
    build=AmocrmTarget,
    privacy_note=privacy_note,
    sandbox=sandbox,
)

__all__ = ["AmocrmOptions", "AmocrmTarget", "connector"]
