"""The made-up people of the demo clinic, and how a registrar writes them down. Their numbers are made up, too."""

from datetime import date, timedelta
from random import Random

import msgspec

_SURNAMES = (
    "Ивлев",
    "Мельников",
    "Кравцов",
    "Ольшанов",
    "Верещагин",
    "Ракитин",
    "Тополев",
    "Зимин",
    "Лугов",
    "Ёлкин",
)
_WOMEN = ("Мария", "Анна", "Ольга", "Елена", "Ирина", "Юлия", "Вера", "Дарья")
_MEN = ("Игорь", "Пётр", "Олег", "Роман", "Антон", "Глеб", "Максим", "Павел")
_FATHERS = ("Петров", "Олегов", "Романов", "Антонов", "Глебов", "Максимов", "Павлов")
DOCTORS = (
    ("Кравченко Олег Юрьевич", "Хирург"),
    ("Ясная Дарья Олеговна", "Гигиенист"),
    ("Белозёрова Ирина Павловна", "Терапевт"),
    ("Тополев Максим Андреевич", "Ортопед"),
    ("Зорина Алина Михайловна", "Ортодонт"),
)
SURGEON = 0


class Person(msgspec.Struct):
    """`phone` is the cell as the registrar typed it. `guardian`: a child's parent."""

    id: int
    name: str
    phone: str
    born: date
    guardian: str = ""
    refused: bool = False

    @property
    def card(self) -> str:
        return f"К-{self.id:05}"


def people(chance: Random, count: int, today: date) -> list[Person]:
    """In households: an adult, sometimes with a child on the same telephone."""
    found: list[Person] = []
    while len(found) < count:
        number = len(found) + 1
        surname = chance.choice(_SURNAMES)
        adult = _person(chance, number, surname, today - timedelta(days=chance.randint(8_000, 28_000)))
        found.append(adult)
        if chance.random() < 0.15 and len(found) < count:
            born = today - timedelta(days=chance.randint(1_500, 6_000))
            child = _person(chance, number + 1, surname, born)
            while child.name == adult.name:  # nobody could tell them apart by name and telephone
                child = _person(chance, number + 1, surname, born)
            child.phone, child.guardian = adult.phone, adult.name
            found.append(child)
    return found


def caller(chance: Random, number: int) -> tuple[str, str]:
    """Name and telephone of somebody who fills in the site's form."""
    return chance.choice(_WOMEN + _MEN), _typed(chance, 5_000_000 + number)


def _person(chance: Random, number: int, surname: str, born: date) -> Person:
    woman = chance.random() < 0.55
    surname = f"{surname}{'а' if woman else ''}"
    name = chance.choice(_WOMEN if woman else _MEN)
    father = chance.choice(_FATHERS) + ("на" if woman else "ич")
    return Person(
        number, f"{surname} {name} {father}", _typed(chance, number), born, refused=chance.random() < 0.04
    )


def _typed(chance: Random, number: int) -> str:
    digits = f"{1_000_003 + number * 37 % 8_999_983:07}"
    spelled = (
        f"+7 (900) {digits[:3]}-{digits[3:5]}-{digits[5:]}",
        f"8900{digits}",
        f"8 900 {digits[:3]} {digits[3:]}",
        f"8-900-{digits[:3]}-{digits[3:5]}-{digits[5:]} моб.",
    )
    return chance.choice(spelled)
