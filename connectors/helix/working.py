"""The state as the rows of one transaction see it: what they ask for is fetched for all of them at once, what they change
goes out together at the end. A statement a row was most of an import's time.
"""

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from connectors.helix.store import FileRow, Store
from kreslo.records import Record, RecordKind, RecordRef, ref_of
from kreslo.records.codec import encode


class _Kept(msgspec.Struct):
    """A record as the state has it or will have it; `record` is None for one that is gone."""

    record: Record | None
    digest: bytes
    file: int


class Working:
    """Lives as long as one transaction. `file`: the file whose rows are taken."""

    def __init__(self, store: Store, file: int) -> None:
        self._store = store
        self._file = file
        self._names: dict[tuple[RecordKind, str], list[str]] = {}
        self._called: dict[tuple[RecordKind, str, str], None] = {}
        self._kept: dict[RecordRef, _Kept | None] = {}
        self._changed: dict[RecordRef, bytes] = {}
        self._same: set[RecordRef] = set()
        self._files: dict[int, FileRow | None] = {}

    def expect(self, kind: RecordKind, keys: Iterable[str], ids: Iterable[str] = ()) -> None:
        """These keys and ids will be asked for: fetches them, and the records that the keys lead to."""
        asked = [key for key in dict.fromkeys(keys) if (kind, key) not in self._names]
        for key in asked:
            self._names[kind, key] = []
        for key, id_ in self._store.aliases(kind, asked):
            self._names[kind, key].append(id_)
        led = (id_ for key in asked for id_ in self._names[kind, key])
        self._fetch([RecordRef(kind, id_) for id_ in (*led, *ids)])

    def known_as(self, kind: RecordKind, keys: Sequence[str]) -> list[str]:
        """Ids of the records known by any of these keys, in order, each once."""
        if any((kind, key) not in self._names for key in keys):
            self.expect(kind, keys)
        return list(dict.fromkeys(id_ for key in keys for id_ in self._names[kind, key]))

    def call(self, kind: RecordKind, id_: str, keys: Iterable[str]) -> None:
        """From now on the record is known by these keys, too."""
        for key in keys:
            names = self._names.get((kind, key))
            if names is not None:
                if id_ in names:
                    continue
                names.append(id_)
                names.sort()  # as the state gives them
            self._called[kind, key, id_] = None

    def get(self, ref: RecordRef) -> Record | None:
        kept = self._look(ref)
        return None if kept is None else kept.record

    def given_by(self, ref: RecordRef) -> FileRow | None:
        """The file that gave the record last."""
        kept = self._look(ref)
        if kept is None:
            return None
        if kept.file not in self._files:
            self._files[kept.file] = self._store.file(kept.file)
        return self._files[kept.file]

    def put(self, record: Record) -> None:
        ref, body = ref_of(record), encode(record)
        digest = hashlib.blake2b(body, digest_size=16).digest()
        kept = self._look(ref)
        if kept is not None and kept.record is not None and kept.digest == digest:
            kept.file = self._file
            self._same.add(ref)
            return
        self._kept[ref] = _Kept(record, digest, self._file)
        self._changed[ref] = body

    def flush(self) -> None:
        """Writes what was changed. Nothing may be asked afterwards."""
        self._store.call_all(self._called)
        self._store.given_again([ref for ref in self._same if ref not in self._changed], self._file)
        changed = [(self._kept[ref], body) for ref, body in self._changed.items()]
        self._store.put_all(
            [(kept.record, kept.digest, body) for kept, body in changed if kept and kept.record], self._file
        )

    def _look(self, ref: RecordRef) -> _Kept | None:
        if ref not in self._kept:
            self._fetch([ref])
        return self._kept[ref]

    def _fetch(self, refs: Sequence[RecordRef]) -> None:
        asked = [ref for ref in dict.fromkeys(refs) if ref not in self._kept]
        for ref in asked:
            self._kept[ref] = None
        for ref, record, digest, file in self._store.kept(asked):
            self._kept[ref] = _Kept(record, digest, file)
