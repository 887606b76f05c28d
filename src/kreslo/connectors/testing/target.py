# ruff: noqa: S101 - a suite of tests
"""What every target must hold, whichever CRM it writes to.

Subclass it in a test module and set `connector`. Everything runs in process against the connector's sandbox, whose
control plane (`/_control`) plays staff and faults:

    class TestBitrix24(TargetContract):
        connector = connector
"""

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from kreslo.connectors.contract import Target, TargetConnector
from kreslo.connectors.errors import ErrorKind, OutageError, PermissionDeniedError
from kreslo.connectors.model import (
    AddNote,
    AddTask,
    ByContact,
    ById,
    ByKey,
    ByMarker,
    ByPhone,
    CreateCard,
    CreatedSince,
    Entity,
    EventKind,
    FieldType,
    MultiChange,
    Needed,
    NeededField,
    NeededStage,
    OutcomeKind,
    Semantic,
    UpdateCard,
    Value,
)
from kreslo.connectors.testing.clock import DAY
from kreslo.connectors.testing.rig import TargetRig, open_rig

FUNNEL, OTHER_FUNNEL = "Приёмы (проверка)", "Опросы (проверка)"
BOOKED, TOMORROW, REFUSED = "Записан", "Визит завтра", "Отменён"
TITLES = {
    FieldType.TEXT: "Проверка: текст",
    FieldType.NUMBER: "Проверка: число",
    FieldType.MONEY: "Проверка: деньги",
    FieldType.BOOLEAN: "Проверка: флаг",
    FieldType.DATE: "Проверка: дата",
    FieldType.DATETIME: "Проверка: время",
}
NEEDED = Needed(
    fields=tuple(NeededField(Entity.DEAL, title, kind) for kind, title in TITLES.items()),
    stages=(
        NeededStage(Entity.DEAL, FUNNEL, BOOKED),
        NeededStage(Entity.DEAL, FUNNEL, TOMORROW),
        NeededStage(Entity.DEAL, FUNNEL, REFUSED, Semantic.LOST),
        NeededStage(Entity.DEAL, OTHER_FUNNEL, BOOKED),
    ),
)
VALUES: list[tuple[FieldType, Value]] = [
    (FieldType.TEXT, "  Приём «Ёлка» & сыновья <b>100%</b> + 1 \U0001f9b7 \r\nвторая строка\x00 "),
    (FieldType.TEXT, "a=b&c[d]=$result[c0000]"),
    (FieldType.NUMBER, 42),
    (FieldType.NUMBER, 12.5),
    (FieldType.NUMBER, 0),
    (FieldType.MONEY, Decimal("1234.5")),
    (FieldType.MONEY, Decimal("0.10")),
    (FieldType.BOOLEAN, True),
    (FieldType.BOOLEAN, False),
    (FieldType.DATE, date(2001, 11, 11)),
    (FieldType.DATE, date(1930, 1, 1)),
    (FieldType.DATETIME, DAY.replace(microsecond=123456)),
    (FieldType.DATETIME, datetime.fromisoformat("2026-12-31T23:59:59+07:00")),
]
PHONE, OTHER_PHONE = "+79001234567", "+79007654321"


