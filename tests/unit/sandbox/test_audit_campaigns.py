"""The audit finds a campaign card that should not be there, and one that should."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from kreslo.connectors.model import Entity
from kreslo.connectors.sandboxes import Census, ChainCensus, EntryCensus
from kreslo.mapping.model import Occasion, Phase
from kreslo.sandbox.audit import Audit, audit
from kreslo.sandbox.crm import SeenCard
from kreslo.sandbox.findings import CampaignRules, Moment, Rules

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def campaign(on: Occasion, **changes: Any) -> CampaignRules:
    messages = frozenset({"Отправить опрос"})
    plan = CampaignRules(name="nps", on=on, after=3 * HOUR, late=DAY, messages=messages, certain=True)
    return msgspec.structs.replace(plan, **changes)


def chain(id_: str, patient: str, ended: timedelta, **more: Any) -> ChainCensus:
    given = {"state": "completed", "ended_at": NOW - ended} | more
    return ChainCensus(ids=("0", id_), patient_id=patient, starts_at=NOW - ended - HOUR, **given)


CHAINS = (
    chain("1", "10", 4 * HOUR),
    chain("2", "11", 2 * HOUR),  # not due yet
    chain("3", "12", 30 * DAY),  # long past
    chain("4", "13", 5 * HOUR, refused=True),
    chain("5", "14", 5 * HOUR, state="cancelled", ended_at=None),
    chain("6", "15", 5 * HOUR),  # a person is asked who it is: the patient has no contact
)
ENTRIES = (
    EntryCensus(campaign="nps", patient_id="10", at=NOW - 4 * HOUR),
    EntryCensus(campaign="nps", patient_id="11", at=NOW - HOUR),
    EntryCensus(campaign="nps", patient_id="13", at=NOW - 4 * HOUR, refused=True),
    EntryCensus(campaign="checkup", patient_id="12", at=NOW - 4 * HOUR),
)
CENSUS = Census(
    patients=6,
    appointments=12,
    enquiries=(),
    chains=CHAINS,
    last_seen=(*CHAINS[:4], chain("7", "14", 150 * DAY)),
    entries=ENTRIES,
)
CONTACTS = [
    SeenCard(entity=Entity.CONTACT, id=f"{number}0", key=f"ident/patient/{number}")
    for number in range(10, 15)
]


def card(id_: str, patient: str, **more: Any) -> SeenCard:
    given: dict[str, Any] = {"key": f"ident/nps/{id_}", "contacts": (f"{patient}0",)}
    return SeenCard(
        entity=Entity.DEAL, id=f"9{id_}", stage="Отправить опрос", funnel="NPS", **{**given, **more}
    )


def held(rules: CampaignRules, *cards: SeenCard) -> Audit:
    visits = [
        SeenCard(
            entity=Entity.DEAL,
            id=each.ids[-1],
            key=f"ident/appointment/{each.ids[-1]}",
            stage="Отменён" if each.state == "cancelled" else "Состоялся",
            contacts=(f"{each.patient_id}0",) if each.patient_id != "15" else (),
        )
        for each in CHAINS
    ]
    said = Rules(
        source_id="ident",
        zone=ZoneInfo("Europe/Moscow"),
        stages={Phase.UPCOMING: "Записан", Phase.COMPLETED: "Состоялся", Phase.CANCELLED: "Отменён"},
        cancelled_unseen=True,
        campaigns=(rules,),
    )
    moment = Moment(NOW, CENSUS)
    return audit([*CONTACTS, *visits, *cards], said, before=moment, after=moment)


def broken(rules: CampaignRules, *cards: SeenCard) -> list[tuple[str, str]]:
    return [(each.rule, each.about.removeprefix("ident/")) for each in held(rules, *cards).violations]


def test_campaign_cards_that_are_right_break_nothing_and_are_counted_apart() -> None:
    found = held(campaign(Occasion.COMPLETED), card("1", "10"))
    assert found.violations == ()
    assert found.campaigns == {"nps": 1}
    assert found.cards == len(CHAINS)
    assert found.by_stage == {"Состоялся": 5, "Отменён": 1}
    assert found.by_funnel == {"NPS": 1}


RIGHT = card("1", "10")


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        ((), [("missing", "nps/1")]),
        ((RIGHT, card("99", "10")), [("unasked", "nps/99")]),
        ((RIGHT, card("5", "14")), [("unasked", "nps/5")]),
        ((RIGHT, card("2", "11")), [("wrong time", "nps/2")]),
        ((RIGHT, card("3", "12")), [("wrong time", "nps/3")]),
        ((RIGHT, card("4", "13")), [("refused", "nps/4")]),
        ((card("1", "10", contacts=("110",)),), [("wrong patient", "nps/1")]),
        ((RIGHT, RIGHT), [("doubled key", "deal ident/nps/1")]),
    ],
)
def test_each_way_to_be_wrong_is_found(cards: tuple[SeenCard, ...], expected: list[tuple[str, str]]) -> None:
    assert broken(campaign(Occasion.COMPLETED), *cards) == expected


def test_what_a_condition_decides_is_not_called_missing() -> None:
    assert broken(campaign(Occasion.COMPLETED, certain=False)) == []


def test_last_visits_are_looked_for_outside_the_horizon_too() -> None:
    rules = campaign(Occasion.LAST_VISIT, after=140 * DAY, late=30 * DAY)
    assert broken(rules, card("7", "14")) == []
    assert broken(rules) == [("missing", "nps/7")]
    assert broken(rules, card("7", "14"), card("1", "10")) == [("wrong time", "nps/1")]


def test_rows_of_a_list_are_counted_by_patient() -> None:
    rules = campaign(Occasion.ENTRY)
    assert broken(rules, card("x", "10")) == []
    assert broken(rules) == [("missing", "nps of contact 100")]
    assert broken(rules, card("x", "10"), card("y", "11")) == [("unasked", "nps/y")]
    assert broken(rules, card("x", "10"), card("z", "13")) == [("refused", "nps/z")]
    assert broken(rules, card("x", "10"), card("w", "12")) == [("unasked", "nps/w")]
