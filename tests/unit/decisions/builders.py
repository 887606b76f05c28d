"""Made-up cases, short enough that a test's table shows only what it is about."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from kreslo.connectors.model import (
    ByContact,
    ByField,
    ById,
    ByKey,
    ByPhone,
    Card,
    Entity,
    Found,
    Lookup,
    Semantic,
    StageRef,
)
from kreslo.decisions import decide
from kreslo.decisions.case import Base, Case, Facts, OwnCard, Role
from kreslo.decisions.desired import Desired, DesiredCard, Needs
from kreslo.mapping.expressions import Expression, Template
from kreslo.mapping.model import (
    AppointmentPlan,
    Bridge,
    ClaimPlan,
    ContactPlan,
    EnquiryPlan,
    FieldMode,
    FieldRule,
    FieldType,
    Horizon,
    Phase,
    RebookPlan,
    StageRule,
    StatusPlan,
    TaskPlan,
)
from kreslo.records import Appointment, Branch, Doctor, Enquiry, Patient, Phone, PhoneKind

ZONE = ZoneInfo("Europe/Moscow")
NOW = datetime(2026, 11, 16, 9, 0, tzinfo=ZONE).astimezone(UTC)  # a Monday morning
PHONE = "+79001234501"
DOCTOR = Doctor(id="7", name="Петров Пётр Петрович", specialty="терапевт")
BRANCH = Branch(id="1", name="Центр", address="ул. Ленина, 1", timezone="Europe/Moscow")


def at(text: str) -> datetime:
    """A clinic-local time, `16.11 10:00`, as an instant."""
    return datetime.strptime(f"2026.{text}", "%Y.%d.%m %H:%M").replace(tzinfo=ZONE).astimezone(UTC)


def stage(code: str) -> StageRef:
    return StageRef("1", code)


def lead_stage(code: str) -> StageRef:
    return StageRef("", code)


STAGES = {
    Phase.UPCOMING: "UPCOMING",
    Phase.TOMORROW: "TOMORROW",
    Phase.CONFIRMED: "CONFIRMED",
    Phase.ARRIVED: "ARRIVED",
    Phase.COMPLETED: "WON",
    Phase.CANCELLED: "LOSE",
    Phase.RESCHEDULED: "RESCHEDULED",
    Phase.NO_SHOW: "NOSHOW",
}
ORDER = ["UPCOMING", "TOMORROW", "YES", "NO", "CONFIRMED", "ARRIVED", "RESCHEDULED", "WON", "LOSE", "NOSHOW"]


def make_plan(**changes: Any) -> AppointmentPlan:
    plan = AppointmentPlan(
        funnel="1",
        title=Template("Приём {appointment.starts_at:%d.%m %H:%M}, {appointment.doctor.short_name}"),
        stages={
            phase: StageRule(
                stage=stage(code), name=code, at=time(14, 0) if phase is Phase.TOMORROW else time(0, 0)
            )
            for phase, code in STAGES.items()
        },
        protect=frozenset({stage("YES"), stage("NO")}),
        status=StatusPlan(reschedule_reasons=frozenset({"Перенос"})),
        rebook=RebookPlan(),
        claim=ClaimPlan(
            entity=Entity.LEAD,
            stages=frozenset({lead_stage("BOOKED")}),
            copy=("SOURCE_ID", "UTM_SOURCE"),
            converted=lead_stage("CONVERTED"),
        ),
        fields=(
            FieldRule(
                code="OPPORTUNITY",
                title="Сумма",
                type=FieldType.MONEY,
                value=Expression("appointment.amount"),
                when=Expression('appointment.status == "completed"'),
            ),
        ),
        rescheduled_task=TaskPlan(text=Template("Перезаписать: {patient.short_name}")),
    )
    return msgspec.structs.replace(plan, **changes)


def make_bridge(**changes: Any) -> Bridge:
    bridge = Bridge(
        name="clinic",
        source_id="ident",
        zone=ZONE,
        horizon=Horizon(),
        contact=ContactPlan(
            fields=(
                FieldRule(
                    code="LAST_NAME",
                    title="Фамилия",
                    type=FieldType.TEXT,
                    value=Expression("patient.surname"),
                ),
                FieldRule(code="NAME", title="Имя", type=FieldType.TEXT, value=Expression("patient.name")),
                FieldRule(
                    code="PHONE",
                    title="Телефон",
                    type=FieldType.PHONE,
                    value=Expression("patient.phones"),
                    mode=FieldMode.ADD,
                ),
                FieldRule(
                    code="UF_NEXT",
                    title="Ближайший визит",
                    type=FieldType.DATETIME,
                    value=Expression("next_visit.starts_at"),
                ),
            )
        ),
        appointment=make_plan(),
        enquiry=EnquiryPlan(
            entity=Entity.LEAD,
            funnel="",
            new=StageRule(stage=lead_stage("NEW"), name="Новый"),
            already_booked=StageRule(stage=lead_stage("ALREADY"), name="Пациент уже записан"),
            stale=StageRule(stage=lead_stage("STALE"), name="Не записался"),
            title=Template("Обращение {enquiry.name}"),
            stale_task=TaskPlan(text=Template("Перезвонить {enquiry.phone}")),
        ),
        terminal=frozenset(
            {stage("WON"), stage("LOSE"), stage("NOSHOW"), lead_stage("CONVERTED"), lead_stage("JUNK")}
        ),
        stage_order={stage(code): number for number, code in enumerate(ORDER)},
    )
    return msgspec.structs.replace(bridge, **changes)


def make_patient(patient_id: str = "1", **changes: Any) -> Patient:
    given: dict[str, Any] = {
        "surname": "Иванова",
        "name": "Мария",
        "patronymic": "Петровна",
        "phones": (Phone(PHONE, PhoneKind.MOBILE),),
        "birth_date": date(1990, 5, 12),
    }
    return Patient(id=patient_id, **{**given, **changes})


def make_appointment(appointment_id: str = "10", starts: str = "20.11 10:00", **changes: Any) -> Appointment:
    starts_at = at(starts)
    given: dict[str, Any] = {
        "patient_id": "1",
        "starts_at": starts_at,
        "ends_at": starts_at + timedelta(minutes=60),
        "created_at": at("10.11 12:00"),
        "doctor": DOCTOR,
        "branch": BRANCH,
    }
    return Appointment(id=appointment_id, **{**given, **changes})


def make_enquiry(enquiry_id: str = "5", created: str = "15.11 12:00", **changes: Any) -> Enquiry:
    return Enquiry(id=enquiry_id, created_at=at(created), phones=(Phone(PHONE, PhoneKind.MOBILE),), **changes)


def make_case(*appointments: Appointment, **changes: Any) -> Case:
    given: dict[str, Any] = {"key": "patient:1", "patient": make_patient(), "appointments": appointments}
    return Case(**{**given, **changes})


def phone_case(*enquiries: Enquiry, **changes: Any) -> Case:
    given: dict[str, Any] = {"key": "phone:ab12", "phone": PHONE, "enquiries": enquiries}
    return Case(**{**given, **changes})


def make_lead(
    lead_id: str = "900", created: str = "09.11 12:00", code: str = "BOOKED", **changes: Any
) -> Card:
    given: dict[str, Any] = {
        "stage": lead_stage(code),
        "created_at": at(created),
        "phones": (Phone(PHONE, PhoneKind.MOBILE),),
        "fields": {"SOURCE_ID": "Сайт", "UTM_SOURCE": "yandex"},
    }
    return Card(entity=Entity.LEAD, id=lead_id, **{**given, **changes})


def make_contact(contact_id: str = "500", name: str = "Иванова Мария", **changes: Any) -> Card:
    given: dict[str, Any] = {"name": name, "phones": (Phone(PHONE, PhoneKind.MOBILE),)}
    return Card(entity=Entity.CONTACT, id=contact_id, **{**given, **changes})


def make_deal(deal_id: str = "700", code: str = "UPCOMING", **changes: Any) -> Card:
    """A visit's deal as it stands in the CRM, without a key of ours."""
    ended = {"WON": Semantic.WON, "LOSE": Semantic.LOST, "NOSHOW": Semantic.LOST}
    given: dict[str, Any] = {
        "stage": stage(code),
        "semantic": ended.get(code, Semantic.OPEN),
        "created_at": at("10.11 12:00"),
    }
    return Card(entity=Entity.DEAL, id=deal_id, **{**given, **changes})


