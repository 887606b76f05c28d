"""A mapping and a catalog: names become ids, and what is not there is told with its place."""

from datetime import time, timedelta
from pathlib import Path

import msgspec
import pytest
from mapping_files import CATALOG, ENDPOINTS, VISITS, made, read

from kreslo.connectors.model import Catalog, Entity, FieldType, Semantic, StageRef
from kreslo.mapping.expressions import Expression
from kreslo.mapping.faults import MappingError
from kreslo.mapping.load import load, resolve
from kreslo.mapping.model import FieldMode, Phase

MAPPINGS = Path(__file__).parents[3] / "mappings"
CONTACT = ENDPOINTS + "contact:\n  fields:\n    "
DEAL = ENDPOINTS + VISITS + "  fields:\n    "

FULL = (
    ENDPOINTS
    + """\
horizon: {past: 10d}
reconcile: {cards: 7}
language: en
contact:
  scope: all
  family: {by: phone, phone_on_child: false}
  on_deleted: ignore
  fields:
    "имя": patient.name
    PHONE: {value: patient.phones, mode: add}
    "Ближайший визит": next_visit.starts_at
appointment:
  funnel: "Приёмы"
  stages:
    upcoming: "Записан на приём"
    tomorrow: {stage: "визит завтра", at: "14:00", message: true}
    confirmed: C1:OK
    completed: "Визит состоялся"
    cancelled: "Визит отменен"
  protect: ["Подтвердил по смс"]
  final: ["Визит состоялся"]
  status: {reschedule_reasons: ["Перенос"], no_show_after: 1h, confirmed: appointment.registrar == "робот"}
  rebook: {window: 48h, same: specialty}
  insured: appointment.amount == 0
  claim: {from: {leads: ["Записан на консультацию"]}, within: 30d, late: 1h, copy: [SOURCE_ID], relation_field: "Лид"}
  adopt: {key_field: "Чужой ключ", key: appointment.id, time_field: "Начало"}
  history: {funnel: "Архив", stage: "Прошлые визиты"}
  cancelled_unseen: true
  primary_after: 100d
  notes: false
  rescheduled_task: {text: "Позвонить {patient.short_name}", after: 30m, user: "Мария Регистратор"}
  fields:
    OPPORTUNITY: {value: appointment.amount, when: appointment.status == "completed"}
enquiry:
  into: leads
  stages: {new: "Новый", already_booked: "Пациент уже записан"}
  stale_after: 5d
"""
)


def told(text: str, catalog: Catalog = CATALOG) -> list[str]:
    with pytest.raises(MappingError) as caught:
        resolve(read(text), catalog)
    return [f"{each.at.line}:{each.at.column} {each.message}" for each in caught.value.problems if each.at]


def test_a_bridge_is_the_mapping_in_the_crms_ids() -> None:
    bridge = resolve(read(FULL), CATALOG)
    assert (bridge.name, bridge.source_id, str(bridge.zone)) == ("clinic", "ident", "Europe/Moscow")
    assert (bridge.language, bridge.horizon.past) == ("en", timedelta(days=10))
    assert (bridge.reconcile.heal, bridge.reconcile.cards, bridge.reconcile.percent) == (True, 7, 10)

    contact = bridge.contact
    assert contact is not None
    assert [(rule.code, rule.type, rule.multiple) for rule in contact.fields] == [
        ("NAME", FieldType.TEXT, False),
        ("PHONE", FieldType.PHONE, True),
        ("UF_CRM_2", FieldType.DATETIME, False),
    ]
    assert (contact.scope, contact.on_deleted) == ("all", "ignore")
    assert contact.family is not None
    assert (contact.family.by, contact.family.phone_on_child) == ("phone", False)

    visits = bridge.appointment
    assert visits is not None
    assert visits.funnel == "1"
    assert {phase: rule.stage.stage for phase, rule in visits.stages.items()} == {
        Phase.UPCOMING: "C1:NEW",
        Phase.TOMORROW: "C1:TOMORROW",
        Phase.CONFIRMED: "C1:OK",
        Phase.COMPLETED: "C1:WON",
        Phase.CANCELLED: "C1:LOSE",
    }
    tomorrow = visits.stages[Phase.TOMORROW]
    assert (tomorrow.name, tomorrow.at, tomorrow.message) == ("Визит завтра", time(14), True)
    assert visits.protect == {StageRef("1", "C1:YES")}
    assert visits.final == {StageRef("1", "C1:WON")}
    assert visits.status.reschedule_reasons == {"Перенос"}
    assert visits.status.no_show_after == timedelta(hours=1)
    assert visits.status.confirmed == Expression('appointment.registrar == "робот"')
    assert visits.rebook is not None
    assert (visits.rebook.window, visits.rebook.same) == (timedelta(hours=48), "specialty")
    assert visits.insured == Expression("appointment.amount == 0")
    assert visits.adopt is not None
    assert (visits.adopt.key_field, visits.adopt.time_field) == ("UF_CRM_10", "UF_CRM_11")
    assert visits.history is not None
    assert visits.history.stage == StageRef("2", "C2:OLD")
    assert (visits.cancelled_unseen, visits.notes, visits.primary_after) == (True, False, timedelta(days=100))
    assert visits.rescheduled_task is not None
    assert (visits.rescheduled_task.user, visits.rescheduled_task.after) == ("7", timedelta(minutes=30))
    assert [rule.code for rule in visits.fields] == ["OPPORTUNITY"]

    claim = visits.claim
    assert claim is not None
    assert (claim.entity, claim.mode, claim.stages) == (Entity.LEAD, "link", {StageRef("", "BOOKED")})
    assert (claim.within, claim.late) == (timedelta(days=30), timedelta(hours=1))
    assert (claim.copy, claim.converted, claim.relation_field, claim.back) == (
        ("SOURCE_ID",),
        StageRef("", "CONVERTED"),
        "UF_CRM_9",
        False,
    )

    enquiry = bridge.enquiry
    assert enquiry is not None
    assert (enquiry.entity, enquiry.funnel, enquiry.new.stage) == (Entity.LEAD, "", StageRef("", "NEW"))
    assert enquiry.already_booked is not None
    assert enquiry.already_booked.stage == StageRef("", "JUNK")
    assert (enquiry.stale, enquiry.stale_after) == (None, timedelta(days=5))


