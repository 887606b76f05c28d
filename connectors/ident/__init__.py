"""iDent, a dental clinic's MIS on Microsoft SQL Server, as a source. Read through SQL, never written to."""

from connectors.ident.options import IdentOptions
from connectors.ident.sandbox import sandbox
from connectors.ident.source import IdentSource
from kreslo.connectors.contract import SourceConnector
from kreslo.records import RECALL

connector = SourceConnector(
    name="ident",
    title="iDent",
    options=IdentOptions,
    build=IdentSource,
    lists=lambda _: frozenset({RECALL}),
    sandbox=sandbox,
)

__all__ = ["IdentOptions", "IdentSource", "connector"]
