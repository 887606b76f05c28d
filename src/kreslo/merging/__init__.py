"""From what should be, what we wrote last and what is there now, to the changes to send. Pure."""

from kreslo.merging.merge import merge

__all__ = ["merge"]
