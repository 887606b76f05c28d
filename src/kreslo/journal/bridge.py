"""A bridge's journal, put together from its rooms."""

from kreslo.journal.casework import Casework
from kreslo.journal.comparing import Comparing
from kreslo.journal.erasing import Erasing
from kreslo.journal.gauges import Gauges
from kreslo.journal.intake import Intake
from kreslo.journal.loading import Loading
from kreslo.journal.observing import Observing
from kreslo.journal.people import People
from kreslo.journal.planning import Planning
from kreslo.journal.tickets import Tickets


class BridgeJournal(
    Intake, Observing, Casework, Loading, Planning, People, Comparing, Erasing, Gauges, Tickets
):
    """All that one bridge reads from and writes to the state database. Synchronous; called by one thread at a time;
    each method is one transaction.
    """
