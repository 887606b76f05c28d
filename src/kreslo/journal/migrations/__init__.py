"""Alembic's migrations of the state database; part of the package, so that an installed wheel has them."""
