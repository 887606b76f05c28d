"""Who works in the account."""

import msgspec

INTEGRATION_USER = 8_000_001
"""Owner of the token: the integration's own user, an administrator."""

ROBOT_USER = 0
"""How amoCRM signs what robots, sources and its own machinery do."""

ADMINISTRATOR = 8_000_003


class Person(msgspec.Struct, frozen=True):
    id: int
    name: str
    email: str
    admin: bool = False
    active: bool = True


PEOPLE = (
    Person(INTEGRATION_USER, "Интеграция Kreslo", "kreslo@clinic.example", admin=True),
    Person(8_000_002, "Ольга Управляющая", "olga@clinic.example", admin=True),
    Person(ADMINISTRATOR, "Анна Первая", "anna@clinic.example"),
    Person(8_000_004, "Мария Вторая", "maria@clinic.example"),
    Person(8_000_005, "Пётр Звонков", "petr@clinic.example"),
    Person(8_000_006, "Уволенный Сотрудник", "former@clinic.example", active=False),
)
