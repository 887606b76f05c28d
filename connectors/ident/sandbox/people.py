"""Who works at the clinic and who is treated there."""

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from connectors.ident.sandbox import phones
from connectors.ident.sandbox.names import FATHERS, MEN, SURNAMES, WOMEN, feminine

FIRST_PATIENT = 101
"""Persons.ID of the first patient; staff stand before it."""


@dataclass(slots=True, kw_only=True)
class Person:
    id: int
    surname: str
    name: str
    patronymic: str
    birthday: str | None = None
    mobile: str | None = None
    phone: str | None = None

    @property
    def full_name(self) -> str:
        return " ".join(part for part in (self.surname, self.name, self.patronymic) if part)


@dataclass(slots=True, kw_only=True)
class PatientRow:
    person: Person
    branch: int  # where they usually go
    parent: str | None = None
    insured: str = ""  # "", "flag" (the journal says so) or "silent" (only a zero sum tells)
    refuses_sms: bool = False
    info_source: int | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class StaffMember:
    id: int
    surname: str
    name: str
    patronymic: str
    professions: tuple[int, ...]
    branch: int = 0


ADMINISTRATOR, DIRECTOR, MARKETER = 20, 21, 22
OLD_THERAPIST = 30

PROFESSIONS = (  # ID, NameProfession, ID_Roles, Archive
    (1, "Стоматолог-терапевт", 8, 0),
    (2, "Стоматолог-хирург", 8, 0),
    (3, "Стоматолог-ортопед", 8, 0),
    (4, "Ортодонт", 8, 0),
    (5, "Детский стоматолог", 8, 0),
    (6, "Пародонтолог", 8, 0),
    (7, "Имплантолог", 8, 0),
    (8, "Гигиенист", 8, 0),
    (ADMINISTRATOR, "Администратор", 7, 0),
    (DIRECTOR, "Директор", 9, 0),
    (MARKETER, "Маркетолог", 104, 0),
    (OLD_THERAPIST, "Терапевт (старый прайс)", 8, 1),
)

# Twice as many doctors as chairs in each branch: the rota (rota.py) counts on it.
DOCTORS = (
    StaffMember(1, "Белозёрова", "Ирина", "Павловна", (1,), 1),
    StaffMember(2, "Кравченко", "Олег", "Юрьевич", (2, 7), 1),
    StaffMember(3, "Мирошников", "Антон", "Игоревич", (1, OLD_THERAPIST), 1),
    StaffMember(4, "Савина", "Елена", "Викторовна", (5,), 1),
    StaffMember(5, "Тополев", "Максим", "Андреевич", (3,), 1),
    StaffMember(6, "Ясная", "Дарья", "Олеговна", (8,), 1),
    StaffMember(7, "Лазарев", "Роман", "Сергеевич", (1,), 1),
    StaffMember(8, "Ольшанская", "Вера", "Николаевна", (6,), 1),
    StaffMember(9, "Вершинин", "Павел", "Дмитриевич", (7,), 2),
    StaffMember(10, "Зорина", "Алина", "Михайловна", (4,), 2),
    StaffMember(11, "Костромин", "Глеб", "Романович", (2,), 2),
    StaffMember(12, "Луговая", "Ксения", "Петровна", (4,), 2),
)
OTHERS = (
    StaffMember(13, "Рыжова", "Наталья", "Степановна", (ADMINISTRATOR,), 1),
    StaffMember(14, "Гаврилова", "Юлия", "Борисовна", (ADMINISTRATOR,), 1),
    StaffMember(15, "Панина", "Оксана", "Васильевна", (ADMINISTRATOR,), 2),
    StaffMember(16, "Крылова", "Инна", "Евгеньевна", (ADMINISTRATOR,), 2),
    StaffMember(17, "Белозёров", "Виктор", "Иванович", (DIRECTOR,), 1),
    StaffMember(18, "Шаталова", "Кристина", "Юрьевна", (MARKETER,), 1),
)
STAFF = DOCTORS + OTHERS
REGISTRARS = {1: (13, 14), 2: (15, 16)}

BRANCHES = (  # OwnCompanies.ID, Name, address
    (1, "Стоматология «Белый Парус»", "г. Ветроград, ул. Садовая, 12"),
    (2, "«Белый Парус» Ортодонтия", "г. Ветроград, пр-т Мира, 40"),
)
CHAIRS = (  # Armchairs.ID, NameArmchair, ID_OwnCompanies
    (1, "Кресло 1", 1),
    (2, "Кресло 2", 1),
    (3, "Кресло 3", 1),
    (4, "Кресло 4 (детское)", 1),
    (5, "Ортодонтия 1", 2),
    (6, "Имплантация 1", 2),
)
INFO_SOURCES = (
    (1, "Рекомендация"),
    (2, "Сайт"),
    (3, "Яндекс.Карты"),
    (4, "2ГИС"),
    (5, "ВКонтакте"),
    (6, "Вывеска"),
)


