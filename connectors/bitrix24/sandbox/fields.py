"""The fields of contacts, deals and leads: types, what REST may write, and their names in both method families."""

import re
from typing import Any

import msgspec


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """`code` is the legacy name, `item_name` that of crm.item.*. `immutable`: written on add only. `options`: of an
    enumeration, id → row of its list. `user_row`: what `userfield.list` shows of a user field.
    """

    code: str
    type: str
    title: str
    item_name: str = ""
    read_only: bool = False
    immutable: bool = False
    multiple: bool = False
    mandatory: bool = False
    status_type: str = ""
    in_lists: bool = True
    options: dict[int, dict[str, Any]] = {}
    user_row: dict[str, Any] = {}

    @property
    def dynamic(self) -> bool:
        return bool(self.user_row)


MULTI_FIELDS = ("PHONE", "EMAIL", "WEB", "IM", "LINK")

INTEGERS = frozenset(
    {"integer", "user", "crm_contact", "crm_lead", "crm_company", "crm_category", "enumeration", "employee"}
)
REFERENCES = frozenset({"crm_status", "crm_contact", "crm_company"})

_ITEM_NAMES = {
    "DATE_CREATE": "createdTime",
    "DATE_MODIFY": "updatedTime",
    "CREATED_BY_ID": "createdBy",
    "MODIFY_BY_ID": "updatedBy",
    "MOVED_BY_ID": "movedBy",
    "STATUS_ID": "stageId",
    "STATUS_SEMANTIC_ID": "stageSemanticId",
}

# code, type, Russian title, then flags: r read-only, i immutable, s:X dictionary X, m multiple, h not in lists
_COMMON = """
ID integer ID r
ASSIGNED_BY_ID user Ответственный
CREATED_BY_ID user Кем_создан r
MODIFY_BY_ID user Кем_изменён r
DATE_CREATE datetime Дата_создания r
DATE_MODIFY datetime Дата_изменения r
LAST_ACTIVITY_TIME datetime Последняя_активность r
LAST_ACTIVITY_BY user Кто_совершил_последнюю_активность r
OPENED char Доступен_для_всех
COMMENTS string Комментарий
COMPANY_ID crm_company Компания
SOURCE_ID crm_status Источник s:SOURCE
SOURCE_DESCRIPTION string Дополнительно_об_источнике
ORIGINATOR_ID string Внешний_источник
ORIGIN_ID string Идентификатор_во_внешнем_источнике
UTM_SOURCE string Рекламная_система
UTM_MEDIUM string Тип_трафика
UTM_CAMPAIGN string Обозначение_рекламной_кампании
UTM_CONTENT string Содержание_кампании
UTM_TERM string Условие_поиска_кампании
"""

_PERSON = """
HONORIFIC crm_status Обращение s:HONORIFIC
NAME string Имя
SECOND_NAME string Отчество
LAST_NAME string Фамилия
BIRTHDATE date Дата_рождения
POST string Должность
ADDRESS string Адрес
HAS_PHONE char Задан_телефон r
HAS_EMAIL char Задан_e-mail r
HAS_IMOL char Задана_открытая_линия r
"""

_MONEY = """
CURRENCY_ID crm_currency Валюта
OPPORTUNITY double Сумма
IS_MANUAL_OPPORTUNITY char Сумма_вручную
CONTACT_ID crm_contact Контакт
CONTACT_IDS crm_contact Контакты mh
IS_RETURN_CUSTOMER char Повторное_обращение
MOVED_BY_ID user Кем_перемещён r
MOVED_TIME datetime Когда_перемещён r
"""

_CONTACT = """
TYPE_ID crm_status Тип_контакта s:CONTACT_TYPE
LEAD_ID crm_lead Лид r
EXPORT char Участвует_в_экспорте
ORIGIN_VERSION string Версия_данных
"""

_DEAL = """
TITLE string Название
TYPE_ID crm_status Тип s:DEAL_TYPE
CATEGORY_ID crm_category Воронка i
STAGE_ID crm_status Стадия s:DEAL_STAGE
STAGE_SEMANTIC_ID string Группа_стадии r
IS_RECURRING char Регулярная_сделка
IS_REPEATED_APPROACH char Повторный_визит
PROBABILITY integer Вероятность
TAX_VALUE double Ставка_налога
LEAD_ID crm_lead Лид r
BEGINDATE date Дата_начала
CLOSEDATE date Дата_завершения
CLOSED char Закрыта
ADDITIONAL_INFO string Дополнительная_информация
LOCATION_ID string Местоположение
"""

_LEAD = """
TITLE string Название
COMPANY_TITLE string Название_компании
STATUS_ID crm_status Стадия s:STATUS
STATUS_SEMANTIC_ID string Группа_стадии r
STATUS_DESCRIPTION string Дополнительно_о_стадии
DATE_CLOSED datetime Дата_завершения r
"""

_MULTI_TITLES = {"PHONE": "Телефон", "EMAIL": "E-mail", "WEB": "Сайт", "IM": "Мессенджер", "LINK": "Ссылка"}


def item_name(code: str) -> str:
    """`ORIGIN_ID` → `originId`, with the few names that crm.item.* calls otherwise."""
    if code in _ITEM_NAMES:
        return _ITEM_NAMES[code]
    first, *rest = code.lower().split("_")
    return first + "".join(part.capitalize() for part in rest)


def user_item_name(code: str) -> str:
    """The camel name of a user field: `UF_CRM_1747` → `ufCrm_1747`, `UF_CRM_44_17` → `ufCrm44_17`,
    `UF_CRM_3_DIGIT` → `ufCrm3Digit`; a part that mixes letters and digits keeps the rest as it is.
    """
    rest = code.removeprefix("UF_CRM_")
    parts = rest.split("_")
    if re.fullmatch(r"\d+", rest):
        return f"ufCrm_{rest}"
    if re.fullmatch(r"\d+_\d+", rest):
        return f"ufCrm{rest}"
    if all(part.isalpha() or (at == 0 and part.isdecimal()) for at, part in enumerate(parts)):
        return "ufCrm" + "".join(part.capitalize() for part in parts)
    return f"ufCrm_{rest}"


def _table(*texts: str) -> dict[str, Field]:
    fields: dict[str, Field] = {}
    for line in "".join(texts).strip().splitlines():
        if not line.strip():
            continue
        code, kind, title, *flags = line.split()
        letters = "".join(flag for flag in flags if ":" not in flag)
        fields[code] = Field(
            code=code,
            type=kind,
            title=title.replace("_", " "),
            item_name=item_name(code),
            read_only="r" in letters,
            immutable="i" in letters,
            multiple="m" in letters,
            in_lists="h" not in letters,
            status_type=next((flag[2:] for flag in flags if flag.startswith("s:")), ""),
        )
    return fields


def _multi() -> dict[str, Field]:
    return {
        code: Field(code=code, type="crm_multifield", title=title, multiple=True, in_lists=False)
        for code, title in _MULTI_TITLES.items()
    }


CONTACT_FIELDS = _table(_COMMON, _PERSON, _CONTACT) | _multi()
DEAL_FIELDS = _table(_COMMON, _MONEY, _DEAL)
LEAD_FIELDS = _table(_COMMON, _PERSON, _MONEY, _LEAD) | _multi()
