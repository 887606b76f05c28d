"""The running engine: read, decide, deliver, probe, and what the clock wakes."""