def patients(chance: Random, count: int, today: date) -> list[PatientRow]:
    """`count` patients in households, the last of them an administrator of the clinic: staff are treated too."""
    rows: list[PatientRow] = []
    while len(rows) < count - 1:
        rows += _household(chance, len(rows), today)
    del rows[count - 1 :]
    own = OTHERS[0]
    person = Person(id=own.id, surname=own.surname, name=own.name, patronymic=own.patronymic)
    person.birthday, person.mobile = "14.03.1985", phones.mobile(phones.SECONDS - 1)
    rows.append(PatientRow(person=person, branch=own.branch, info_source=1))
    return rows


def _household(chance: Random, first: int, today: date) -> list[PatientRow]:
    """One adult or two, with children or without, on one phone or on two."""
    roll = chance.random()
    couple = 0.62 <= roll < 0.76 or roll >= 0.96
    children = 0 if roll < 0.76 else 1 if roll < 0.9 or roll >= 0.96 else 2
    surname = chance.choice(SURNAMES)
    branch = 1 if chance.random() < 0.68 else 2
    number = phones.mobile(phones.PATIENTS + first)
    second = phones.mobile(phones.SECONDS + first)
    woman = chance.random() < 0.58 or bool(children)
    head = _adult(chance, FIRST_PATIENT + first, surname, today, woman=woman)
    head.mobile = _cell(chance, number, second)
    if chance.random() < 0.08:
        head.phone = phones.typed_landline(chance, phones.landline(first))
    people = [head]
    parents: list[str | None] = [None]
    if couple:
        mate = _adult(chance, FIRST_PATIENT + first + 1, surname, today, woman=not woman)
        mate.mobile = phones.typed(chance, number if chance.random() < 0.5 else second)
        people.append(mate)
        parents.append(None)
    for _ in range(children):
        child = _child(chance, FIRST_PATIENT + first + len(people), surname, today)
        child.mobile = _child_cell(chance, number)
        people.append(child)
        parents.append(head.full_name)
    return [_patient(chance, person, branch, parent) for person, parent in zip(people, parents, strict=True)]


def _patient(chance: Random, person: Person, branch: int, parent: str | None) -> PatientRow:
    roll = chance.random()
    return PatientRow(
        person=person,
        branch=branch,
        parent=parent,
        insured="flag" if roll < 0.06 else "silent" if roll < 0.11 else "",
        refuses_sms=chance.random() < 0.04,
        info_source=chance.choice((None, None, 1, 2, 3, 4, 5, 6)),
        comment="просит звонить после 18:00" if chance.random() < 0.03 else None,
    )


def _adult(chance: Random, number: int, surname: str, today: date, *, woman: bool) -> Person:
    born = today - timedelta(days=chance.randint(20 * 365, 82 * 365))
    return _person(chance, number, surname, born, woman=woman)


def _child(chance: Random, number: int, surname: str, today: date) -> Person:
    born = today - timedelta(days=chance.randint(3 * 366, 17 * 365))
    return _person(chance, number, surname, born, woman=chance.random() < 0.5)


def _person(chance: Random, number: int, surname: str, born: date, *, woman: bool) -> Person:
    return Person(
        id=number,
        surname=feminine(surname) if woman else surname,
        name=chance.choice(WOMEN if woman else MEN),
        patronymic=chance.choice(FATHERS)[woman] if chance.random() < 0.96 else "",
        birthday=_birthday(chance, born),
    )


def _birthday(chance: Random, born: date) -> str | None:
    """The column is text: what stands in it depends on who typed it and on which version of the program."""
    roll = chance.random()
    if roll < 0.74:
        return f"{born:%d.%m.%Y}"
    if roll < 0.85:
        return f"{born:%Y-%m-%d}"
    if roll < 0.91:
        return f"{born:%d.%m.%Y} 0:00:00"
    if roll < 0.94:
        return f"{born:%Y-%m-%d} 00:00:00.000"
    if roll < 0.942:
        return f"{born:%Y} г."  # a card that says no more than the year
    return None if roll < 0.98 else ""


def _cell(chance: Random, number: str, second: str) -> str | None:
    roll = chance.random()
    if roll < 0.93:
        return phones.typed(chance, number)
    if roll < 0.96:
        return f"{phones.typed(chance, number)}, {phones.typed(chance, second)}"
    if roll < 0.98:
        return f"{phones.bracketed(number)} {chance.choice(('звонить вечером', 'WhatsApp', 'рабочий'))}"
    return None if roll < 0.99 else "нет"


def _child_cell(chance: Random, number: str) -> str | None:
    roll = chance.random()
    if roll < 0.6:
        return phones.typed(chance, number)
    if roll < 0.9:
        return f"{phones.bracketed(number)} {chance.choice(('мама', '(мама)', 'мама, до 20:00'))}"
    return "мама" if roll < 0.95 else None
