"""Rows as drafts of records: everything a row says, before it is known whose row it is."""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from connectors.helix import cells, naming
from connectors.helix.options import BranchOptions, HelixOptions, ProfileOptions
from connectors.helix.tables import Cell, Row
from connectors.helix.words import STATUSES, folded
from kreslo.records import Branch, Doctor, Phone, PhoneKind, RecordKind, Sex
from kreslo.records.names import PersonName

Read = TypeVar("Read")

_SEX = {"м": Sex.MALE, "муж": Sex.MALE, "мужской": Sex.MALE, "m": Sex.MALE}
_SEX |= {"ж": Sex.FEMALE, "жен": Sex.FEMALE, "женский": Sex.FEMALE, "f": Sex.FEMALE}
_LATIN = re.compile("[A-Za-z]")
_NO_BRANCH = BranchOptions()
_TEXTS = {"email": "email", "address": "address", "card_number": "card_number", "policy": "policy"}
KINDS = {
    "appointment": RecordKind.APPOINTMENT,
    "completed": RecordKind.APPOINTMENT,
    "patient": RecordKind.PATIENT,
    "enquiry": RecordKind.ENQUIRY,
    "campaign": RecordKind.ENTRY,
}


class PersonDraft(msgspec.Struct, kw_only=True):
    """Who a row speaks of. `id` is the MIS's own, "" where the file has none. `key`: the name, to compare; "" for none.
    `fields`: of Patient, those that the file has columns for. `keys`: see `identity`, once they are made.
    """

    id: str = ""
    surname: str = ""
    name: str = ""
    patronymic: str = ""
    key: str = ""
    phones: tuple[Phone, ...] = ()
    birth_date: date | None = None
    fields: dict[str, Any] = {}
    keys: list[str] | None = None


class Draft(msgspec.Struct, kw_only=True):
    """`id` is the MIS's own, "" where the file has none. `fields`: of Appointment, Enquiry or Entry, those the file has
    columns for. `fact`: what a status says. `timed`: whether the row says an hour. `doubt`: what looks wrong with the name.
    """

    kind: RecordKind
    number: int
    id: str = ""
    person: PersonDraft
    fields: dict[str, Any] = {}
    fact: str = ""
    timed: bool = True
    day: date | None = None
    doubt: str = ""


