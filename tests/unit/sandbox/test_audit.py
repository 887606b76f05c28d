"""The audit finds each way in which a CRM can be wrong, and finds nothing where it is right."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from kreslo.connectors.model import Entity
from kreslo.connectors.sandboxes import Census, ChainCensus
from kreslo.mapping.model import Phase
from kreslo.sandbox.audit import Audit, audit
from kreslo.sandbox.crm import SeenCard
from kreslo.sandbox.findings import Moment, Rules

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)  # 13:00 in Moscow
RULES = Rules(
    source_id="ident",
    zone=ZoneInfo("Europe/Moscow"),
    stages={
        Phase.UPCOMING: "Записан",
        Phase.TOMORROW: "Завтра",
        Phase.COMPLETED: "Состоялся",
        Phase.CANCELLED: "Отменён",
        Phase.RESCHEDULED: "Перенесён",
    },
    at={Phase.TOMORROW: time(14)},
    messages=frozenset({"Завтра"}),
    silent="Записан",
    cancelled_unseen=True,
)
CHAINS = (
    ChainCensus(ids=("1",), patient_id="10", starts_at=NOW + timedelta(days=9), state="upcoming"),
    ChainCensus(ids=("2", "3"), patient_id="11", starts_at=NOW - timedelta(days=1), state="completed"),
    ChainCensus(ids=("4",), patient_id="12", starts_at=NOW + timedelta(days=2), state="cancelled"),
    ChainCensus(ids=("5",), patient_id="12", starts_at=NOW - timedelta(days=2), state="rescheduled"),
    ChainCensus(ids=("6",), patient_id="13", starts_at=NOW - timedelta(days=3), state="no_show"),
)
CENSUS = Census(patients=4, appointments=6, enquiries=("+79001112233", "+79001112244"), chains=CHAINS)
PATIENTS = {"10": "100", "11": "110", "12": "120", "13": "130"}


def contact(patient: str) -> SeenCard:
    return SeenCard(entity=Entity.CONTACT, id=PATIENTS[patient], key=f"ident/patient/{patient}")


def deal(number: int, member: str, patient: str, stage: str, **more: Any) -> SeenCard:
    contacts = (PATIENTS[patient],) if patient else ()
    return SeenCard(
        entity=Entity.DEAL,
        id=str(number),
        key=f"ident/appointment/{member}",
        stage=stage,
        contacts=contacts,
        **more,
    )


def lead(number: int, phone: str, key: str = "", stage: str = "Новый", **more: Any) -> SeenCard:
    return SeenCard(entity=Entity.LEAD, id=str(number), key=key, stage=stage, phones=(phone,), **more)


RIGHT: tuple[SeenCard, ...] = (
    *(contact(patient) for patient in PATIENTS),
    deal(1, "1", "10", "Записан", lead="7"),
    deal(2, "2", "11", "Состоялся"),  # made for the first of its chain: the key stays
    deal(3, "4", "12", "Отменён"),
    deal(4, "5", "12", "Перенесён"),
    deal(5, "6", "13", "Записан"),  # no_show has no stage of its own
    lead(6, "+79001112233", "ident/enquiry/1"),
    lead(7, "+79001112244"),  # the CRM's own open lead stands for the enquiry
    SeenCard(entity=Entity.DEAL, id="98", stage="Чужая"),  # somebody made it by hand
)


def held(
    cards: Sequence[SeenCard], rules: Rules = RULES, census: Census = CENSUS, now: datetime = NOW
) -> Audit:
    return audit(cards, rules, before=Moment(NOW, CENSUS), after=Moment(now, census))


def rules_broken(cards: Sequence[SeenCard], **more: Any) -> list[tuple[str, str]]:
    return [(violation.rule, violation.about) for violation in held(cards, **more).violations]


def changed(number: str, **fields: Any) -> list[SeenCard]:
    assert any(card.id == number for card in RIGHT)
    return [msgspec.structs.replace(card, **fields) if card.id == number else card for card in RIGHT]


def test_a_crm_that_is_right_breaks_nothing_and_is_counted() -> None:
    found = held(RIGHT)
    assert found.violations == ()
    assert (found.patients, found.appointments, found.enquiries, found.chains) == (4, 6, 2, 5)
    assert (found.contacts, found.cards, found.enquiry_cards, found.claimed, found.alone) == (4, 5, 1, 1, 0)
    assert found.by_stage == {"Записан": 2, "Состоялся": 1, "Отменён": 1, "Перенесён": 1, "Новый": 1}


@pytest.mark.parametrize("number", ["1", "2", "3", "4", "5"])
def test_a_missing_card_is_found(number: str) -> None:
    broken = rules_broken([card for card in RIGHT if card.id != number or card.entity is not Entity.DEAL])
    assert [rule for rule, _ in broken] == ["missing"]


def test_a_second_card_of_a_chain_is_found_even_under_another_member_s_key() -> None:
    assert rules_broken([*RIGHT, deal(50, "3", "11", "Состоялся")]) == [("doubled", "ident/appointment/3")]


def test_a_key_that_stands_twice_is_found() -> None:
    assert ("doubled key", "contact ident/patient/10") in rules_broken([*RIGHT, contact("10")])


@pytest.mark.parametrize(
    ("number", "stage"),
    [("1", "Завтра"), ("2", "Записан"), ("3", "Записан"), ("4", "Отменён"), ("5", "Отменён")],
)
def test_a_wrong_stage_is_found(number: str, stage: str) -> None:
    assert [rule for rule, _ in rules_broken(changed(number, stage=stage))] == ["wrong stage"]


def test_a_card_with_somebody_else_s_contact_is_found() -> None:
    assert [rule for rule, _ in rules_broken(changed("1", contacts=("110",)))] == ["wrong patient"]


def test_a_second_contact_on_a_card_is_right_where_the_patient_is_among_them() -> None:
    assert rules_broken(changed("1", contacts=("110", "100"))) == []


def test_a_card_without_a_contact_is_counted() -> None:
    assert held(changed("1", contacts=())).alone == 1


def test_a_card_of_a_visit_outside_the_horizon_is_found() -> None:
    assert rules_broken([*RIGHT, deal(50, "777", "10", "Записан")]) == [("unasked", "ident/appointment/777")]


def test_an_enquiry_without_a_card_is_found_and_its_phone_is_masked() -> None:
    assert rules_broken(changed("6", phones=())) == [("no enquiry", "+7900***33")]


def test_a_closed_lead_does_not_stand_for_an_enquiry() -> None:
    assert rules_broken(changed("7", closed=True)) == [("no enquiry", "+7900***44")]


def test_two_cards_of_one_enquiry_phone_are_found() -> None:
    cards = [*RIGHT, lead(60, "+79001112233", "ident/enquiry/2")]
    assert rules_broken(cards) == [("doubled enquiry", "+7900***33")]


def test_who_asks_again_after_the_answer_has_a_second_card() -> None:
    cards = [*changed("6", closed=True), lead(60, "+79001112233", "ident/enquiry/2")]
    assert rules_broken(cards) == []


def test_a_cancelled_visit_needs_no_card_unless_the_mapping_asks() -> None:
    rules = msgspec.structs.replace(RULES, cancelled_unseen=False)
    without = [card for card in RIGHT if card.id not in {"3", "4"}]
    assert rules_broken(without, rules=rules) == []
    assert [rule for rule, _ in rules_broken(without)] == ["missing", "missing"]


def test_the_clock_may_move_a_visit_while_the_import_runs() -> None:
    tomorrow = ChainCensus(ids=("1",), patient_id="10", starts_at=NOW + timedelta(days=1), state="upcoming")
    census = msgspec.structs.replace(CENSUS, chains=(tomorrow, *CHAINS[1:]))
    later = NOW + timedelta(hours=2)  # 15:00 in Moscow: past the mapping's 14:00

    def stages(after: datetime) -> list[str]:
        moments = {"before": Moment(NOW, census), "after": Moment(after, census)}
        return [
            stage
            for stage in ("Записан", "Завтра", "Отменён")
            if not audit(changed("1", stage=stage), RULES, **moments).violations
        ]

    assert stages(NOW) == ["Записан"]
    assert stages(later) == ["Записан", "Завтра"]


def tomorrow(*, refused: bool = False) -> Moment:
    """The first chain on the day before, after the mapping's 14:00."""
    chain = ChainCensus(
        ids=("1",), patient_id="10", starts_at=NOW + timedelta(hours=20), state="upcoming", refused=refused
    )
    return Moment(NOW + timedelta(hours=2), msgspec.structs.replace(CENSUS, chains=(chain, *CHAINS[1:])))


