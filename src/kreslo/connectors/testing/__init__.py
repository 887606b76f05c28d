"""The contract suites: what every connector must hold, run against its own sandbox.

A connector's test module subclasses a suite and names its connector; pytest collects the suite's tests there.
"""

from kreslo.connectors.testing.clock import HandClock
from kreslo.connectors.testing.rig import TargetRig, open_rig
from kreslo.connectors.testing.target import TargetContract

__all__ = ["HandClock", "TargetContract", "TargetRig", "open_rig"]