def test_the_guards_see_every_stage_of_the_crm() -> None:
    bridge = resolve(read(ENDPOINTS + VISITS), CATALOG)
    assert bridge.terminal == {
        StageRef("1", "C1:WON"),
        StageRef("1", "C1:LOSE"),
        StageRef("", "JUNK"),
        StageRef("", "CONVERTED"),
    }
    order = bridge.stage_order
    assert (
        order[StageRef("1", "C1:NEW")] < order[StageRef("1", "C1:TOMORROW")] < order[StageRef("1", "C1:WON")]
    )


def test_claims_of_deals_move() -> None:
    text = ENDPOINTS + VISITS + "  claim: {from: {funnel: Архив, stages: [Прошлые визиты]}, return: true}"
    plan = resolve(read(text), CATALOG).appointment
    assert plan is not None
    assert plan.claim is not None
    assert (plan.claim.entity, plan.claim.mode, plan.claim.stages) == (
        Entity.DEAL,
        "move",
        {StageRef("2", "C2:OLD")},
    )
    assert (plan.claim.converted, plan.claim.back) == (None, True)


# --- what is not there ------------------------------------------------------------------------------------------


def test_a_wrong_stage_is_told_as_the_documentation_promises() -> None:
    text = ENDPOINTS + VISITS.replace(
        '{upcoming: "Записан на приём"}', '{upcoming: "Записан на приём", tomorrow: {stage: "Визит завтро"}}'
    )
    with pytest.raises(MappingError) as caught:
        resolve(read(text), CATALOG)
    assert str(caught.value) == (
        'mappings/clinic.yaml:6:60: no stage "Визит завтро" in funnel "Приёмы"; did you mean "Визит завтра"?\n'
        '    stages: {upcoming: "Записан на приём", tomorrow: {stage: "Визит завтро"}}\n'
        "  " + " " * 59 + "^"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            ENDPOINTS + VISITS.replace("Приёмы", "Приемка"),
            '5:11 no funnel "Приемка"; did you mean "Приёмы"?',
        ),
        (
            ENDPOINTS + VISITS.replace("Приёмы", "Осмотры"),
            '5:11 no funnel "Осмотры"; `kreslo setup mappings/clinic.yaml` makes it',
        ),
        (
            ENDPOINTS + VISITS.replace("Приёмы", "Двойник"),
            '5:11 2 funnels are named "Двойник"; write the code of one of them: 8, 9',
        ),
        (
            ENDPOINTS + "appointment: {funnel: 8, stages: {upcoming: Раз}}",
            '4:45 2 stages are named "Раз"; write the code of one of them: C8:A, C8:B',
        ),
        (
            ENDPOINTS + VISITS + '  protect: ["Ждёт звонка"]',
            '7:13 no stage "Ждёт звонка" in funnel "Приёмы"; `kreslo setup mappings/clinic.yaml` makes it',
        ),
        (
            ENDPOINTS + "enquiry: {into: leads, stages: {new: Новинка}}",
            '4:38 no stage "Новинка" among the stages of leads; `kreslo setup mappings/clinic.yaml` makes it',
        ),
        (
            CONTACT + '"Номер медкарта": patient.card_number',
            '6:5 no field "Номер медкарта" of contacts; did you mean "Номер медкарты"?',
        ),
        (
            CONTACT + '"Любимый цвет": patient.card_number',
            '6:5 no field "Любимый цвет" of contacts; `kreslo setup mappings/clinic.yaml` makes it',
        ),
        (
            CONTACT + "BIRTDATE: patient.birth_date",
            '6:5 no field "BIRTDATE" of contacts; did you mean "BIRTHDATE"?',
        ),
        (
            CONTACT + "HONORIFIC: patient.name",
            '6:5 no field "HONORIFIC" of contacts; fields are named by title or by code',
        ),
        (CONTACT + "ID: patient.id", '6:5 field "ID" of contacts is read-only in the CRM'),
        (
            CONTACT + '"Заметка": patient.name',
            '6:5 2 fields are named "Заметка"; write the code of one of them: UF_CRM_4, UF_CRM_5',
        ),
        (
            CONTACT + 'NAME: patient.name\n    "Имя": patient.surname',
            '7:5 field "Имя" is the field of line 6; keep one of them',
        ),
        (CONTACT + "BIRTHDATE: patient.phones", '6:16 field "BIRTHDATE" holds dates; this gives lists'),
        (CONTACT + "BIRTHDATE: patient.name", '6:16 field "BIRTHDATE" holds dates; this gives texts'),
        (
            DEAL + 'OPPORTUNITY: appointment.amount > 0.0 ? "да" : "нет"'.replace(" : ", " :"),
            '8:18 field "OPPORTUNITY" holds amounts; this gives texts',
        ),
        (
            CONTACT + '"Пол": {text: "мужской пол"}',
            '6:19 field "Пол" has no option "мужской пол"; did you mean "мужской"?',
        ),
        (
            CONTACT + '"Пол": \'"другой"\'',
            '6:12 field "Пол" has no option "другой"; it has мужской, женский',
        ),
        (
            CONTACT + "NAME: {value: patient.name, mode: add}",
            '6:5 `mode: add` is for fields of several values; "NAME" holds one',
        ),
        (
            ENDPOINTS + VISITS + '  rescheduled_task: {text: а, user: "Мария Регистраторша"}',
            '7:37 no user "Мария Регистраторша"; did you mean "Мария Регистратор"?',
        ),
        (
            ENDPOINTS + VISITS + "  claim: {from: {leads: [Новый]}, copy: [UTM_SOURCE]}",
            '7:42 no field "UTM_SOURCE" of leads; fields are named by title or by code',
        ),
        (
            ENDPOINTS + VISITS + "  claim: {from: {leads: [Новый]}, converted: Успех}",
            '7:46 no stage "Успех" among the stages of leads; `kreslo setup mappings/clinic.yaml` makes it',
        ),
    ],
)
def test_what_the_crm_does_not_have_is_told(text: str, expected: str) -> None:
    assert expected in told(text)


