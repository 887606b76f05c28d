"""What a bridge says of itself, for `/status`, the page and the demo."""

from datetime import datetime

import msgspec


class LastError(msgspec.Struct, frozen=True, kw_only=True):
    """The last thing that went wrong; `message` says what to do. `over`: it has not come again since."""

    at: datetime
    kind: str
    message: str
    where: str
    over: bool = False


class DriftCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What the last comparison found: cards compared, and of them those that differ, by kind (see `sync.drift`). `healed`:
    what was marked to be mended. `stopped`: why it was not, "" where nothing stood against it.
    """

    at: datetime
    cards: int
    by_kind: dict[str, int]
    healed: int = 0
    stopped: str = ""


class BridgeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`live`: the loops turn. `ready`: source and target were reached and the first read is complete. `lag_seconds`:
    age of the oldest change that has no confirmed card yet, 0 when all is told. `settled`: nothing waits, nothing is
    in flight. `compared_at`: the last nightly
    comparison; `vanished`, `healed`: deletions, and what was missed and made good, since the start; `drift`: what it found.
    `done`, `waiting`: cases decided since the start, cases still to decide. `notices`: what a person should know though
    the bridge goes on, in the words of the source (a file that is late) and of the target (a token that is about to end).
    `doing`: what a long reading is at, such as a file and its rows.
    """

    name: str
    source: str
    target: str
    live: bool = False
    ready: bool = False
    paused: str = ""
    last_read_at: datetime | None = None
    next_read_at: datetime | None = None
    lag_seconds: float = 0.0
    read: int = 0
    waiting: int = 0
    done: int = 0
    sending: int = 0
    unknown: int = 0
    parked: int = 0
    review: int = 0
    confirmed: int = 0
    settled: bool = False
    compared_at: datetime | None = None
    vanished: int = 0
    healed: int = 0
    drift: DriftCounts | None = None
    cards: dict[str, int] = {}
    by_stage: dict[str, int] = {}
    last_error: LastError | None = None
    notices: list[str] = []
    doing: str = ""
