"""A change in the words of the clinic: what the journal says in codes, with the mapping's own names."""

import re

from kreslo.mapping.model import Bridge, CampaignStage, FieldRule, StageRule

_WORDS = {
    "create contact": "создан контакт",
    "create deal": "создана сделка",
    "create lead": "создан лид",
    "update contact": "изменён контакт",
    "update deal": "изменена сделка",
    "update lead": "изменён лид",
    "note on contact": "заметка к контакту",
    "note on deal": "заметка к сделке",
    "note on lead": "заметка к лиду",
    "task on contact": "задача по контакту",
    "task on deal": "задача по сделке",
    "task on lead": "задача по лиду",
}
_CHOICES = {
    "unknown_outcome": ("Вот карточка", "Записи нет, отправить", "Оставить как есть"),
    "doubtful_visit": ("Это карточка визита", "Завести новую сделку", "Сделка не нужна"),
    "deleted_contact": ("Вот контакт", "Создать заново", "Не создавать"),
    "deleted_visit": ("", "Создать заново", "Не создавать"),
    "deleted_enquiry": ("", "Создать заново", "Не создавать"),
    "merged_patients": ("", "", "Контакты проверены"),
}
_USUAL = ("Это контакт пациента", "Завести новый контакт", "Оставить без контакта")
_VERB = re.compile("|".join(_WORDS))
_STAGE = re.compile(r"stage (\S+)$")
_COMMON = {"TITLE": "название", "LEAD_ID": "лид"}


def choices_told(rule: str) -> dict[str, str]:
    """What the answers `link`, `new` and `never` to a question of that rule are called; "" for one that it has not."""
    return dict(zip(("link", "new", "never"), _CHOICES.get(rule, _USUAL), strict=True))


class Teller:
    """Built once a bridge; `told` turns one line of the journal."""

    def __init__(self, bridge: Bridge) -> None:
        fields: list[FieldRule] = []
        stages: list[StageRule | CampaignStage] = []
        if bridge.contact:
            fields += bridge.contact.fields
        if bridge.appointment:
            fields += bridge.appointment.fields
            stages += bridge.appointment.stages.values()
        if bridge.enquiry:
            fields += bridge.enquiry.fields
            plan = bridge.enquiry
            stages += [rule for rule in (plan.new, plan.already_booked, plan.stale) if rule]
        for campaign in bridge.campaigns:
            fields += campaign.fields
            stages += campaign.stages
        self._fields = {**_COMMON, **{rule.code: rule.title for rule in fields}}
        self._stages = {rule.stage.stage: rule.name for rule in stages}

    def told(self, what: str) -> str:
        """`update deal: UF_CRM_1; stage C1:WON` → `изменена сделка: ДМС; стадия «Визит состоялся»`."""
        what = _VERB.sub(lambda found: _WORDS[found[0]], what, count=1)
        what = _STAGE.sub(lambda found: f"стадия «{self._stages.get(found[1], found[1])}»", what)
        head, colon, codes = what.partition(": ")
        if not colon or codes.startswith("стадия"):
            return what
        names, semicolon, rest = codes.partition("; ")
        shown = ", ".join(self._fields.get(code, code) for code in names.split(", "))
        return f"{head}: {shown}{semicolon}{rest}"