def test_all_is_told_at_once() -> None:
    found = told(
        CONTACT + "ID: patient.id\n    BIRTHDATE: patient.name\n" + VISITS.replace("Приёмы", "Осмотры")
    )
    assert [each.split()[0] for each in found] == ["6:5", "7:16", "9:11"]


def test_a_crm_without_leads_is_told() -> None:
    catalog = msgspec.structs.replace(
        CATALOG, funnels=tuple(each for each in CATALOG.funnels if each.entity is Entity.DEAL)
    )
    found = told(ENDPOINTS + "enquiry: {into: leads, stages: {new: Новый}}", catalog)
    assert found == ['4:17 this CRM has no leads of their own; name a funnel of deals: {funnel: "…"}']


def test_a_crm_before_setup_has_no_key_fields() -> None:
    found = told(ENDPOINTS + VISITS, msgspec.structs.replace(CATALOG, key_fields={}))
    assert found == [
        "1:1 the CRM has no key field of the deals yet; `kreslo setup mappings/clinic.yaml` makes it"
    ]


# --- fingerprint ------------------------------------------------------------------------------------------------


def test_the_fingerprint_follows_the_meaning() -> None:
    first = resolve(read(FULL), CATALOG).fingerprint
    assert (
        first
        == resolve(read("# a comment\n" + FULL.replace("mode: add}", "mode: add }")), CATALOG).fingerprint
    )
    assert first == resolve(read(FULL.replace("${HOOK}", "${OTHER_HOOK}")), CATALOG).fingerprint
    assert first != resolve(read(FULL.replace("14:00", "15:00")), CATALOG).fingerprint
    assert first != resolve(read(FULL.replace("patient.name", "patient.full_name")), CATALOG).fingerprint


