"""Alembic's migrations of the state database; part of the package, so that an installed wheel has them."""

HEAD = "0002"
"""The last step in `versions/`: what a journal must have. Told here too, so that a start need not ask alembic."""
