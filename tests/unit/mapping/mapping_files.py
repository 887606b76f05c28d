"""Texts of mappings and a CRM's catalog for the tests of this folder."""

from kreslo.connectors.model import (
    Catalog,
    Entity,
    FieldDef,
    FieldType,
    Funnel,
    Needed,
    Semantic,
    Stage,
    User,
)
from kreslo.mapping.load import MappingFile, load_text

ENDPOINTS = """\
bridge: clinic
source: {connector: ident, database: "${DB}", timezone: Europe/Moscow}
target: {connector: bitrix24, webhook: "${HOOK}"}
"""
VISITS = """\
appointment:
  funnel: "Приёмы"
  stages: {upcoming: "Записан на приём"}
"""
ENVIRON = {"DB": "sqlite:///clinic.db", "HOOK": "https://portal.bitrix24.ru/rest/1/s3cret/"}


def read(text: str) -> MappingFile:
    """The mapping, its endpoints left alone."""
    return load_text(text, "mappings/clinic.yaml", environ=ENVIRON, judged=False)


def field(
    code: str,
    title: str = "",
    kind: FieldType = FieldType.TEXT,
    *,
    entity: Entity = Entity.DEAL,
    multiple: bool = False,
    read_only: bool = False,
    options: dict[str, str] | None = None,
) -> FieldDef:
    return FieldDef(entity, code, title or code, kind, multiple, read_only, options or {})


CATALOG = Catalog(
    funnels=(
        Funnel(
            Entity.DEAL,
            "1",
            "Приёмы",
            (
                Stage("C1:NEW", "Записан на приём", 10),
                Stage("C1:TOMORROW", "Визит завтра", 20),
                Stage("C1:YES", "Подтвердил по смс", 30),
                Stage("C1:OK", "Визит подтверждён", 40),
                Stage("C1:WON", "Визит состоялся", 50, Semantic.WON),
                Stage("C1:LOSE", "Визит отменён", 60, Semantic.LOST),
            ),
        ),
        Funnel(Entity.DEAL, "2", "Архив", (Stage("C2:OLD", "Прошлые визиты", 10),)),
        Funnel(Entity.DEAL, "8", "Двойник", (Stage("C8:A", "Раз", 1), Stage("C8:B", "Раз", 2))),
        Funnel(Entity.DEAL, "9", "Двойник", ()),
        Funnel(
            Entity.LEAD,
            "",
            "Лиды",
            (
                Stage("NEW", "Новый", 10),
                Stage("BOOKED", "Записан на консультацию", 20),
                Stage("JUNK", "Пациент уже записан", 30, Semantic.LOST),
                Stage("CONVERTED", "Качественный лид", 40, Semantic.WON),
            ),
        ),
    ),
    fields=(
        field("NAME", "Имя", entity=Entity.CONTACT),
        field("PHONE", "Телефон", FieldType.PHONE, entity=Entity.CONTACT, multiple=True),
        field("BIRTHDATE", "Дата рождения", FieldType.DATE, entity=Entity.CONTACT),
        field("ID", "ID", entity=Entity.CONTACT, read_only=True),
        field("UF_CRM_1", "Номер медкарты", entity=Entity.CONTACT),
        field("UF_CRM_2", "Ближайший визит", FieldType.DATETIME, entity=Entity.CONTACT),
        field(
            "UF_CRM_3", "Пол", FieldType.ENUM, entity=Entity.CONTACT, options={"1": "мужской", "2": "женский"}
        ),
        field("UF_CRM_4", "Заметка", entity=Entity.CONTACT),
        field("UF_CRM_5", "Заметка", entity=Entity.CONTACT),
        field("TITLE", "Название"),
        field("OPPORTUNITY", "Сумма", FieldType.MONEY),
        field("SOURCE_ID", "Источник", FieldType.ENUM, options={"WEB": "Веб-сайт"}),
        field("UF_CRM_9", "Лид", FieldType.REFERENCE),
        field("UF_CRM_10", "Чужой ключ"),
        field("UF_CRM_11", "Начало", FieldType.DATETIME),
        field("TITLE", "Название", entity=Entity.LEAD),
        field("SOURCE_ID", "Источник", FieldType.ENUM, entity=Entity.LEAD, options={"WEB": "Веб-сайт"}),
    ),
    users=(User("1", "Анна Администратор"), User("7", "Мария Регистратор")),
    key_fields={Entity.CONTACT: "UF_KEY", Entity.DEAL: "UF_KEY", Entity.LEAD: "UF_KEY"},
)

STANDARD_FIELDS = (
    *(field(code, entity=Entity.CONTACT) for code in ("NAME", "LAST_NAME", "SECOND_NAME", "ADDRESS", "COMMENTS")),
    field("BIRTHDATE", kind=FieldType.DATE, entity=Entity.CONTACT),
    field("PHONE", kind=FieldType.PHONE, entity=Entity.CONTACT, multiple=True),
    field("EMAIL", kind=FieldType.EMAIL, entity=Entity.CONTACT, multiple=True),
    field("OPPORTUNITY", kind=FieldType.MONEY),
    field("NAME", entity=Entity.LEAD),
    field("PHONE", kind=FieldType.PHONE, entity=Entity.LEAD, multiple=True),
    *(
        field(code, entity=entity)
        for entity in (Entity.DEAL, Entity.LEAD)
        for code in ("TITLE", "SOURCE_ID", "SOURCE_DESCRIPTION", "UTM_SOURCE", "UTM_MEDIUM", "UTM_CAMPAIGN", "UTM_CONTENT", "UTM_TERM")
    ),
)  # fmt: skip


def made(needed: Needed) -> Catalog:
    """A CRM with its standard fields, in which `setup` has made all that a mapping needs."""
    names = dict.fromkeys((stage.entity, stage.funnel) for stage in needed.stages)
    funnels = tuple(
        Funnel(
            entity,
            "" if entity is Entity.LEAD else str(number),
            name,
            tuple(
                Stage(f"S{place}", stage.stage, place * 10, stage.semantic)
                for place, stage in enumerate(needed.stages)
                if (stage.entity, stage.funnel) == (entity, name)
            )
            + ((Stage("CONVERTED", "Качественный лид", 999, Semantic.WON),) if entity is Entity.LEAD else ()),
        )
        for number, (entity, name) in enumerate(names)
    )
    own = tuple(
        field(f"UF_CRM_{number}", each.title, each.type, entity=each.entity)
        for number, each in enumerate(needed.fields)
    )
    return Catalog(
        funnels=funnels,
        fields=(*STANDARD_FIELDS, *own),
        key_fields=dict.fromkeys((Entity.CONTACT, Entity.DEAL, Entity.LEAD), "UF_CRM_KRESLO_KEY"),
    )