class Rows:
    """The reader of one profile's rows."""

    def __init__(self, options: HelixOptions, profile: ProfileOptions, today: date) -> None:
        self._profile = profile
        self._today = today
        self._zone = ZoneInfo(options.timezone)
        self._branches = {folded(name): (name, branch) for name, branch in options.branches.items()}
        self._area_code = options.area_code
        self._kind = KINDS[profile.row]
        self._statuses = {
            **{folded(word): fact for word, fact in profile.statuses.items()},
            **{folded(word): fact for word, fact in STATUSES.items()},
        }

    def draft(self, row: Row) -> Draft:
        """Raises ValueError with a reason that names the column and does not repeat its value."""
        found: dict[str, Cell] = {**row.cells, **self._profile.set} if self._profile.set else row.cells
        branch = self._branch(found)
        person, doubt = self._person(found, branch)
        if self._kind is RecordKind.ENQUIRY:
            doubt = ""  # who fills in a form has no patronymic
        draft = Draft(kind=self._kind, number=row.number, person=person, doubt=doubt)
        if self._kind is RecordKind.APPOINTMENT:
            self._appointment(draft, found, branch)
        elif self._kind is RecordKind.ENQUIRY:
            self._enquiry(draft, found)
        elif self._kind is RecordKind.ENTRY:
            self._entry(draft, found, branch)
        return draft

    def _person(self, found: Mapping[str, Cell], branch: BranchOptions) -> tuple[PersonDraft, str]:
        name, doubt = _name(found)
        id_ = cells.text(found.get("patient_id"))
        area = branch.area_code or self._area_code
        phones = _phones(found, area)
        fields: dict[str, Any] = {
            field: cells.text(found[column]) for column, field in _TEXTS.items() if column in found
        }
        if "guardian" in found:
            fields["guardian"] = naming.tidy(cells.text(found["guardian"]))
        if "sex" in found:
            fields["sex"] = _SEX.get(folded(found["sex"]))
        for column, what in (("messages_refused", "отказ от сообщений"), ("archived", "архив")):
            if column in found:
                fields[column] = cells.flag(found[column], what)
        if self._kind is RecordKind.PATIENT:
            for column in ("comment", "source"):
                if column in found:
                    fields[column] = cells.long_text(found[column])
        born = None
        if "birth_date" in found:
            try:
                born = cells.birth_date(found["birth_date"], self._today)
            except ValueError as error:
                # A wrong birth date must not hold up a visit, unless it is all that tells who comes.
                if not id_ and not phones:
                    raise
                doubt = doubt or str(error)
        person = PersonDraft(
            id=id_,
            surname=name.surname,
            name=name.name,
            patronymic=name.patronymic,
            key=naming.key(name.surname, name.name, name.patronymic).strip("|"),
            phones=phones,
            birth_date=born,
            fields=fields,
        )
        if self._kind is not RecordKind.ENQUIRY:
            _identified(person, found)
        return person, doubt

    def _appointment(self, draft: Draft, found: Mapping[str, Cell], branch: BranchOptions) -> None:
        zone, fields = self._visit(draft, found, branch)
        if "starts_at" not in fields:
            raise ValueError("дата приёма: пусто")
        for column in ("room", "cancel_reason"):
            if column in found:
                fields[column] = cells.text(found[column])
        if "amount" in found:
            amount = cells.money(found["amount"])
            if amount is None and self._profile.empty_amount == "zero" and self._profile.row == "completed":
                amount = cells.money(0)
            fields["amount"] = amount
        if "insured" in found:
            fields["insured"] = cells.flag(found["insured"], "ДМС")
        if "created_at" in found:
            fields["created_at"] = cells.instant(found["created_at"], zone)
        draft.fields = fields
        draft.fact = "completed" if self._profile.row == "completed" else ""
        if "status" in found and (status := folded(cells.text(found["status"]))):
            draft.fact = self._fact(status) or draft.fact

    def _entry(self, draft: Draft, found: Mapping[str, Cell], branch: BranchOptions) -> None:
        zone, fields = self._visit(draft, found, branch)
        fields["campaign"] = self._profile.campaign
        if "mark" in found:
            fields["mark"] = cells.text(found["mark"])
        if "created_at" in found and (created := cells.instant(found["created_at"], zone)) is not None:
            fields["created_at"] = created
        draft.fields = fields

    def _visit(
        self, draft: Draft, found: Mapping[str, Cell], branch: BranchOptions
    ) -> tuple[ZoneInfo, dict[str, Any]]:
        """The clinic's zone and what the row says of a visit; no `starts_at` where it names none."""
        zone = ZoneInfo(branch.timezone) if branch.timezone else self._zone
        when, clock = ("starts_at", None) if "starts_at" in found else ("date", found.get("time"))
        starts_at = cells.instant(found.get(when), zone, clock)
        draft.id = cells.text(found.get("appointment_id"))
        fields: dict[str, Any] = {}
        if starts_at is not None:
            local = starts_at.astimezone(zone)
            draft.day = local.date()
            draft.timed = (local.hour, local.minute) != (0, 0)
            fields = {"starts_at": starts_at, **self._end(found, zone, starts_at)}
        if "doctor" in found or "doctor_id" in found:
            fields["doctor"] = _doctor(found)
        if "branch" in found:
            fields["branch"] = self._branch_record(found)
        if "source" in found:
            fields["source"] = cells.text(found["source"])
        if "comment" in found:
            fields["comment"] = cells.long_text(found["comment"])
        if "services" in found:
            fields["services"] = _services(cells.long_text(found["services"]))
        return zone, fields

    def _end(self, found: Mapping[str, Cell], zone: ZoneInfo, starts_at: datetime) -> dict[str, Any]:
        if "ends_at" in found:
            cell = found["ends_at"]
            words = cells.text(cell)
            if not words:
                return {}
            timed = isinstance(cell, str) and len(words) <= len("00:00:00")
            base = starts_at.astimezone(zone).date()
            ends_at = cells.instant(base, zone, cell) if timed else cells.instant(cell, zone)
            if ends_at is not None and ends_at < starts_at:
                raise ValueError("окончание: раньше начала")
            return {"ends_at": ends_at}
        minutes = cells.whole_number(found["minutes"], "длительность") if "minutes" in found else None
        minutes = minutes or self._profile.minutes
        return {"ends_at": starts_at + timedelta(minutes=minutes)} if minutes else {}

    def _enquiry(self, draft: Draft, found: Mapping[str, Cell]) -> None:
        if not draft.person.phones:
            raise ValueError("телефон: нет ни одного номера, по которому можно перезвонить")
        draft.id = cells.text(found.get("appointment_id"))
        fields: dict[str, Any] = {"name": cells.text(found.get("name")) or _shown(draft.person)}
        fields["name"] = naming.tidy(fields["name"])
        for column in ("source", "result"):
            if column in found:
                fields[column] = cells.text(found[column])
        for column in ("created_at", "starts_at", "date"):
            if column in found:
                created = cells.instant(
                    found[column], self._zone, found.get("time") if column == "date" else None
                )
                if created is not None:
                    fields["created_at"] = created
                    break
        draft.fields = fields

    def _fact(self, status: str) -> str:
        return next((fact for word, fact in self._statuses.items() if word in status), "")

    def _branch(self, found: Mapping[str, Cell]) -> BranchOptions:
        if "branch" not in found:
            return _NO_BRANCH
        return self._branches.get(folded(cells.text(found["branch"])), ("", _NO_BRANCH))[1]

    def _branch_record(self, found: Mapping[str, Cell]) -> Branch | None:
        title = cells.text(found["branch"])
        if not title:
            return None
        name, known = self._branches.get(folded(title), (title, _NO_BRANCH))
        return Branch(id=folded(title), name=name, address=known.address, timezone=known.timezone)


