"""A mapping's source and target, opened for one command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kreslo.connectors.contract import Seams, Source, Target
from kreslo.connectors.seams import SystemClock, system_chance
from kreslo.mapping.load import MappingFile
from kreslo.sync.opening import build_source, build_target


def system_seams() -> Seams:
    """Real time, real chance, the network."""
    return Seams(clock=SystemClock(), chance=system_chance())


@asynccontextmanager
async def opened_source(mapping: MappingFile) -> AsyncIterator[Source]:
    """Raises ConfigurationError on options that the connector does not take."""
    source = build_source(mapping, system_seams())
    try:
        yield source
    finally:
        await source.close()


@asynccontextmanager
async def opened_target(mapping: MappingFile) -> AsyncIterator[Target]:
    """Raises ConfigurationError on options that the connector does not take."""
    target = build_target(mapping, system_seams())
    try:
        yield target
    finally:
        await target.close()