def test_the_fingerprint_follows_the_catalogs_part_in_use() -> None:
    first = resolve(read(FULL), CATALOG).fingerprint
    deals, archive, *others = CATALOG.funnels
    moved = msgspec.structs.replace(deals, stages=tuple(reversed(deals.stages)))
    resorted = msgspec.structs.replace(
        moved,
        stages=tuple(msgspec.structs.replace(each, sort=place) for place, each in enumerate(moved.stages)),
    )
    changed = msgspec.structs.replace(CATALOG, funnels=(resorted, archive, *others))
    elsewhere = msgspec.structs.replace(CATALOG, funnels=(deals, archive, *others[1:]))
    assert first != resolve(read(FULL), changed).fingerprint
    assert first == resolve(read(FULL), elsewhere).fingerprint


# --- what setup makes, and the shipped mappings -----------------------------------------------------------------


def test_what_a_mapping_needs() -> None:
    needed = read(FULL).needed()
    titles = [(each.entity, each.title, each.type) for each in needed.fields]
    assert titles == [
        (Entity.CONTACT, "имя", FieldType.TEXT),
        (Entity.CONTACT, "Ближайший визит", FieldType.DATETIME),
        (Entity.DEAL, "Лид", FieldType.TEXT),
    ]
    assert [
        (each.funnel, each.stage, each.semantic) for each in needed.stages if each.funnel == "Приёмы"
    ] == [
        ("Приёмы", "Записан на приём", Semantic.OPEN),
        ("Приёмы", "визит завтра", Semantic.OPEN),
        ("Приёмы", "Подтвердил по смс", Semantic.OPEN),
        ("Приёмы", "Визит состоялся", Semantic.WON),
        ("Приёмы", "Визит отменен", Semantic.LOST),
    ]


def test_field_types_are_those_of_the_values() -> None:
    fields = {
        "текст": "patient.name",
        "число": "patient.visits",
        "сумма": "appointment.amount",
        "вычислено": "appointment.amount * 2.0",
        "да или нет": 'appointment.source == "Сайт"',
        "дата": "patient.birth_date",
        "момент": "appointment.starts_at",
        "выбор": '\'patient.primary ? "да" : "нет"\'',
        "шаблон": '"{appointment.starts_at:%d.%m}"',
        "список": "patient.doctors",
        "телефоны": "patient.phones",
    }
    text = DEAL + "\n    ".join(f'"{name}": {value}' for name, value in fields.items())
    assert {each.title: each.type for each in read(text).needed().fields} == {
        "текст": FieldType.TEXT,
        "число": FieldType.NUMBER,
        "сумма": FieldType.MONEY,
        "вычислено": FieldType.NUMBER,
        "да или нет": FieldType.BOOLEAN,
        "дата": FieldType.DATE,
        "момент": FieldType.DATETIME,
        "выбор": FieldType.TEXT,
        "шаблон": FieldType.TEXT,
        "список": FieldType.TEXT,
        "телефоны": FieldType.PHONE,
    }


def test_what_is_named_by_id_is_not_made() -> None:
    text = ENDPOINTS + "appointment: {funnel: 8, stages: {upcoming: Раз}, protect: [C8:A]}"
    assert read(text).needed().stages == ()


def test_the_meaning_of_a_new_stage_can_be_said() -> None:
    text = (
        ENDPOINTS
        + "appointment: {funnel: А, stages: {upcoming: Б, no_show: {stage: В, semantic: open}, cancelled: Г, rescheduled: Г}}"
    )
    stages = {each.stage: each.semantic for each in read(text).needed().stages}
    assert stages == {"Б": Semantic.OPEN, "В": Semantic.OPEN, "Г": Semantic.LOST}


def test_nothing_is_needed_twice() -> None:
    for path in MAPPINGS.glob("*.yaml"):
        needed = load(path, judged=False).needed()
        assert len(set(needed.fields)) == len(needed.fields)
        assert len({(each.entity, each.funnel, each.stage) for each in needed.stages}) == len(needed.stages)


@pytest.mark.parametrize("name", ["demo.yaml", "ident-bitrix24.yaml"])
def test_the_first_case_studys_mapping_says_what_the_clinic_asked_for(name: str) -> None:
    file = load(MAPPINGS / name, judged=False)
    bridge = resolve(file, made(file.needed()))
    assert bridge.appointment is not None
    assert set(bridge.appointment.stages) == set(Phase)
    names = {phase: rule.name for phase, rule in bridge.appointment.stages.items()}
    assert names[Phase.TOMORROW] == "Визит завтра"
    assert bridge.appointment.stages[Phase.TOMORROW].at == time(14)
    assert bridge.appointment.claim is not None
    assert bridge.appointment.claim.within == timedelta(days=60)
    order = bridge.stage_order
    protected = max(order[stage] for stage in bridge.appointment.protect)
    assert protected < order[bridge.appointment.stages[Phase.CONFIRMED].stage]
    phones = [rule for rule in bridge.contact.fields if rule.code == "PHONE"] if bridge.contact else []
    assert [rule.mode for rule in phones] == [FieldMode.ADD]
