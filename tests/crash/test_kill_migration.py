"""SIGKILL in the middle of a schema migration, at each statement and on both sides of its commit, on a journal with data."""

import contextlib
import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from kreslo.journal import database
from tests.crash.killing import KILLED, settle
from tests.crash.lives import Lives, opened_nursery
from tests.crash.points import Aim
from tests.crash.stage import opened_stage
from tests.crash.test_disk_full import until

pytestmark = pytest.mark.slow

SECONDS = 20.0
MIGRATIONS = Path(database.__file__).with_name("migrations")


async def test_killed_at_each_statement_of_a_migration_the_journal_is_whole_and_goes_on(
    tmp_path: Path,
) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    first, head = scripts.get_base(), scripts.get_current_head()
    assert first
    assert head != first
    async with opened_nursery(tmp_path) as nursery, opened_stage("bitrix24", tmp_path, patients=40) as stage:
        lives = Lives(stage, nursery)
        async with stage.day(speed=900):
            life = await lives.short()
            await until(lives, life, stage, lambda status: status["confirmed"] > 10)
            await life.ended()
            take_back(stage.state, first, config)
            held = rows(stage.state)
            assert held["intents"] > 10

            killed = 0
            for aim in aims():
                life = await lives.short(aim)
                if await life.lasts(SECONDS) or lives.seen()[aim.point] < aim.nth:
                    await life.ended()
                    break  # it has passed the migration: it has fewer statements than that
                assert await life.end == KILLED, lives.story()
                # All of it or nothing.
                assert revision(stage.state) == first
                assert rows(stage.state) == held
                killed += 1
            assert killed > 3
            assert revision(stage.state) == head

            take_back(stage.state, first, config)
            life = await lives.short(Aim("after the commit of upgrade", 1))
            assert not await life.lasts(SECONDS)
            assert await life.end == KILLED, lives.story()
            assert revision(stage.state) == head
        await settle(stage, lives)
        assert await stage.violations() == []


def aims() -> list[Aim]:
    """Before the commit first, then each statement, until there are no more."""
    return [
        Aim("before the commit of upgrade", 1),
        *(Aim("in the middle of upgrade", nth) for nth in range(1, 200)),
    ]


def take_back(state: Path, to: str, config: Config) -> None:
    """The journal as an older Kreslo would have left it: its schema, and the rows as far as that schema had them."""
    older = state.with_name("older.db")
    older.unlink(missing_ok=True)
    engine = database.connect(database.parse(f"sqlite:///{older.as_posix()}"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, to)
    engine.dispose()
    with contextlib.closing(sqlite3.connect(older)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("ATTACH ? AS now", (str(state),))
        for table in tables(connection):
            columns = sorted(names(connection, "main", table) & names(connection, "now", table))
            listed = ", ".join(f'"{column}"' for column in columns)
            if columns and table != "alembic_version":
                copied = f'INSERT INTO main."{table}" ({listed}) SELECT {listed} FROM now."{table}"'  # noqa: S608
                connection.execute(copied)
        connection.commit()
    for suffix in ("-wal", "-shm"):
        state.with_name(state.name + suffix).unlink(missing_ok=True)
    older.replace(state)


def tables(connection: sqlite3.Connection) -> list[str]:
    listed = connection.execute(
        "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    return [name for (name,) in listed]


def names(connection: sqlite3.Connection, schema: str, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f'PRAGMA {schema}.table_info("{table}")')}


def rows(state: Path) -> dict[str, int]:
    """How many rows each table holds."""
    with contextlib.closing(sqlite3.connect(state)) as connection:
        return {
            table: connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]  # noqa: S608
            for table in tables(connection)
        }


def revision(state: Path) -> str:
    with contextlib.closing(sqlite3.connect(state)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])