def _name(found: Mapping[str, Cell]) -> tuple[PersonName, str]:
    """The name's parts, and what looks wrong with them."""
    if "surname" in found and "given_name" in found:
        surname, given, patronymic = (
            naming.tidy(cells.text(found.get(part))) for part in ("surname", "given_name", "patronymic")
        )
        name = PersonName(surname, given, patronymic)
        whole = " ".join(part for part in (surname, given, patronymic) if part)
    else:
        whole = cells.text(found.get("name") or found.get("surname") or found.get("given_name"))
        name = naming.split(whole)
    return name, _doubt(name, whole)


def _doubt(name: PersonName, whole: str) -> str:
    if not whole:
        return ""
    if not name.surname or not name.name:
        return "нет имени" if name.surname else "нет фамилии"
    if name.notes:
        return "в имени есть лишнее"
    if _LATIN.search(whole):
        return "в имени латинские буквы"
    return "" if name.certain else "фамилия, имя и отчество разделены наугад"


def _phones(found: Mapping[str, Cell], area_code: str) -> tuple[Phone, ...]:
    phones: dict[str, Phone] = {}
    for column in ("phone", "phone_other"):
        if (cell := found.get(column)) is not None and cell != "":
            for phone in naming.phones(cells.long_text(cell), area_code):
                phones.setdefault(phone.e164, phone)
    return tuple(phones.values())


def _identified(person: PersonDraft, found: Mapping[str, Cell]) -> None:
    """Raises ValueError where nobody could say whose row this is."""
    if person.id:
        return
    if not person.key:
        raise ValueError("ФИО: пусто или это не имя")
    own = any(phone.kind is not PhoneKind.TOLL_FREE for phone in person.phones)
    if not own and person.birth_date is None:
        written = any(cells.text(found.get(column)) for column in ("phone", "phone_other"))
        reason = "номер 8-800 ничей" if person.phones else "номер не читается" if written else "пусто"
        raise ValueError(
            f"телефон: {reason}, а без телефона, даты рождения и кода пациента не понять, кто это"
        )


def _doctor(found: Mapping[str, Cell]) -> Doctor | None:
    name = naming.tidy(cells.text(found.get("doctor")))
    id_ = cells.text(found.get("doctor_id")) or folded(name)
    return Doctor(id=id_, name=name, specialty=cells.text(found.get("specialty"))) if id_ else None


def _services(lines: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in lines.replace(";", "\n").split("\n") if part.strip())


def _shown(person: PersonDraft) -> str:
    return " ".join(part for part in (person.surname, person.name, person.patronymic) if part)
