"""The simulation: a clinic, a CRM, a clock and a network in one process, one seed a world.

`world` puts the parts together and lets time pass, `life` makes things happen, `oracle` says what must come of them
and `checks` compares. `run` is the command: `make simulate SEEDS=200`, `make simulate SEED=17`.
"""
