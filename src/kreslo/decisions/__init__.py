"""What the CRM should hold: pure functions from a case and its facts to a decision. No I/O, no clock, no chance."""

from kreslo.decisions.decide import decide

__all__ = ["decide"]
