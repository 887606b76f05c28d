"""The state database: what we read, decided, sent and were told. The only place with SQL of ours."""

from kreslo.journal.bridge import BridgeJournal
from kreslo.journal.locks import BridgeLock
from kreslo.journal.store import Journal

__all__ = ["BridgeJournal", "BridgeLock", "Journal"]