class TargetContract:
    """`switches`: of the sandbox. `name_code`, `surname_code`, `phone_code`: codes of a contact's own fields.
    `enum`: a dictionary or list field of deals with one of its options' titles. `quiet`: whether a card can be made
    without starting robots. `spelling`: another way to write PHONE, under which the CRM's search still finds it.
    """

    connector: ClassVar[TargetConnector]
    switches: ClassVar[dict[str, Any]] = {}
    name_code: ClassVar[str]
    surname_code: ClassVar[str]
    phone_code: ClassVar[str]
    enum: ClassVar[tuple[str, str]]
    quiet: ClassVar[bool] = True
    spelling: ClassVar[str] = "8 (900) 123-45-67"
    haste: ClassVar[str] = "503"

    @pytest.fixture
    async def bare(self) -> AsyncIterator[TargetRig]:
        """A CRM in which nothing of ours has been made."""
        async with open_rig(self.connector, switches=self.switches) as rig:
            self.furnish(rig)
            await rig.refresh()
            yield rig

    @pytest.fixture
    async def rig(self, bare: TargetRig) -> TargetRig:
        """A CRM with key fields, two funnels, and a field of each type."""
        await bare.target.setup(NEEDED, dry_run=False)
        await bare.refresh()
        return bare

    async def contact(self, rig: TargetRig, key: str = "mis/patient/1", phone: str = PHONE) -> str:
        (made,) = await rig.apply(
            CreateCard(
                entity=Entity.CONTACT,
                key=key,
                fields={self.surname_code: "Ёлкина", self.name_code: "Анна", self.phone_code: (phone,)},
            )
        )
        assert made.kind is OutcomeKind.CONFIRMED, made
        return made.target_id

    async def deal(self, rig: TargetRig, key: str = "mis/appointment/1", **rest: Any) -> str:
        action = CreateCard(
            entity=Entity.DEAL, key=key, **{"stage": rig.stage(Entity.DEAL, FUNNEL, BOOKED), **rest}
        )
        (made,) = await rig.apply(action)
        assert made.kind is OutcomeKind.CONFIRMED, made
        return made.target_id

    # --- what the CRM is ----------------------------------------------------------------------------------------

    async def test_a_bare_crm_is_reported_as_not_set_up(self, bare: TargetRig) -> None:
        assert any(problem.fatal for problem in await bare.target.check())

    async def test_a_crm_that_is_set_up_has_no_fatal_problem(self, rig: TargetRig) -> None:
        assert [problem for problem in await rig.target.check() if problem.fatal] == []

    async def test_a_dry_run_of_setup_lists_and_makes_nothing(self, bare: TargetRig) -> None:
        before = bare.catalog
        lines = await bare.target.setup(NEEDED, dry_run=True)
        assert any(FUNNEL in line for line in lines)
        assert await bare.refresh() == before

    async def test_setup_makes_what_it_listed_and_is_then_done(self, bare: TargetRig) -> None:
        listed = await bare.target.setup(NEEDED, dry_run=True)
        made = await bare.target.setup(NEEDED, dry_run=False)
        assert {line for line in listed if "Стадия" not in line} <= set(made)
        assert await bare.target.setup(NEEDED, dry_run=False) == []
        catalog = await bare.refresh()
        assert Entity.CONTACT in catalog.key_fields
        assert Entity.DEAL in catalog.key_fields
        assert {field.title for field in catalog.fields} >= set(TITLES.values())

    async def test_stages_made_by_setup_have_their_meaning_and_order(self, rig: TargetRig) -> None:
        stages = {stage.name: stage for stage in rig.funnel(Entity.DEAL, FUNNEL).stages}
        assert stages[REFUSED].semantic is Semantic.LOST
        assert stages[BOOKED].semantic is Semantic.OPEN
        assert stages[BOOKED].sort < stages[TOMORROW].sort
        won = next(stage for stage in stages.values() if stage.semantic is Semantic.WON)
        assert stages[TOMORROW].sort < won.sort

    async def test_the_catalog_names_users_and_ourselves(self, rig: TargetRig) -> None:
        assert rig.catalog.me in {user.id for user in rig.catalog.users}

    # --- create and read back ---------------------------------------------------------------------------------

    async def test_a_card_is_created_whole_and_read_back(self, rig: TargetRig) -> None:
        contact = await self.contact(rig)
        booked = rig.stage(Entity.DEAL, FUNNEL, BOOKED)
        deal = await self.deal(rig, stage=booked, contacts=(contact,), fields={self.text(rig): "примечание"})
        (card,) = await rig.find(ById(Entity.DEAL, deal))
        assert (card.key, card.stage, card.contacts) == ("mis/appointment/1", booked, (contact,))
        assert card.semantic is Semantic.OPEN
        assert card.fields[self.text(rig)] == "примечание"
        assert card.created_at is not None
        assert abs(card.created_at - rig.clock.now()) < timedelta(minutes=1)
        assert card.modified_by == rig.catalog.me

    async def test_a_contact_is_read_back_with_its_name_and_phone(self, rig: TargetRig) -> None:
        (card,) = await rig.find(ById(Entity.CONTACT, await self.contact(rig)))
        assert set(card.name.split()) == {"Ёлкина", "Анна"}
        assert [phone.e164 for phone in card.phones] == [PHONE]
        assert card.fields[self.phone_code] == (PHONE,)

    @pytest.mark.parametrize(("kind", "value"), VALUES)
    async def test_canonical_is_what_is_read_back(
        self, rig: TargetRig, kind: FieldType, value: Value
    ) -> None:
        code = rig.code(Entity.DEAL, TITLES[kind])
        created = await self.deal(rig, fields={code: value})
        updated = await self.deal(rig, key="mis/appointment/2")
        (outcome,) = await rig.apply(UpdateCard(entity=Entity.DEAL, id=updated, fields={code: value}))
        assert outcome.kind is OutcomeKind.CONFIRMED, outcome
        for deal in (created, updated):
            (card,) = await rig.find(ById(Entity.DEAL, deal))
            assert card.fields[code] == rig.target.canonical(Entity.DEAL, code, value)
            again = rig.target.canonical(Entity.DEAL, code, card.fields[code])
            assert again == card.fields[code], "canonical must leave what it gave as it is"

    @pytest.mark.parametrize(("kind", "value"), [pair for pair in VALUES if pair[1]])
    @pytest.mark.parametrize("empty", [None, ""])
    async def test_a_field_is_cleared(
        self, rig: TargetRig, kind: FieldType, value: Value, empty: Value
    ) -> None:
        code = rig.code(Entity.DEAL, TITLES[kind])
        deal = await self.deal(rig, fields={code: value})
        (outcome,) = await rig.apply(UpdateCard(entity=Entity.DEAL, id=deal, fields={code: empty}))
        assert outcome.kind is OutcomeKind.CONFIRMED, outcome
        (card,) = await rig.find(ById(Entity.DEAL, deal))
        assert card.fields[code] == rig.target.canonical(Entity.DEAL, code, empty)
        assert not card.fields[code]

    async def test_an_option_is_written_and_read_by_its_title(self, rig: TargetRig) -> None:
        code, title = self.enum
        (card,) = await rig.find(ById(Entity.DEAL, await self.deal(rig, fields={code: title})))
        assert card.fields[code] == title == rig.target.canonical(Entity.DEAL, code, title)

    async def test_an_option_that_is_not_there_parks_the_change(self, rig: TargetRig) -> None:
        code, _ = self.enum
        stage = rig.stage(Entity.DEAL, FUNNEL, BOOKED)
        (outcome,) = await rig.apply(
            CreateCard(entity=Entity.DEAL, key="mis/appointment/9", stage=stage, fields={code: "Нет такого"})
        )
        assert (outcome.kind, outcome.error) == (OutcomeKind.PERMANENT, ErrorKind.DATA)
        assert "Нет такого" in outcome.message
        assert await rig.find(ByKey(Entity.DEAL, "mis/appointment/9")) == ()

    async def test_a_field_that_is_not_there_is_never_dropped_in_silence(self, rig: TargetRig) -> None:
        (outcome,) = await rig.apply(
            CreateCard(entity=Entity.DEAL, key="mis/appointment/9", fields={"NO_SUCH": "1"})
        )
        assert outcome.kind in (OutcomeKind.TRANSIENT, OutcomeKind.PERMANENT)
        assert outcome.error is ErrorKind.CONFIGURATION
        assert await rig.find(ByKey(Entity.DEAL, "mis/appointment/9")) == ()

    # --- keys -------------------------------------------------------------------------------------------------------

    async def test_a_card_is_found_by_exactly_its_key(self, rig: TargetRig) -> None:
        one = await self.deal(rig, key="mis/appointment/1")
        await self.deal(rig, key="mis/appointment/10")
        await self.deal(rig, key="mis/appointment/01")
        found = await rig.find(ByKey(Entity.DEAL, "mis/appointment/1"))
        assert [card.id for card in found] == [one]
        assert await rig.find(ByKey(Entity.DEAL, "mis/appointment/2")) == ()
        assert await rig.find(ByKey(Entity.CONTACT, "mis/appointment/1")) == ()

    async def test_many_keys_at_once_are_answered_in_their_order(self, rig: TargetRig) -> None:
        keys = [f"mis/patient/{number}" for number in range(120)]
        outcomes = await rig.apply(
            *(CreateCard(entity=Entity.CONTACT, key=key, fields={self.surname_code: key}) for key in keys)
        )
        assert {one.kind for one in outcomes} == {OutcomeKind.CONFIRMED}
        found = await rig.target.find([ByKey(Entity.CONTACT, key) for key in [*keys, "mis/patient/none"]])
        assert [[card.key for card in one.cards] for one in found] == [[key] for key in keys] + [[]]

    async def test_all_keys_are_listed_by_their_beginning(self, rig: TargetRig) -> None:
        wanted = {}
        for number in range(3):
            wanted[await self.deal(rig, key=f"mis/appointment/{number}")] = f"mis/appointment/{number}"
        doubled = await self.deal(rig, key="mis/appointment/1")
        await self.deal(rig, key="missing/appointment/1")
        await self.contact(rig)
        await rig.staff("create", entity="deal", fields={})
        assert await rig.target.keys(Entity.DEAL, "mis/") == {**wanted, doubled: "mis/appointment/1"}
        assert list((await rig.target.keys(Entity.CONTACT, "mis/")).values()) == ["mis/patient/1"]

    async def test_two_cards_of_one_key_are_both_given(self, rig: TargetRig) -> None:
        ids = [await self.deal(rig), await self.deal(rig)]
        assert [card.id for card in await rig.find(ByKey(Entity.DEAL, "mis/appointment/1"))] == ids

    async def test_a_key_is_written_on_a_card_that_staff_made(self, rig: TargetRig) -> None:
        made = await rig.staff("create", entity="contact", fields={self.surname_code: "Ручная"})
        (outcome,) = await rig.apply(
            UpdateCard(entity=Entity.CONTACT, id=str(made["id"]), key="mis/patient/7")
        )
        assert outcome.kind is OutcomeKind.CONFIRMED, outcome
        (card,) = await rig.find(ByKey(Entity.CONTACT, "mis/patient/7"))
        assert card.id == str(made["id"])

    # --- phones ---------------------------------------------------------------------------------------------------

    async def test_a_phone_is_found_however_staff_spelled_it(self, rig: TargetRig) -> None:
        made = await rig.staff(
            "create", entity="contact", fields={self.surname_code: "Ручная", self.phone_code: [self.spelling]}
        )
        ours = await self.contact(rig)
        await self.contact(rig, "mis/patient/2", OTHER_PHONE)
        found = await rig.find(ByPhone(Entity.CONTACT, (PHONE,)))
        assert sorted(card.id for card in found) == sorted([str(made["id"]), ours])

    async def test_many_phones_at_once_are_not_mixed_up(self, rig: TargetRig) -> None:
        one, other = await self.contact(rig), await self.contact(rig, "mis/patient/2", OTHER_PHONE)
        deals = [
            await self.deal(rig, key="mis/appointment/1", contacts=(one,)),
            await self.deal(rig, key="mis/appointment/2", contacts=(other,)),
        ]
        lookups = [
            ByPhone(entity, (phone,))
            for entity in (Entity.CONTACT, Entity.DEAL)
            for phone in (PHONE, OTHER_PHONE)
        ]
        found = await rig.target.find([*lookups, ByContact(Entity.DEAL, other)])
        ids = [[card.id for card in answer.cards] for answer in found]
        assert ids == [[one], [other], [deals[0]], [deals[1]], [deals[1]]]

    async def test_a_phone_that_nobody_has_finds_nobody(self, rig: TargetRig) -> None:
        await self.contact(rig)
        assert await rig.find(ByPhone(Entity.CONTACT, ("+79990000000",))) == ()
        assert await rig.find(ByPhone(Entity.DEAL, ("+79990000000",))) == ()

    async def test_a_deal_is_found_by_the_phone_of_any_of_its_contacts(self, rig: TargetRig) -> None:
        mother, child = await self.contact(rig), await self.contact(rig, "mis/patient/2", OTHER_PHONE)
        deal = await self.deal(rig, contacts=(mother, child))
        await self.deal(rig, key="mis/appointment/2", contacts=(child,))
        assert [card.id for card in await rig.find(ByPhone(Entity.DEAL, (PHONE,)))] == [deal]
        assert len(await rig.find(ByPhone(Entity.DEAL, (OTHER_PHONE,)))) == 2
        assert len(await rig.find(ByContact(Entity.DEAL, child))) == 2

    async def test_closed_deals_are_left_out_where_only_open_ones_are_asked_for(self, rig: TargetRig) -> None:
        contact = await self.contact(rig)
        deal = await self.deal(rig, contacts=(contact,))
        await self.deal(
            rig, key="mis/appointment/2", contacts=(contact,), stage=rig.stage(Entity.DEAL, FUNNEL, REFUSED)
        )
        for lookup in (
            ByPhone(Entity.DEAL, (PHONE,), open_only=True),
            ByContact(Entity.DEAL, contact, open_only=True),
        ):
            assert [card.id for card in await rig.find(lookup)] == [deal]
        assert len(await rig.find(ByContact(Entity.DEAL, contact))) == 2

    async def test_a_phone_is_added_beside_those_that_staff_wrote(self, rig: TargetRig) -> None:
        contact = await self.contact(rig)
        await rig.staff(
            "edit", entity="contact", id=int(contact), fields={self.phone_code: ["+7 900 111-22-33"]}
        )
        (seen,) = await rig.find(ById(Entity.CONTACT, contact))
        multi = {self.phone_code: MultiChange(add=(OTHER_PHONE, PHONE))}
        (outcome,) = await rig.apply(UpdateCard(entity=Entity.CONTACT, id=contact, multi=multi, seen=seen))
        assert outcome.kind is OutcomeKind.CONFIRMED, outcome
        (card,) = await rig.find(ById(Entity.CONTACT, contact))
        assert card.fields[self.phone_code] == (PHONE, "+79001112233", OTHER_PHONE)

    async def test_a_phone_is_removed_and_the_others_stay(self, rig: TargetRig) -> None:
        contact = await self.contact(rig)
        await rig.staff(
            "edit", entity="contact", id=int(contact), fields={self.phone_code: ["8 900 765 43 21"]}
        )
        for seen in ((await rig.find(ById(Entity.CONTACT, contact)))[0], None):
            multi = {self.phone_code: MultiChange(remove=(OTHER_PHONE,))}
            (outcome,) = await rig.apply(
                UpdateCard(entity=Entity.CONTACT, id=contact, multi=multi, seen=seen)
            )
            assert outcome.kind is OutcomeKind.CONFIRMED, outcome
            (card,) = await rig.find(ById(Entity.CONTACT, contact))
            assert card.fields[self.phone_code] == (PHONE,)

    # --- stages and contacts ----------------------------------------------------------------------------------------

    async def test_a_card_moves_inside_its_funnel_and_to_another(self, rig: TargetRig) -> None:
        deal = await self.deal(rig)
        places = [
            rig.stage(Entity.DEAL, FUNNEL, TOMORROW),
            rig.stage(Entity.DEAL, OTHER_FUNNEL, BOOKED),
            rig.stage(Entity.DEAL, FUNNEL, REFUSED),
        ]
        for known in (True, False):
            for place in places:
                (seen,) = await rig.find(ById(Entity.DEAL, deal))
                action = UpdateCard(
                    entity=Entity.DEAL,
                    id=deal,
                    stage=place,
                    fields={self.text(rig): place.stage},
                    seen=seen if known else None,
                )
                (outcome,) = await rig.apply(action)
                assert outcome.kind is OutcomeKind.CONFIRMED, outcome
                (card,) = await rig.find(ById(Entity.DEAL, deal))
                assert (card.stage, card.fields[self.text(rig)]) == (place, place.stage)
        assert card.semantic is Semantic.LOST

    async def test_the_main_contact_is_first_and_the_set_is_replaced(self, rig: TargetRig) -> None:
        contacts = [await self.contact(rig, f"mis/patient/{number}") for number in range(3)]
        deal = await self.deal(rig, contacts=(contacts[1], contacts[0]))
        for wanted in ((contacts[1], contacts[0]), (contacts[0], contacts[1]), (contacts[2],), ()):
            if wanted != (contacts[1], contacts[0]):
                (outcome,) = await rig.apply(UpdateCard(entity=Entity.DEAL, id=deal, contacts=wanted))
                assert outcome.kind is OutcomeKind.CONFIRMED, outcome
            (card,) = await rig.find(ById(Entity.DEAL, deal))
            assert card.contacts == wanted

    async def test_what_is_not_named_does_not_change(self, rig: TargetRig) -> None:
        contact = await self.contact(rig)
        deal = await self.deal(rig, contacts=(contact,), fields={self.text(rig): "моё"})
        (before,) = await rig.find(ById(Entity.DEAL, deal))
        (outcome,) = await rig.apply(
            UpdateCard(
                entity=Entity.DEAL, id=deal, fields={rig.code(Entity.DEAL, TITLES[FieldType.NUMBER]): 5}
            )
        )
        assert outcome.kind is OutcomeKind.CONFIRMED, outcome
        (after,) = await rig.find(ById(Entity.DEAL, deal))
        assert (after.key, after.stage, after.contacts) == (before.key, before.stage, before.contacts)
        assert after.fields[self.text(rig)] == "моё"

    # --- notes and tasks --------------------------------------------------------------------------------------------

    async def test_a_note_and_a_task_are_found_again_by_their_marker(self, rig: TargetRig) -> None:
        deal, other = await self.deal(rig), await self.deal(rig, key="mis/appointment/2")
        due = rig.clock.now() + timedelta(days=1)
        note, task = await rig.apply(
            AddNote(entity=Entity.DEAL, id=deal, marker="kreslo:i77", text="Перенесён с <10:00> & «11:00»"),
            AddTask(entity=Entity.DEAL, id=deal, marker="kreslo:i78", text="Перезвонить\nзавтра", due_at=due),
        )
        assert (note.kind, task.kind) == (OutcomeKind.CONFIRMED, OutcomeKind.CONFIRMED)
        assert [card.id for card in await rig.find(ByMarker(Entity.DEAL, deal, "kreslo:i77"))] == [
            note.target_id
        ]
        assert [card.id for card in await rig.find(ByMarker(Entity.DEAL, deal, "kreslo:i78", task=True))] == [
            task.target_id
        ]
        assert await rig.find(ByMarker(Entity.DEAL, deal, "kreslo:i79")) == ()
        assert await rig.find(ByMarker(Entity.DEAL, other, "kreslo:i77")) == ()
        assert await rig.find(ByMarker(Entity.DEAL, deal, "kreslo:i77", task=True)) == ()

    # --- outcomes -----------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("kind", ["lose", "timeout", "504html", "500"])
    async def test_an_answer_lost_after_the_commit_is_unknown_and_the_card_is_found(
        self, rig: TargetRig, kind: str
    ) -> None:
        since = rig.clock.now()
        rig.clock.advance(30)
        stage = rig.stage(Entity.DEAL, FUNNEL, BOOKED)
        await rig.fault(kind, when="after")
        (outcome,) = await rig.apply(CreateCard(entity=Entity.DEAL, key="mis/appointment/5", stage=stage))
        assert (outcome.kind, outcome.error) == (OutcomeKind.UNKNOWN, ErrorKind.UNKNOWN)
        (card,) = await rig.find(ByKey(Entity.DEAL, "mis/appointment/5"))
        assert card.id in {one.id for one in await rig.find(CreatedSince(Entity.DEAL, since))}

    @pytest.mark.parametrize("kind", ["cut", "502html", "timeout"])
    async def test_a_request_without_an_answer_is_unknown_and_not_sent_again(
        self, rig: TargetRig, kind: str
    ) -> None:
        await rig.control("DELETE", "stats")
        await rig.fault(kind)
        (outcome,) = await rig.apply(
            CreateCard(entity=Entity.CONTACT, key="mis/patient/5", fields={self.surname_code: "Ёлкина"})
        )
        assert outcome.kind is OutcomeKind.UNKNOWN
        assert (await rig.control("GET", "stats"))["requests"] == 1
        assert await rig.find(ByKey(Entity.CONTACT, "mis/patient/5")) == ()

    async def test_a_refusal_for_haste_is_transient_and_says_when(self, rig: TargetRig) -> None:
        await rig.fault(self.haste)
        (outcome,) = await rig.apply(
            CreateCard(entity=Entity.CONTACT, key="mis/patient/5", fields={self.surname_code: "Ёлкина"})
        )
        assert (outcome.kind, outcome.error) == (OutcomeKind.TRANSIENT, ErrorKind.LIMIT)
        assert outcome.retry_after is not None
        assert outcome.retry_after > 0
        assert await rig.find(ByKey(Entity.CONTACT, "mis/patient/5")) == ()

    @pytest.mark.parametrize("kind", ["503", "502html", "cut", "timeout", "500"])
    async def test_a_read_is_repeated_until_it_is_answered(self, rig: TargetRig, kind: str) -> None:
        deal = await self.deal(rig)
        await rig.fault(kind, times=2)
        assert [card.id for card in await rig.find(ByKey(Entity.DEAL, "mis/appointment/1"))] == [deal]
        assert rig.clock.slept > 0

    async def test_a_crm_that_stays_away_is_an_outage(self, rig: TargetRig) -> None:
        await rig.fault("502html", times=1000)
        with pytest.raises(OutageError):
            await rig.find(ByKey(Entity.DEAL, "mis/appointment/1"))

    async def test_one_bad_change_does_not_spoil_the_others(self, rig: TargetRig) -> None:
        good = await self.deal(rig)
        text = self.text(rig)
        outcomes = await rig.apply(
            UpdateCard(entity=Entity.DEAL, id=good, fields={text: "первое"}),
            UpdateCard(entity=Entity.DEAL, id="999999", fields={text: "никуда"}),
            AddNote(entity=Entity.DEAL, id=good, marker="kreslo:i90", text="запись"),
        )
        assert [one.kind for one in outcomes] == [
            OutcomeKind.CONFIRMED,
            OutcomeKind.PERMANENT,
            OutcomeKind.CONFIRMED,
        ]
        assert outcomes[1].error is ErrorKind.DATA
        assert outcomes[0].target_id == good

    async def test_a_deleted_card_is_not_there_and_cannot_be_written(self, rig: TargetRig) -> None:
        deal = await self.deal(rig)
        await rig.staff("delete", entity="deal", id=int(deal))
        assert await rig.find(ById(Entity.DEAL, deal)) == ()
        assert await rig.find(ByKey(Entity.DEAL, "mis/appointment/1")) == ()
        (outcome,) = await rig.apply(
            UpdateCard(entity=Entity.DEAL, id=deal, fields={self.text(rig): "поздно"})
        )
        assert (outcome.kind, outcome.error) == (OutcomeKind.PERMANENT, ErrorKind.DATA)

    async def test_a_refused_login_pauses_and_parks_nothing(self, rig: TargetRig) -> None:
        deal = await self.deal(rig)
        target = self.stranger(rig)
        try:
            with pytest.raises(PermissionDeniedError) as refusal:
                await target.find([ById(Entity.DEAL, deal)])
            (outcome,) = await target.apply(
                [rig.change(AddNote(entity=Entity.DEAL, id=deal, marker="m", text="т"))]
            )
            problems = await target.check()
        finally:
            await target.close()
        assert (outcome.kind, outcome.error) == (OutcomeKind.TRANSIENT, ErrorKind.PERMISSION)
        assert outcome.retry_after is not None
        assert outcome.retry_after >= 60
        assert [problem.kind for problem in problems] == [ErrorKind.PERMISSION]
        for secret in self.secrets(rig):
            assert (
                secret not in f"{refusal.value!r} {refusal.value.detail} {outcome!r} {problems!r} {target!r}"
            )

    async def test_limits_are_kept_however_much_is_written(self, rig: TargetRig) -> None:
        await rig.control("DELETE", "stats")
        text = self.text(rig)
        made = await rig.apply(
            *(
                CreateCard(entity=Entity.DEAL, key=f"mis/appointment/{number}", fields={text: str(number)})
                for number in range(100)
            )
        )
        for one in made[:60]:
            await rig.apply(UpdateCard(entity=Entity.DEAL, id=one.target_id, fields={text: "ещё"}))
            await rig.find(ById(Entity.DEAL, one.target_id))
        stats = await rig.control("GET", "stats")
        assert {one.kind for one in made} == {OutcomeKind.CONFIRMED}
        assert stats["limit_violations"] == 0
        assert stats["requests"] > 100

    async def test_robots_start_on_a_stage_but_not_for_a_quiet_card(self, rig: TargetRig) -> None:
        await rig.control("POST", "robots", {"stage": BOOKED, "funnel": FUNNEL})
        quiet = await self.deal(rig, key="mis/appointment/1", quiet=True)
        (card,) = await rig.find(ByKey(Entity.DEAL, "mis/appointment/1"))
        assert card.id == quiet
        assert len(await rig.state("messages")) == (0 if self.quiet else 1)
        await self.deal(rig, key="mis/appointment/2")
        assert len(await rig.state("messages")) == (1 if self.quiet else 2)

    async def test_the_journal_gets_a_request_without_personal_data(self, rig: TargetRig) -> None:
        (outcome,) = await rig.apply(
            CreateCard(
                entity=Entity.CONTACT,
                key="mis/patient/3",
                fields={self.surname_code: "Ёлкина", self.phone_code: (PHONE,)},
            )
        )
        assert outcome.request
        assert outcome.response
        for private in ("Ёлкина", PHONE[2:], *self.secrets(rig)):
            assert private not in outcome.request + outcome.response

    # --- events -------------------------------------------------------------------------------------------------------

    async def test_changes_are_polled_with_their_author(self, rig: TargetRig) -> None:
        ours, theirs = await self.deal(rig), await self.contact(rig)
        rig.clock.advance(60)
        since = rig.clock.now()
        rig.clock.advance(5)
        await rig.staff("edit", entity="contact", id=int(theirs), fields={self.surname_code: "Соснова"})
        events, following = await rig.target.events(since)
        assert [(event.entity, event.id, event.kind) for event in events] == [
            (Entity.CONTACT, theirs, EventKind.CHANGED)
        ]
        assert events[0].by not in ("", rig.catalog.me)
        assert following > since
        rig.clock.advance(60)
        await rig.apply(UpdateCard(entity=Entity.DEAL, id=ours, fields={self.text(rig): "наше"}))
        again, _ = await rig.target.events(following + timedelta(seconds=30))
        assert [(event.entity, event.id, event.by) for event in again] == [
            (Entity.DEAL, ours, rig.catalog.me)
        ]

    # --- for subclasses -------------------------------------------------------------------------------------------

    def furnish(self, rig: TargetRig) -> None:
        """What the clinic has made in the CRM by hand that the suite needs: the field of `enum`, where a new CRM has
        none.
        """

    def text(self, rig: TargetRig) -> str:
        return rig.code(Entity.DEAL, TITLES[FieldType.TEXT])

    def stranger(self, rig: TargetRig) -> Target:
        """A target whose login the CRM refuses. The suite closes it."""
        raise NotImplementedError

    def secrets(self, rig: TargetRig) -> list[str]:
        """Texts that must not appear in anything that is shown."""
        raise NotImplementedError
