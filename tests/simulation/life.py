"""What happens in a clinic, by chance: bookings and what becomes of them, enquiries, and what staff do in the CRM meanwhile."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import msgspec

from kreslo.records import (
    Appointment,
    Doctor,
    Enquiry,
    Patient,
    Phone,
    PhoneKind,
    Record,
    RecordKind,
    ref_of,
)
from tests.simulation.clock import WorldClock
from tests.simulation.mis import Mis
from tests.simulation.rules import CLAIM_STAGE, RESCHEDULE_REASON, Rules
from tests.simulation.staff import Staff
from tests.simulation.views import Crm

DOCTORS = (Doctor("1", "Сидорова Анна Петровна", "Терапевт"), Doctor("2", "Котов Пётр Ильич", "Ортопед"))
_PEOPLE = (
    ("Ёлкина", "Мария", date(1985, 4, 2)),
    ("Громов", "Олег", date(1979, 11, 30)),
    ("Лисицына", "Вера", date(1992, 7, 15)),
    ("Бобров", "Илья", date(1966, 1, 9)),
    ("Сорокина", "Нина", date(2001, 9, 21)),
)
_CHILD = ("Ёлкин", "Тимофей", date(2017, 6, 3))
_DAY = 86400.0


class Life:
    """Plans the acts of `days` days on the clock. `staff`: those who work in the CRM."""

    def __init__(
        self, clock: WorldClock, mis: Mis, crm: Crm, rules: Rules, chance: Random, tell: Callable[[str], None]
    ) -> None:
        self._clock = clock
        self._mis = mis
        self._rules = rules
        self._chance = chance
        self._tell = tell
        self.staff = Staff(clock, mis, crm, rules, chance, tell, ahead=self._ahead, new_phone=self._phone)
        self._numbers = [f"+7900555{1000 + number}" for number in range(12)]

    def begin(self, days: float, *, events: int) -> None:
        """The clinic as Kreslo finds it, and what is to come."""
        chance = self._chance
        for person in chance.sample(_PEOPLE, chance.randint(1, 3)):
            self._patient(*person)
        if chance.random() < 0.4:
            self._family()
        for _ in range(chance.randint(0, 4)):
            self._book(chance.uniform(-40, 3))
        for _ in range(chance.randint(0, 2)):
            self.staff.new_lead()
        for _ in range(chance.choice((0, 0, 1, 2))):
            self.staff.type_contact()
        if chance.random() < 0.5:
            # Answered early: the clock comes by while the card stands where the answer put it.
            self._book(chance.uniform(1.2, 2.5))
            self._clock.plan(chance.uniform(600, 30000), self.staff.reply)
        for _ in range(events):
            act = self._pick()
            self._clock.plan(chance.random() ** 1.5 * days * _DAY, act)

    def _pick(self) -> Callable[[], None]:
        acts: Sequence[tuple[Callable[[], None], int]] = (
            (lambda: self._book(self._chance.uniform(0.1, 5)), 8),
            (self._walk_in, 2),
            (self._family_books, 2),
            (self._book_badly, 1),
            (self._move_to_new_row, 4),
            (self._move_in_row, 3),
            (self._cancel, 4),
            (self._rebook, 4),
            (self._arrive, 4),
            (self._complete, 6),
            (self._correct, 3),
            (self._confirm, 3),
            (self._delete_row, 2),
            (self._new_patient, 2),
            (self._change_patient, 2),
            (self._enquire, 4),
            (self.staff.new_lead, 3),
            (self.staff.drag, 5),
            (self.staff.reply, 5),
            (self.staff.edit_own, 3),
            (self.staff.edit_ours, 2),
            (self.staff.relink, 1),
            (self.staff.delete_visit, 1),
            (self.staff.merge_contacts, 1),
            (self.staff.merge_visits, 1),
            (self.staff.drag_any_lead, 2),
            (self.staff.type_contact, 2),
        )
        able = [
            (act, weight) for act, weight in acts if getattr(act, "__name__", "") not in self._rules.never
        ]
        return self._chance.choices([act for act, _ in able], [weight for _, weight in able])[0]

    # --- the clinic ---------------------------------------------------------------------------------------------

    def _put(self, record: Record, what: str) -> None:
        # What stands there when Kreslo comes was committed long ago, whatever its stamps say.
        late = self._chance.choice(self._rules.late) if self._clock.monotonic() else 0.0
        self._mis.put(record, late=late)
        self._tell(f"MIS: {what}" + (f" (committed {late:.0f} s later)" if late else ""))

    def _set(self, appointment: Appointment, what: str, **values: Any) -> None:
        values["changed_at"] = self._clock.now()
        record = msgspec.structs.replace(appointment, **values)
        self._put(record, f"appointment {appointment.id} of patient {appointment.patient_id} {what}")

    def _patient(self, surname: str, name: str, birth: date | None, **more: Any) -> Patient:
        if "phones" not in more:
            none = self._chance.random() < 0.1
            more["phones"] = () if none else (self._phone(),)
        number = self._mis.next_id(RecordKind.PATIENT)
        patient = Patient(
            id=number, surname=surname, name=name, birth_date=birth, card_number=f"К-{number}", **more
        )
        self._put(patient, f"patient {number}: {surname} {name} {_shown(patient.phones)}")
        return patient

    def _phone(self) -> Phone:
        return Phone(self._chance.choice(self._numbers), PhoneKind.MOBILE)

    def _family(self) -> None:
        mothers = [each for each in self._mis.patients() if each.surname == "Ёлкина"]
        mother = mothers[0] if mothers else self._patient(*_PEOPLE[0])
        self._patient(*_CHILD, phones=mother.phones, guardian="Ёлкина Мария")

    def _new_patient(self) -> None:
        known = {each.surname for each in self._mis.patients()}
        free = [person for person in _PEOPLE if person[0] not in known]
        if free:
            self._patient(*self._chance.choice(free))

    def _change_patient(self) -> None:
        patient = self._chance.choice(self._mis.patients())
        change = self._chance.choice(("phone", "refuses", "card"))
        if change == "phone":
            new: dict[str, Any] = {"phones": (*patient.phones[:1], self._phone())}
        elif change == "refuses":
            new = {"messages_refused": not patient.messages_refused}
        else:
            new = {"card_number": f"{patient.card_number}/1"}
        self._put(msgspec.structs.replace(patient, **new), f"patient {patient.id} changes: {change}")

    def _slot(self, days: float) -> datetime:
        """A quarter of an hour in working time, about so many days from now."""
        then = (self._clock.now() + timedelta(days=days)).replace(minute=15 * self._chance.randrange(4))
        return then.replace(hour=self._chance.randint(6, 16), second=0, microsecond=0)

    def _book(self, days: float, patient: Patient | None = None, **more: Any) -> Appointment:
        patient = patient or self._chance.choice(self._mis.patients())
        starts_at = more.pop("starts_at", None) or self._slot(days)
        number = self._mis.next_id(RecordKind.APPOINTMENT)
        entered = min(self._clock.now(), starts_at)
        usual = {
            "ends_at": starts_at + timedelta(minutes=30),
            "created_at": entered,
            "changed_at": entered,
            "doctor": self._chance.choice(DOCTORS),
        }
        record = Appointment(id=number, patient_id=patient.id, starts_at=starts_at, **{**usual, **more})
        after = f", moved from {record.predecessor_id}" if record.predecessor_id else ""
        self._put(
            record, f"appointment {number} of patient {patient.id} booked for {starts_at:%d.%m %H:%M}{after}"
        )
        return record

    def _family_books(self) -> None:
        """Two patients on one phone are booked at once, and somebody on that phone had asked before."""
        phones = [phone for patient in self._mis.patients() for phone in patient.phones[:1]]
        shared = [phone for phone in phones if phones.count(phone) > 1]
        if shared:
            phone = self._chance.choice(shared)
            self.staff.lead("Мария", phone.e164, CLAIM_STAGE, f"{phone.e164} (family)")
            for patient in [each for each in self._mis.patients() if each.phones[:1] == (phone,)]:
                self._book(self._chance.uniform(0.5, 4), patient)

    def _book_badly(self) -> None:
        """A row that no reader understands, until somebody corrects it."""
        record = self._book(self._chance.uniform(1, 5))
        self._mis.broken.add(ref_of(record))
        self._tell(f"MIS: the row of appointment {record.id} cannot be read")
        if self._chance.random() < 0.5:

            def mend() -> None:
                self._tell(f"MIS: the row of appointment {record.id} is corrected")
                if ref_of(record) in self._mis.now_there:
                    self._mis.mend(record)

            self._clock.plan(self._chance.uniform(600, 90000), mend)

    def _walk_in(self) -> None:
        now = self._clock.now().replace(second=0, microsecond=0)
        if not 5 <= now.hour < 18:  # at night nobody comes; and the hour that is there twice has two readings
            return
        self._book(0, starts_at=now, appeared_at=now, created_at=now)

    def _open(self) -> list[Appointment]:
        return [each for each in self._mis.appointments() if not (each.cancelled_at or each.ended_at)]

    def _one(self, found: Sequence[Appointment]) -> Appointment | None:
        return self._chance.choice(found) if found else None

    def _ahead(self) -> list[Appointment]:
        return [each for each in self._open() if each.starts_at > self._clock.now() and not each.appeared_at]

    def _move_to_new_row(self) -> None:
        old = self._one(self._ahead())
        if old is None:
            return
        patient = next(each for each in self._mis.patients() if each.id == old.patient_id)
        link = "" if self._rules.source == "helix" else old.id  # of what was moved where, a file says nothing
        new = self._book(self._chance.uniform(0.2, 6), patient, predecessor_id=link, doctor=old.doctor)
        self._set(old, f"cancelled for {new.id}", cancelled_at=self._clock.now(), cancel_reason="")

    def _move_in_row(self) -> None:
        old = self._one(self._ahead())
        if old is not None:
            starts_at = self._slot(self._chance.uniform(0.2, 6))
            ends_at = starts_at + timedelta(minutes=30)
            what = f"moved in its row to {starts_at:%d.%m %H:%M}"
            self._set(old, what, starts_at=starts_at, ends_at=ends_at, confirmed_at=None)

    def _cancel(self) -> Appointment | None:
        old = self._one(self._ahead())
        if old is not None:
            reason = self._chance.choice(("Заболел", "", RESCHEDULE_REASON))
            self._set(old, f"cancelled ({reason})", cancelled_at=self._clock.now(), cancel_reason=reason)
        return old

    def _rebook(self) -> None:
        """Cancel and book again, or the other way round, within a day or a little more."""
        old = self._one(self._ahead())
        if old is None:
            return
        patient = next(each for each in self._mis.patients() if each.id == old.patient_id)
        doctor = old.doctor if self._chance.random() < 0.8 else self._chance.choice(DOCTORS)

        def cancel() -> None:
            now = self._mis.now_there.get(ref_of(old))
            if isinstance(now, Appointment) and not (now.cancelled_at or now.ended_at):
                self._set(now, "cancelled", cancelled_at=self._clock.now(), cancel_reason="Заболел")

        def book() -> None:
            self._book(self._chance.uniform(0.2, 5), patient, doctor=doctor)

        first, second = (cancel, book) if self._chance.random() < 0.6 else (book, cancel)
        first()
        self._clock.plan(self._chance.choice((30.0, 900.0, 20 * 3600.0, 26 * 3600.0)), second)

    def _arrive(self) -> None:
        old = self._one([each for each in self._open() if not each.appeared_at])
        if old is not None and old.starts_at < self._clock.now() + timedelta(hours=12):
            self._set(old, "arrived", appeared_at=self._clock.now())

    def _complete(self) -> None:
        now = self._clock.now()
        old = self._one([each for each in self._open() if each.starts_at < now + timedelta(hours=8)])
        if old is None:
            return
        amount = Decimal(self._chance.choice((0, 1500, 12000)))
        self._set(old, f"completed for {amount}", started_at=now, ended_at=now, billed_at=now, amount=amount)

    def _correct(self) -> None:
        """The clinic takes something back."""
        ended = [each for each in self._mis.appointments() if each.ended_at and not each.cancelled_at]
        gone = [
            each
            for each in self._mis.appointments()
            if each.cancelled_at
            and not any(other.predecessor_id == each.id for other in self._mis.appointments())
        ]
        if ended and self._chance.random() < 0.6:
            old = self._chance.choice(ended)
            if self._chance.random() < 0.5:
                self._set(old, "billed anew for 777", amount=Decimal(777))
            else:
                self._set(
                    old, "was cancelled after all", cancelled_at=self._clock.now(), cancel_reason="Ошибка"
                )
        elif gone:
            self._set(self._chance.choice(gone), "stands again", cancelled_at=None, cancel_reason="")

    def _delete_row(self) -> None:
        """A booking is deleted and leaves no trace. Never the last one: a table without rows is no day's work."""
        horizon = self._clock.now() - timedelta(days=20)
        if sum(each.starts_at > horizon for each in self._mis.appointments()) > 1:
            old = self._one(self._ahead())
            if old is not None:
                self._mis.remove(ref_of(old))
                self._tell(f"MIS: the row of appointment {old.id} is deleted")

    def _confirm(self) -> None:
        old = self._one(self._ahead())
        if old is not None:
            self._set(old, "confirmed", confirmed_at=self._clock.now())

    def confirm_ticket(self, phone: str, days: float) -> Appointment:
        """An administrator books who left this phone, about so many days ahead: a known patient or a new one."""
        known = [each for each in self._mis.patients() if phone in {own.e164 for own in each.phones}]
        if known:
            patient = self._chance.choice(known)
        else:
            patient = self._patient("Заявкина", "Анна", None, phones=(Phone(phone, PhoneKind.MOBILE),))
        return self._book(days, patient)

    def _enquire(self) -> None:
        patients = [each for each in self._mis.patients() if each.phones]
        of_patient = patients and self._chance.random() < 0.5
        phone = self._chance.choice(patients).phones[0] if of_patient else self._phone()
        number = self._mis.next_id(RecordKind.ENQUIRY)
        name = self._chance.choice(("Мария", "", "Аноним"))
        record = Enquiry(id=number, created_at=self._clock.now(), phones=(phone,), name=name)
        self._put(record, f"enquiry {number} from {phone.e164}")


def _shown(phones: Sequence[Phone]) -> str:
    return ", ".join(phone.e164 for phone in phones) or "no phone"
