"""What is written where clinic staff read it: notes, questions, reasons. Russian first."""

from datetime import datetime

KINDS = {"ru": {True: "первичный", False: "повторный"}, "en": {True: "primary", False: "repeat"}}

_TEXTS = {
    "ru": {
        "moved": "Визит перенесён с {old} на {new}",
        "moved_inferred": "Визит перенесён с {old} на {new} (отмена и новая запись подряд: перенос определён автоматически)",
        "moved_open": "Визит перенесён, новая дата не назначена",
        "corrected": "МИС исправила статус визита: было «{old}», стало «{new}»",
        "vanished": "Запись исчезла из МИС",
        "superseded": "Этот визит продолжается в другой карточке: перенос выяснился позже",
        "second_lead": "У этого номера есть более новая заявка, визит привязан к ней",
        "late_lead": "Пациент уже записан на {when}",
        "linked_lead": "Заявка привязана к визиту {when}",
        "several": "Несколько контактов CRM подходят пациенту по телефону и имени",
        "birth_date": "Телефон и имя совпадают, а дата рождения другая",
        "deleted_contact": "Контакт пациента удалён в CRM. Создать заново?",
        "deleted_visit": "Карточка визита удалена в CRM. Создать заново?",
        "shared": "Контакт пациента объединён в CRM с контактом другого пациента",
        "deleted_enquiry": "Карточка обращения удалена в CRM. Создать заново?",
        "twins": "На этом телефоне несколько пациентов, к которым подходит этот контакт",
        "merged_patients": "Пациенты объединены в МИС: проверьте их контакты в CRM",
        "key_twice": "Один и тот же ключ стоит на нескольких карточках CRM",
        "field_parked": "Поле «{field}» трижды переписано кем-то другим на то же самое: Kreslo его больше не пишет",
        "field_parked_fix": "Найдите в CRM робота или сотрудника, который пишет это поле, затем отправьте снова.",
        "case_fix": "Исправьте выражение в файле сопоставления, поле CRM или запись в МИС: Kreslo попробует снова сам.",
        "fix_data": "Исправьте запись в МИС или карточку в CRM: когда она изменится, Kreslo попробует снова.",
        "fix_permission": "Проверьте права вебхука или токена в CRM, затем отправьте снова.",
        "fix_configuration": "Исправьте настройку моста (kreslo check), затем отправьте снова.",
        "fix_other": "Посмотрите причину, затем отправьте снова.",
        "lost": "Неизвестно, дошла ли запись до CRM: ответа не было, и поиск ничего не доказал",
        "fix_lost": "Найдите карточку в CRM и укажите её в вопросе, или велите отправить снова.",
        "taken": "CRM назвала карточку, которая уже принадлежит другому случаю",
        "fix_row": "Исправьте запись в МИС; Kreslo прочитает её снова сам.",
        "no_phone": "Обращение без телефона: карточку не к чему привязать",
        "fix_phone": "Впишите телефон в обращении; Kreslo прочитает его снова сам.",
        "expression_failed": "Выражение из файла сопоставления не вычисляется для этой записи: {why}",
        "not_read_yet": "МИС ещё ни разу не прочитана целиком: сравнивать не с чем; повторите позже",
        "compare_stopped": "Сравнение с МИС остановлено: {why}. Ничего не названо удалённым; проверьте источник",
        "heal_stopped": "Сравнение ничего не исправило: {why}",
        "no_keys": "источник не назвал ни одного ключа",
        "many_absent": "в источнике разом не стало {absent} записей из {known}",
        "blast": (
            "правка затронула бы {cards} карточек из {all_cards}; сама собой она идёт до {most} карточек и {percent} %. "
            "Посмотрите, что разошлось (kreslo reconcile), и велите исправить: kreslo reconcile "
            "--heal --yes"
        ),
        "doubtful_visit": "В CRM уже есть сделка на это время, и неясно, этого ли она визита",
    },
    "en": {
        "moved": "The visit was moved from {old} to {new}",
        "moved_inferred": "The visit was moved from {old} to {new} (inferred: a cancellation and a new booking in a row)",
        "moved_open": "The visit was moved, no new date yet",
        "corrected": 'The MIS corrected the visit\'s status: it was "{old}", it is "{new}"',
        "vanished": "The appointment vanished from the MIS",
        "superseded": "This visit goes on in another card: the reschedule became known later",
        "second_lead": "This number has a newer lead, and the visit was linked to that one",
        "late_lead": "The patient is already booked for {when}",
        "linked_lead": "The lead was linked to the visit of {when}",
        "several": "Several contacts of the CRM fit the patient by phone and name",
        "birth_date": "Phone and name agree, the birth date does not",
        "deleted_contact": "The patient's contact was deleted in the CRM. Make it again?",
        "deleted_visit": "The visit's card was deleted in the CRM. Make it again?",
        "shared": "The patient's contact was merged in the CRM with another patient's",
        "deleted_enquiry": "The enquiry's card was deleted in the CRM. Make it again?",
        "twins": "Several patients on this phone fit this contact",
        "merged_patients": "Two patients were merged in the MIS: check their contacts in the CRM",
        "key_twice": "The same key stands on several cards of the CRM",
        "field_parked": 'Somebody else has rewritten the field "{field}" three times in the same way: Kreslo writes it no more',
        "field_parked_fix": "Find the robot or the person that writes this field in the CRM, then send again.",
        "case_fix": "Correct the expression in the mapping, the CRM's field or the record in the MIS; it is tried again by itself.",
        "fix_data": "Correct the record in the MIS or the card in the CRM: when it changes, Kreslo tries again.",
        "fix_permission": "Check the rights of the webhook or token in the CRM, then send again.",
        "fix_configuration": "Correct the bridge's settings (kreslo check), then send again.",
        "fix_other": "Look at the reason, then send again.",
        "lost": "Nobody knows whether the CRM has it: there was no answer, and looking for it proved nothing",
        "fix_lost": "Find the card in the CRM and name it in the question, or have it sent again.",
        "taken": "The CRM named a card that belongs to another case already",
        "fix_row": "Correct the record in the MIS; Kreslo reads it again by itself.",
        "no_phone": "An enquiry without a phone: there is nothing to tie its card to",
        "fix_phone": "Write a phone into the enquiry; Kreslo reads it again by itself.",
        "expression_failed": "An expression of the mapping cannot be computed for this record: {why}",
        "not_read_yet": "the first read of the MIS is not complete yet: there is nothing to compare with; try again later",
        "compare_stopped": "The comparison with the MIS was stopped: {why}. Nothing was called gone; check the source",
        "heal_stopped": "The comparison mended nothing: {why}",
        "no_keys": "the source gave no key at all",
        "many_absent": "{absent} of {known} records are absent from the source at once",
        "blast": (
            "mending would move {cards} cards of {all_cards}; by itself it goes as far as {most} cards and {percent} %. "
            "Look at what differs (kreslo reconcile), and have it mended: kreslo reconcile "
            "--heal --yes"
        ),
        "doubtful_visit": "The CRM has a deal at this time already, and it is not clear whether it is this visit's",
    },
}

PHASES = {
    "ru": {
        "upcoming": "будущий приём",
        "tomorrow": "будущий приём",
        "today": "будущий приём",
        "confirmed": "подтверждён",
        "arrived": "пациент в клинике",
        "completed": "завершён",
        "cancelled": "отменён",
        "rescheduled": "перенесён",
        "no_show": "не пришёл",
    },
    "en": {},
}


def text(language: str, name: str, **values: str) -> str:
    return _TEXTS[language][name].format(**values)


def phase_name(language: str, phase: str) -> str:
    return PHASES[language].get(phase, phase)


def moment(value: datetime) -> str:
    """An instant as staff read it; `value` is local already."""
    return f"{value:%d.%m.%Y %H:%M}"
