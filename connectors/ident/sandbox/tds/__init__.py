"""A stand-in of the clinic's SQL Server: the demo clinic's file behind TDS 7.4, for real drivers."""

from connectors.ident.sandbox.tds.faults import ServerError, known
from connectors.ident.sandbox.tds.ledger import Ledger, Said, Switches
from connectors.ident.sandbox.tds.server import StandIn
from connectors.ident.sandbox.tds.statements import Kind

__all__ = ["Kind", "Ledger", "Said", "ServerError", "StandIn", "Switches", "known"]
