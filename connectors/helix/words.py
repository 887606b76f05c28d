"""The words by which columns, totals and statuses of a 1C export are known. A profile adds its own."""

from functools import lru_cache

COLUMNS: dict[str, tuple[str, ...]] = {
    "appointment_id": ("Код записи", "Номер записи", "ID записи", "Код визита", "Номер визита", "ID визита", "Код приёма", "Номер приёма"),
    "patient_id": ("Код пациента", "ID пациента", "Номер пациента", "Код клиента", "ID клиента"),
    "card_number": ("Номер медкарты", "Медкарта", "№ карты", "Номер карты", "Карта", "№ медкарты", "Амбулаторная карта"),
    "name": ("ФИО", "ФИО пациента", "Пациент", "Клиент", "ФИО клиента", "Полное имя"),
    "surname": ("Фамилия", "Фамилия пациента"),
    "given_name": ("Имя", "Имя пациента"),
    "patronymic": ("Отчество", "Отчество пациента"),
    "phone": ("Телефон", "Тел.", "Контакт", "Контакты", "Мобильный", "Мобильный телефон", "Моб. телефон", "Сотовый", "Телефон пациента", "Номер телефона", "Телефоны", "Телефон клиента"),
    "phone_other": ("Телефон 2", "Доп. телефон", "Домашний телефон", "Дополнительный телефон", "Второй телефон"),
    "birth_date": ("Дата рождения", "ДР", "Д.р.", "Родился"),
    "sex": ("Пол",),
    "email": ("Почта", "E-mail", "Электронная почта", "Эл. почта"),
    "address": ("Адрес", "Адрес пациента"),
    "guardian": ("Представитель", "Родитель", "Законный представитель", "ФИО родителя", "Опекун"),
    "policy": ("Полис", "Номер полиса", "Полис ДМС"),
    "messages_refused": ("Отказ от рассылки", "Отказ от СМС", "Не отправлять СМС", "Отказ от сообщений"),
    "archived": ("Архив", "В архиве"),
    "starts_at": ("Дата и время", "Дата и время приёма", "Дата и время визита", "Дата/время", "Дата время", "Начало", "Начало приёма", "Время начала"),
    "date": ("Дата", "Дата приёма", "Дата визита", "День", "Последний визит", "Дата последнего визита", "Последний приём", "Был на приёме"),
    "time": ("Время", "Время приёма", "Время визита", "Час"),
    "ends_at": ("Окончание", "Конец", "Окончание приёма", "Время окончания"),
    "minutes": ("Длительность", "Длительность, мин", "Минут"),
    "doctor_id": ("Код врача", "ID врача"),
    "doctor": ("Врач", "Фамилия врача", "ФИО врача", "Доктор", "Специалист"),
    "specialty": ("Специальность", "Специализация", "Специальность врача", "Направление"),
    "branch": ("Филиал", "Подразделение", "Клиника"),
    "room": ("Кабинет", "Кресло"),
    "amount": ("Сумма", "Сумма, руб.", "Стоимость", "Оплачено", "Сумма визита", "Итоговая сумма"),
    "insured": ("ДМС", "По ДМС", "Страховой"),
    "services": ("Услуги", "Услуга", "Оказанные услуги"),
    "status": ("Статус", "Состояние", "Статус записи", "Статус визита"),
    "cancel_reason": ("Причина отмены", "Причина"),
    "created_at": ("Дата создания", "Создано", "Дата обращения", "Дата заявки", "Дата и время обращения", "Дата записи"),
    "source": ("Источник", "Источник обращения", "Откуда узнали", "Реклама"),
    "result": ("Результат", "Итог", "Итог обращения"),
    "comment": ("Комментарий", "Примечание", "Заметка", "Комментарии"),
    "mark": ("Отметка", "Отметка врача", "Рекомендация", "Рекомендации", "Памятка"),
}  # fmt: skip
"""Canonical column → its titles. Which column means what in Helix is not public: these are what 1C exports call them."""

FREE_TEXT = frozenset({"", "comment", "address", "services", "result", "mark", "source", "cancel_reason"})
"""Columns in which a line break that nobody escaped can be mended without mixing two people up."""

TOTALS = frozenset({"итого", "итог", "всего", "total"})

STATUSES: dict[str, str] = {
    "отмен": "cancelled",
    "отказ": "cancelled",
    "перенес": "moved",
    "перенос": "moved",
    "не пришел": "",
    "не явил": "",
    "неявк": "",
    "заверш": "completed",
    "выполн": "completed",
    "состоял": "completed",
    "оплач": "completed",
    "приш": "arrived",
    "подтвер": "confirmed",
}
"""How a status begins or what it holds → the fact it stands for; "" is none. The first that fits counts, so «не пришёл»
stands before «пришёл».
"""


def folded(title: object) -> str:
    """For comparison: lower case, ё as е, letters and digits only."""
    return _folded(title if isinstance(title, str) else str(title))


@lru_cache(maxsize=1024)
def _folded(title: str) -> str:
    """A clinic's doctors, statuses and branches stand in every row."""
    return "".join(char for char in title.lower().replace("ё", "е") if char.isalnum())
