"""The mappings that worlds run with, and the same rules in the oracle's own words."""

from datetime import UTC, datetime

import msgspec

from tests.simulation.clock import START

RESCHEDULE_REASON = "Перенос"
PROTECTED = ("Подтвердил по смс", "Отменил по смс")
CLAIM_STAGE = "Записан на консультацию"
FUNNEL = "Приёмы"
STALE_DAYS = 3
WINDOW_HOURS = 24
LATE_HOURS = 2
EXCHANGE_KEY = "simulation0exchange"
POLLS = "Опросы"
POLL, REMINDER = "Отправить опрос", "Напомнить об опросе"
POLL_HOURS = {POLL: 1, REMINDER: 7}
"""Stages of the polls' funnel, and how long after the visit a card comes there."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """`stages`: phase → stage name; `messages`: phases whose stage writes to the patient. `source`: "made" (records from
    nowhere), "ident" (the real source on iDent's tables) or "helix" (the real one on files). `target`: the CRM. `login`: how
    it lets us in, by a "key" of ours, as an "app", or by "oauth". `never`: acts of life that this world cannot show.
    `polls`: a campaign asks after each visit. `tickets`: iDent takes leads of CLAIM_STAGE as tickets. `late`: seconds, one
    of which the MIS takes to commit.
    """

    name: str
    stages: dict[str, str]
    messages: frozenset[str] = frozenset()
    tomorrow_at: int = 14
    cancelled_unseen: bool = False
    family: bool = False
    polls: bool = False
    tickets: bool = False
    zone: str = "Europe/Moscow"
    source: str = "made"
    target: str = "bitrix24"
    login: str = "key"
    never: frozenset[str] = frozenset()
    late: tuple[float, ...] = (0.0, 0.0, 0.0, 2.0, 45.0)
    start: datetime = START

    def text(self) -> str:
        """The mapping file."""
        lines = []
        for phase, stage in self.stages.items():
            at = f', at: "{self.tomorrow_at}:00"' if phase == "tomorrow" else ""
            message = ", message: true" if phase in self.messages else ""
            # Of stages that close a deal amoCRM has two: completed and cancelled.
            still_open = ", semantic: open" if self.target == "amocrm" and phase == "no_show" else ""
            lines.append(f'    {phase}: {{stage: "{stage}"{at}{message}{still_open}}}')
        family = "family: {by: guardian, phone_on_child: false}" if self.family else ""
        crm = _AMOCRM if self.target == "amocrm" else _BITRIX24
        return _TEXT.format(
            **crm,
            stages="\n".join(lines),
            family=family,
            unseen=str(self.cancelled_unseen).lower(),
            polls=_POLLS if self.polls else "",
            exchange=_EXCHANGE if self.tickets else "",
            stale=STALE_DAYS,
            zone=self.zone,
        )


_STAGES = {
    "upcoming": "Записан на приём",
    "tomorrow": "Визит завтра",
    "confirmed": "Визит подтверждён",
    "completed": "Визит состоялся",
    "cancelled": "Визит отменён",
    "rescheduled": "Визит перенесён",
}
_ALL = {**_STAGES, "today": "Визит сегодня", "arrived": "Пациент в клинике", "no_show": "Не пришёл"}

RULES = (
    Rules(name="whole", stages=_ALL, cancelled_unseen=True),
    Rules(name="plan", stages=_STAGES, messages=frozenset({"tomorrow"}), polls=True, login="app"),
    Rules(name="talkative", stages=_ALL, messages=frozenset({"upcoming", "tomorrow", "today"}), family=True),
    Rules(name="family", stages=_ALL, messages=frozenset({"tomorrow"}), cancelled_unseen=True, family=True),
    Rules(
        name="dst",
        stages=_STAGES,
        messages=frozenset({"tomorrow"}),
        zone="Europe/Riga",
        start=datetime(2026, 3, 27, 5, tzinfo=UTC),
    ),
    Rules(
        name="ident",
        stages=_ALL,
        messages=frozenset({"tomorrow"}),
        cancelled_unseen=True,
        source="ident",
        polls=True,
        tickets=True,
        late=(0.0, 0.0, 2.0, 45.0, 240.0),
    ),
    Rules(
        name="amocrm", stages=_ALL, messages=frozenset({"tomorrow"}), target="amocrm", family=True, polls=True
    ),
    Rules(
        name="autumn",
        stages=_ALL,
        messages=frozenset({"tomorrow"}),
        source="ident",
        zone="Europe/Riga",
        start=datetime(2026, 10, 23, 5, tzinfo=UTC),
        late=(0.0, 0.0, 2.0, 45.0, 240.0),
    ),
    Rules(name="oauth", stages=_STAGES, messages=frozenset({"tomorrow"}), target="amocrm", login="oauth"),
    Rules(
        name="helix",
        stages=_ALL,
        messages=frozenset({"tomorrow"}),
        cancelled_unseen=True,
        source="helix",
        # A file tells of a deletion only where it has another visit of that day, and no row that cannot be read.
        never=frozenset({"_delete_row"}),
    ),
)

_POLLS = f"""
campaigns:
  poll:
    on: completed
    after: {POLL_HOURS[POLL]}h
    funnel: "{POLLS}"
    stages:
      - {{stage: "{REMINDER}", after: {POLL_HOURS[REMINDER] - POLL_HOURS[POLL]}h, message: true}}
      - {{stage: "{POLL}", message: true}}
"""

_EXCHANGE = f"""
exchange:
  key: {EXCHANGE_KEY}
  tickets:
    from: {{leads: ["{CLAIM_STAGE}"]}}
"""

_BITRIX24 = {
    "target": '{connector: bitrix24, webhook: "${SIM_WEBHOOK}", hook_token: "${SIM_HOOK}"}',
    "person": """    LAST_NAME: patient.surname
    NAME: patient.name
    BIRTHDATE: {value: patient.birth_date, never_clear: true}""",
    "claim": """    from: {leads: ["Записан на консультацию"]}
    mode: link
    copy: [SOURCE_ID, UTM_SOURCE]""",
    "deal": """    OPPORTUNITY: {value: appointment.amount, when: appointment.status == "completed"}
    SOURCE_DESCRIPTION: {value: appointment.source, mode: fill}""",
    "into": "leads",
    "booked": '{stage: "Пациент уже записан", semantic: lost}',
    "caller": "NAME",
}
_AMOCRM = {
    "target": '{connector: amocrm, address: "${SIM_ACCOUNT}", token: "${SIM_TOKEN}", state: "${SIM_STATE}"}',
    "person": """    name: patient.full_name
    "Дата рождения": {value: patient.birth_date, never_clear: true}""",
    "claim": """    from: {funnel: "Лиды", stages: ["Записан на консультацию"]}
    mode: move""",
    "deal": """    price: {value: appointment.amount, when: appointment.status == "completed"}
    "Номер записи": appointment.id""",
    "into": '{funnel: "Лиды"}',
    "booked": '"Пациент уже записан"',
    "caller": "CONTACT_NAME",
}

_TEXT = """
bridge: sim
language: ru
source:
  connector: ident
  id: ident
  database: "${{SIM_CLINIC}}"
  timezone: {zone}
  every: 5s
target: {target}
horizon: {{past: 30d, future: 365d}}

contact:
  scope: horizon
  {family}
  fields:
{person}
    PHONE: {{value: patient.phones, mode: add}}
    "Номер медкарты": patient.card_number
    "Ближайший визит": next_visit.starts_at

appointment:
  funnel: "Приёмы"
  title: "Приём {{appointment.starts_at:%d.%m %H:%M}}"
  stages:
{stages}
  protect: ["Подтвердил по смс", "Отменил по смс"]
  status: {{reschedule_reasons: ["Перенос"], no_show_after: 2h}}
  rebook: {{window: 24h, same: doctor}}
  claim:
    within: 60d
    late: 2h
{claim}
  rescheduled_task: {{text: "Подобрать новое время", after: 1h}}
  cancelled_unseen: {unseen}
  fields:
{deal}
    "Дата и время визита": appointment.starts_at
    "Врач": appointment.doctor.name
    "Причина отмены": appointment.cancel_reason

enquiry:
  into: {into}
  title: "Обращение: {{enquiry.name}}"
  stages:
    new: "Новый"
    already_booked: {booked}
    stale: "Не записался"
  stale_after: {stale}d
  stale_task: {{text: "Перезвонить: {{enquiry.name}}", after: 1h}}
  fields:
    {caller}: {{value: enquiry.name, mode: fill}}
    PHONE: {{value: enquiry.phone, mode: add}}
{polls}{exchange}"""
