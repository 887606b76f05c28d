"""What the audit compares and finds: the mapping's rules, the clinic as it was counted, violations."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from kreslo.connectors.sandboxes import Census
from kreslo.mapping.model import Occasion, Phase


class CampaignRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the mapping says of one campaign. `messages`: names of its message stages. `certain`: nothing but its occasion decides
    who gets a card and when, so a card that is not there is missing.
    """

    name: str
    on: Occasion
    after: timedelta
    late: timedelta
    messages: frozenset[str]
    certain: bool

    @property
    def speaks(self) -> bool:
        return bool(self.messages)


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What the mapping says of cards. `stages`: stage name a phase; `at`: the local time from which tomorrow and today
    count; `messages`: names of message stages; `silent`: where a card waits that would stand on one of them and may not.
    """

    source_id: str
    zone: ZoneInfo
    stages: dict[Phase, str]
    at: dict[Phase, time] = {}
    messages: frozenset[str] = frozenset()
    silent: str = ""
    cancelled_unseen: bool = False
    enquiries: bool = True
    campaigns: tuple[CampaignRules, ...] = ()


class Moment(msgspec.Struct, frozen=True):
    """The clinic as it was counted at `now`."""

    now: datetime
    census: Census


class Violation(msgspec.Struct, frozen=True, order=True):
    """`rule`: missing, doubled, unasked, wrong stage, wrong patient, no enquiry, doubled enquiry, doubled key, wrong time, refused."""

    rule: str
    about: str
    found: str = ""
    expected: str = ""
