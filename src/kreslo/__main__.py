"""`python -m kreslo`: the same as the command `kreslo`."""

from kreslo.cli import main

main()
