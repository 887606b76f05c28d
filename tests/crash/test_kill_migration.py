"""SIGKILL in the middle of a schema migration, at each statement and on both sides of its commit, on a journal with data."""

import contextlib
import sqlite3
import time
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from kreslo.journal import database
from kreslo.journal.migrations.steps import config_of
from tests.crash.killing import KILLED, settle
from tests.crash.lives import Life, Lives, opened_nursery, story
from tests.crash.points import Aim
from tests.crash.stage import opened_stage
from tests.crash.test_disk_full import until

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]

SECONDS = 30.0
DONE = "after the commit of upgrade"


async def test_killed_at_each_statement_of_a_migration_the_journal_is_whole_and_goes_on(
    tmp_path: Path,
) -> None:
    config = config_of()
    scripts = ScriptDirectory.from_config(config)
    first, head = scripts.get_base(), scripts.get_current_head()
    assert first
    assert head != first
    async with opened_nursery(tmp_path) as nursery, opened_stage("bitrix24", tmp_path, patients=40) as stage:
        lives = Lives(stage, nursery)
        async with stage.day(speed=900):
            life = await lives.short()
            await until(life, stage, lambda status: status["confirmed"] > 10)
            await life.ended()
            take_back(stage.state, first, config)
            held = rows(stage.state)
            assert held["intents"] > 10

            killed = 0
            for aim in aims():
                life = await lives.short(aim)
                if not await dies_migrating(life, lives):
                    await life.ended()
                    break  # the migration has fewer statements than that
                assert await life.end == KILLED, story(stage)
                # All of it or nothing.
                assert revision(stage.state) == first
                assert rows(stage.state) == held
                killed += 1
            assert killed > 3
            assert revision(stage.state) == head

            take_back(stage.state, first, config)
            life = await lives.short(Aim(DONE, 1))
            assert not await life.lasts(SECONDS)
            assert await life.end == KILLED, story(stage)
            assert revision(stage.state) == head
        await settle(stage)
        assert await stage.violations() == []


async def dies_migrating(life: Life, lives: Lives) -> bool:
    """False as soon as the migration is behind it."""
    deadline = time.monotonic() + SECONDS
    while await life.lasts(0.05):
        if DONE in lives.seen():
            return False
        assert time.monotonic() < deadline
    return True


def aims() -> list[Aim]:
    """Before the commit first, then each statement, until there are no more."""
    return [
        Aim("before the commit of upgrade", 1),
        *(Aim("in the middle of take_steps", nth) for nth in range(1, 200)),
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
