"""The state database of one installation."""

from pathlib import Path
from typing import Self

from sqlalchemy import URL, Engine, select

from kreslo.connectors.errors import ConfigurationError
from kreslo.journal import schema as t
from kreslo.journal.bridge import BridgeJournal
from kreslo.journal.crypto import KEY_VARIABLE, Box, key_from_environment, make_key_file, read_key_file
from kreslo.journal.database import connect, explained, file_of, parse, upgrade
from kreslo.journal.locks import BridgeLock, lock_bridge

_CHECK = "key check"
_PROOF = b"kreslo"


class Journal:
    """Open it once a process, close it at the end (it is a context manager too)."""

    def __init__(self, engine: Engine, url: URL, box: Box) -> None:
        self._engine = engine
        self._url = url
        self._box = box

    @classmethod
    def open(cls, url: str, *, key: bytes | None = None, migrate: bool = True) -> Self:
        """`sqlite:///path` or `postgresql://…`. The key: `key`, else KRESLO_KEY, else the key file `<path>.key` beside a
        SQLite file, made on first use. Raises ConfigurationError (a directory that cannot be written, a wrong or
        missing key, a schema newer than we know) and OutageError (locked, or not there).
        """
        parsed = parse(url)
        path = file_of(parsed)
        fresh = path is None or not path.exists()
        if path is not None and fresh:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ConfigurationError(
                    f"the journal's directory {path.parent} cannot be made: {error}"
                ) from error
        engine = connect(parsed)
        try:
            upgrade(engine, parsed, migrate=migrate)
            with explained(parsed), engine.connect() as conn:
                query = select(t.meta.c.value).where(t.meta.c.name == _CHECK)
                proof = conn.execute(query).scalar_one_or_none()
            box = Box(key or key_from_environment() or _key_beside(path, proof))
            if proof is not None:
                box.open(proof, _CHECK.encode())
            else:
                with explained(parsed), engine.begin() as conn:
                    sealed = box.seal(_PROOF, _CHECK.encode())
                    conn.execute(t.meta.insert().values(name=_CHECK, value=sealed))
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, parsed, box)

    def bridge(self, name: str, source_id: str) -> BridgeJournal:
        """The journal of one bridge, made on first use. Raises ConfigurationError where it has cards under another
        source id, since their keys in the CRM would not be found again.
        """
        with explained(self._url), self._engine.begin() as conn:
            row = conn.execute(select(t.bridges).where(t.bridges.c.name == name)).one_or_none()
            if row is None:
                insert = t.bridges.insert().values(name=name, source_id=source_id).returning(t.bridges.c.id)
                number = conn.execute(insert).scalar_one()
            else:
                number = row.id
                if row.source_id != source_id:
                    cards = select(t.cards.c.key).where(t.cards.c.bridge == number)
                    if conn.execute(cards).first() is not None:
                        raise ConfigurationError(
                            f'bridge "{name}" has cards under the source id "{row.source_id}", and its mapping now says '
                            f'"{source_id}": set it back, the keys in the CRM were made with it'
                        )
                    conn.execute(
                        t.bridges.update().where(t.bridges.c.id == number).values(source_id=source_id)
                    )
        return BridgeJournal(self._engine, self._url, self._box, number, source_id)

    def bridges(self) -> list[tuple[str, str]]:
        """Name and source id of each bridge."""
        with explained(self._url), self._engine.connect() as conn:
            query = select(t.bridges.c.name, t.bridges.c.source_id).order_by(t.bridges.c.name)
            return [(row.name, row.source_id) for row in conn.execute(query)]

    def lock(self, bridge: str, owner: str) -> BridgeLock:
        """Own the bridge until the lock is released or the process ends. `owner`: what this process is ("serve").
        Raises ConfigurationError, naming the process that has it.
        """
        return lock_bridge(self._engine, self._url, bridge, owner)

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _key_beside(path: Path | None, proof: bytes | None) -> bytes:
    if path is None:
        raise ConfigurationError(
            f"this journal needs its key in the environment variable {KEY_VARIABLE}: 32 bytes in base64"
        )
    file = path.with_name(path.name + ".key")
    found = read_key_file(file)
    if found is not None:
        return found
    if proof is not None:
        raise ConfigurationError(
            f"the key file {file} is missing and the journal cannot be read without it: put it back from a copy, or give "
            f"the key in {KEY_VARIABLE}"
        )
    return make_key_file(file)