def own_contact(**changes: Any) -> OwnCard:
    given: dict[str, Any] = {"target_id": "500", "members": ("ident/patient/1",)}
    return OwnCard(key="ident/patient/1", role=Role.CONTACT, entity=Entity.CONTACT, **{**given, **changes})


def own_visit(appointment_id: str = "10", **changes: Any) -> OwnCard:
    key = f"ident/appointment/{appointment_id}"
    given: dict[str, Any] = {"target_id": "700", "members": (key,)}
    return OwnCard(key=key, role=Role.VISIT, entity=Entity.DEAL, **{**given, **changes})


class Crm:
    """A CRM as a decision sees it: answers lookups from a handful of cards."""

    def __init__(self, *cards: Card, owners: dict[tuple[Entity, str], str] | None = None) -> None:
        self.cards = cards
        self.owners = owners or {}
        self.asked: list[Lookup] = []

    def answer(self, lookup: Lookup) -> tuple[Card, ...]:
        self.asked.append(lookup)
        return tuple(card for card in self.cards if self._fits(card, lookup))

    def _fits(self, card: Card, lookup: Lookup) -> bool:
        match lookup:
            case ById():
                return (card.entity, card.id) == (lookup.entity, lookup.id)
            case ByKey():
                return card.entity is lookup.entity and card.key == lookup.key
            case ByPhone():
                ours = {phone.e164 for phone in card.phones} & set(lookup.phones)
                is_open = card.semantic in {Semantic.OPEN, Semantic.UNSORTED}
                return card.entity is lookup.entity and bool(ours) and (is_open or not lookup.open_only)
            case ByContact():
                return card.entity is lookup.entity and lookup.contact_id in card.contacts
            case ByField():
                return card.entity is lookup.entity and card.fields.get(lookup.code) == lookup.value
            case _:
                raise AssertionError(lookup)

    def decide(self, case: Case, now: datetime = NOW, bridge: Bridge | None = None) -> Desired:
        """The decision once every question is answered."""
        found: dict[Lookup, Found] = {}
        for _ in range(10):
            decision = decide(case, Facts(found=found, owners=self.owners), now, bridge or make_bridge())
            if isinstance(decision, Desired):
                return decision
            assert isinstance(decision, Needs)
            assert decision.lookups
            for lookup in decision.lookups:
                assert lookup not in found, f"asked twice: {lookup}"
                found[lookup] = Found(lookup, self.answer(lookup), now)
        raise AssertionError("the decision asks without end")


def visits_of(desired: Desired) -> list[DesiredCard]:
    return [card for card in desired.cards if card.role is Role.VISIT]


def contact_of(desired: Desired) -> DesiredCard | None:
    return next((card for card in desired.cards if card.role is Role.CONTACT), None)


def only_visit(desired: Desired) -> DesiredCard:
    cards = visits_of(desired)
    assert len(cards) == 1, [card.key for card in cards]
    return cards[0]


def stage_of(card: DesiredCard) -> str | None:
    """The code of the stage that is wished, None for no opinion."""
    assert card.stage is not None
    return card.stage.stage.stage if card.stage.stage else None


def phase_base(phase: Phase, starts: str = "20.11 10:00", **changes: Any) -> Base:
    """What was decided last: this phase, its stage where it has one, this time."""
    given: dict[str, Any] = {
        "phase": phase,
        "stage": stage(STAGES[phase]) if phase in STAGES else None,
        "starts_at": at(starts),
        "contacts": ("500",),
    }
    return Base(**{**given, **changes})
