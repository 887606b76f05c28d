"""1C:Helix, a dental clinic's program on 1C, as a source: the files that it writes to a folder by schedule."""

from connectors.helix.guess import propose
from connectors.helix.options import HelixOptions
from connectors.helix.sandbox import sandbox
from connectors.helix.source import HelixSource
from kreslo.connectors.contract import SourceConnector

connector = SourceConnector(
    name="helix",
    title="1C:Helix",
    options=HelixOptions,
    build=HelixSource,
    lists=lambda options: frozenset(each.campaign for each in options.profiles.values() if each.campaign),
    sample=propose,
    sandbox=sandbox,
)

__all__ = ["HelixOptions", "HelixSource", "connector"]
