"""What alembic runs: the steps, in the transaction that `kreslo.journal.database.upgrade` has opened."""

from alembic import context

from kreslo.journal.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