def right_stages(at: Moment, **card: Any) -> list[str]:
    return [
        stage
        for stage in ("Записан", "Завтра")
        if not audit(changed("1", stage=stage, **card), RULES, before=at, after=at).violations
    ]


def test_a_known_patient_s_visit_is_held_to_its_message_stage() -> None:
    assert right_stages(tomorrow()) == ["Завтра"]


def test_a_visit_of_nobody_in_particular_is_held_off_message_stages() -> None:
    assert right_stages(tomorrow(), contacts=()) == ["Записан"]


def test_a_patient_who_refused_messages_is_held_off_message_stages() -> None:
    assert right_stages(tomorrow(refused=True)) == ["Записан"]


def test_a_message_of_a_visit_that_has_begun_may_be_left_out() -> None:
    begun = Moment(NOW + timedelta(hours=21), tomorrow().census)
    assert right_stages(begun) == ["Записан", "Завтра"]


def test_where_every_awaiting_stage_speaks_who_refused_and_booked_again_stays_at_the_last_end() -> None:
    rules = msgspec.structs.replace(RULES, messages=frozenset({"Записан", "Завтра"}), silent="Записан")
    once = tomorrow(refused=True)
    again = msgspec.structs.replace(once.census.chains[0], ids=("0", "1"))
    twice = Moment(once.now, msgspec.structs.replace(once.census, chains=(again, *CHAINS[1:])))
    ended = changed("1", stage=RULES.stages[Phase.CANCELLED])
    assert audit(ended, rules, before=twice, after=twice).violations == ()
    assert [each.rule for each in audit(ended, rules, before=once, after=once).violations] == ["wrong stage"]
