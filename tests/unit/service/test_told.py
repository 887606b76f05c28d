"""The journal's codes in the clinic's words."""

from zoneinfo import ZoneInfo

import pytest

from kreslo.connectors.model import Entity, FieldType, StageRef
from kreslo.mapping.expressions import Expression, Template
from kreslo.mapping.model import (
    AppointmentPlan,
    Bridge,
    CampaignPlan,
    CampaignStage,
    ContactPlan,
    FieldRule,
    Horizon,
    Occasion,
    Phase,
    StageRule,
)
from kreslo.service.told import Teller

INSURED = FieldRule(
    code="UF_CRM_1", title="ДМС", type=FieldType.BOOLEAN, value=Expression("appointment.insured")
)
NEXT = FieldRule(
    code="UF_CRM_2",
    title="Ближайший визит",
    type=FieldType.DATETIME,
    value=Expression("next_visit.starts_at"),
)
TELLER = Teller(
    Bridge(
        name="clinic",
        source_id="ident",
        zone=ZoneInfo("Europe/Moscow"),
        horizon=Horizon(),
        contact=ContactPlan(fields=(NEXT,)),
        appointment=AppointmentPlan(
            entity=Entity.DEAL,
            funnel="1",
            title=Template("Приём"),
            stages={Phase.UPCOMING: StageRule(stage=StageRef("1", "C1:NEW"), name="Записан на приём")},
            fields=(INSURED,),
        ),
        enquiry=None,
        campaigns=(
            CampaignPlan(
                name="nps",
                on=Occasion.COMPLETED,
                funnel="5",
                stages=(CampaignStage(stage=StageRef("5", "C5:ASK"), name="Отправить опрос"),),
                title=Template("NPS"),
            ),
        ),
    )
)


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (
            "create deal: TITLE, UF_CRM_1; stage C1:NEW",
            "создана сделка: название, ДМС; стадия «Записан на приём»",
        ),
        ("create deal: TITLE; stage C5:ASK", "создана сделка: название; стадия «Отправить опрос»"),
        ("update contact: UF_CRM_2", "изменён контакт: Ближайший визит"),
        ("update deal: stage C1:NEW", "изменена сделка: стадия «Записан на приём»"),
        ("update lead: stage CONVERTED", "изменён лид: стадия «CONVERTED»"),
        ("note on lead", "заметка к лиду"),
        ("task on deal", "задача по сделке"),
        ("update deal", "изменена сделка"),
        ("update deal: SOURCE_ID", "изменена сделка: SOURCE_ID"),
    ],
)
def test_a_change_is_told_with_the_mapping_s_names(what: str, told: str) -> None:
    assert TELLER.told(what) == told
