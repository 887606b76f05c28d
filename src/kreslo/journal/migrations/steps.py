"""The steps from one schema to the next, taken by alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from kreslo.connectors.errors import ConfigurationError


def take_steps(connection: Connection, where: object, *, migrate: bool) -> None:
    """All that are missing, in the transaction of `connection`; with `migrate` False none, it must be up to date.
    `where`: the database, for messages. Raises ConfigurationError for a schema newer than we know, and for an older one
    that may not be migrated.
    """
    config = config_of()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    present = MigrationContext.configure(connection).get_current_heads()
    if unknown := set(present) - known:
        raise ConfigurationError(
            f"the journal {where} was made by a newer Kreslo (schema {', '.join(sorted(unknown))}): "
            "install that version again; a journal is never taken back to an older one"
        )
    if not migrate:
        raise ConfigurationError(
            f"the journal {where} has an older schema: start Kreslo once so that it is migrated"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def config_of() -> Config:
    """Alembic's settings: where the steps are."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config
