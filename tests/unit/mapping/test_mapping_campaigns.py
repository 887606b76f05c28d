"""`campaigns:` as it is read, what is wrong with it and where, and its names in the CRM's catalog."""

from datetime import time, timedelta

import msgspec
import pytest
from mapping_files import CATALOG, ENDPOINTS, ENVIRON, VISITS, made, read

from kreslo.connectors.model import Entity, Funnel, NeededStage, Semantic, Stage, StageRef
from kreslo.mapping.drafts import CampaignDraft
from kreslo.mapping.faults import MappingError
from kreslo.mapping.load import load_text, resolve
from kreslo.mapping.model import Occasion, Quiet

BEFORE = ENDPOINTS + "contact: {fields: {NAME: patient.name}}\n" + VISITS + "campaigns:\n"
"""What is appended stands in line 9."""

NPS = Funnel(
    Entity.DEAL,
    "5",
    "NPS",
    (
        Stage("C5:NEW", "Отправить опрос", 10),
        Stage("C5:WON", "Оценка есть", 20, Semantic.WON),
        Stage("C5:LOSE", "Нет ответа", 30, Semantic.LOST),
    ),
)


def only(text: str) -> CampaignDraft:
    (found,) = read(BEFORE + text).draft.campaigns
    return found


def test_the_campaign_of_the_design_reads_as_it_says() -> None:
    found = only(
        '  nps: {on: completed, after: 3h, quiet: "21:00-09:00", unless: patient.messages_refused, funnel: "NPS", '
        'stage: "Отправить опрос", message: true}\n'
    )
    assert (found.name, found.on, found.after) == ("nps", Occasion.COMPLETED, timedelta(hours=3))
    assert (found.quiet, found.late) == (Quiet(time(21), time(9)), timedelta(days=1))
    assert found.unless is not None
    assert [(rule.name.text, rule.message) for rule in found.stages] == [("Отправить опрос", True)]


def test_stages_are_rules_in_the_order_in_which_they_stand() -> None:
    found = only(
        "  nps:\n"
        "    on: entry\n"
        '    at: "10:30"\n'
        '    funnel: "NPS"\n'
        "    stages:\n"
        '      - {stage: "Оценка есть", when: entry.closed, semantic: won}\n'
        '      - {stage: "Нет ответа", after: 14d, semantic: lost}\n'
        '      - "Отправить опрос"\n'
    )
    assert found.clock == time(10, 30)
    assert [(r.name.text, bool(r.when), r.after.days, r.semantic) for r in found.stages] == [
        ("Оценка есть", True, 0, Semantic.WON),
        ("Нет ответа", False, 14, Semantic.LOST),
        ("Отправить опрос", False, 0, None),
    ]


def test_setup_makes_the_stages_in_the_order_of_a_cards_life() -> None:
    file = read(
        BEFORE
        + '  nps: {on: completed, funnel: NPS, stages: [{stage: "Б", after: 1d, semantic: lost}, {stage: "А"}]}\n'
    )
    stages = [stage for stage in file.needed().stages if stage.funnel == "NPS"]
    assert stages == [
        NeededStage(Entity.DEAL, "NPS", "А"),
        NeededStage(Entity.DEAL, "NPS", "Б", Semantic.LOST),
    ]
    assert resolve(file, made(file.needed())).campaigns[0].stages[0].name == "Б"


def test_its_names_are_found_in_the_catalog() -> None:
    file = read(
        BEFORE
        + '  nps: {on: completed, funnel: nps, stage: "отправить опрос", fields: {SOURCE_ID: patient.source}}\n'
    )
    catalog = msgspec.structs.replace(CATALOG, funnels=(*CATALOG.funnels, NPS))
    bridge = resolve(file, catalog)
    (plan,) = bridge.campaigns
    assert [rule.stage for rule in plan.stages] == [StageRef("5", "C5:NEW")]
    assert [rule.code for rule in plan.fields] == ["SOURCE_ID"]
    other = resolve(read(BEFORE + '  nps: {on: completed, funnel: nps, stage: "Нет ответа"}\n'), catalog)
    assert other.fingerprint != bridge.fingerprint


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        (
            '  nps: {on: completed, funnel: "Приемма", stage: А}\n',
            "9:32",
            'no funnel "Приемма"; did you mean "Приёмы"?',
        ),
        (
            '  nps: {on: completed, funnel: NPS, stage: "Отправить опросс"}\n',
            "9:44",
            'no stage "Отправить опросс" in funnel "NPS"; did you mean "Отправить опрос"?',
        ),
    ],
)
def test_a_name_that_the_crm_does_not_have_is_told_with_its_place(
    text: str, where: str, message: str
) -> None:
    catalog = msgspec.structs.replace(CATALOG, funnels=(*CATALOG.funnels, NPS))
    with pytest.raises(MappingError) as caught:
        resolve(read(BEFORE + text), catalog)
    assert caught.value.message.split("\n")[0] == f"mappings/clinic.yaml:{where}: {message}"


NEEDS = "on: completed, funnel: NPS, stage: А"
BROKEN: list[tuple[str, str, str]] = [
    (
        "  nps: {funnel: NPS, stage: А}\n",
        "9:8",
        (
            "`nps:` needs `on:`, what gives it a card: booked, confirmed, arrived, completed, cancelled, rescheduled, no_show, "
            "last_visit, entry, recall"
        ),
    ),
    ("  nps: {on: completed, stage: А}\n", "9:8", "`nps:` needs `funnel:`, where its cards go"),
    (
        "  nps: {on: completet, funnel: NPS, stage: А}\n",
        "9:13",
        (
            "`on:` must be one of booked, confirmed, arrived, completed, cancelled, rescheduled, no_show, last_visit, entry, "
            'recall, not "completet"; did you mean "completed"?'
        ),
    ),
    (
        "  nps: {on: completed, funnel: NPS}\n",
        "9:8",
        "`nps:` needs `stage:`, or `stages:` (a list of rules, the first that holds counts), one of them",
    ),
    (f"  nps: {{{NEEDS}, untill: 3h}}\n", "9:47", '`nps:` has no key "untill"'),
    (
        f"  Опрос: {{{NEEDS}}}\n",
        "9:3",
        'a campaign is named by small Latin letters, digits, "-" and "_", not "Опрос": the name stands in the keys of its cards',
    ),
    (
        f"  patient: {{{NEEDS}}}\n",
        "9:3",
        'a campaign cannot be named "patient": such keys are those of patient cards',
    ),
    (
        f'  nps: {{{NEEDS}, quiet: "9-21"}}\n',
        "9:54",
        '`quiet:` must be hours such as "21:00-09:00", not "9-21"',
    ),
    (
        f'  nps: {{{NEEDS}, quiet: "9:00-9:00"}}\n',
        "9:54",
        '`quiet:` must be hours such as "21:00-09:00", not "9:00-9:00"',
    ),
    (f'  nps: {{{NEEDS}, quiet: "21:00-9:00", at: "8:00"}}\n', "9:72", "`at:` 08:00 lies in the quiet hours"),
    (
        f"  nps: {{{NEEDS}, when: entry.closed}}\n",
        "9:53",
        '"entry" is not seen here; expressions of visits see appointment',
    ),
    (f"  nps: {{{NEEDS}, when: patient.visits}}\n", "9:53", "`when:` must be true or false"),
    (
        "  nps: {on: entry, funnel: NPS, stage: А, title: 'К {entry.mark}'}\n",
        "9:54",
        "entry.mark is of the class health, and a title may not carry it; give it a field with basis:",
    ),
    (
        "  nps: {on: entry, funnel: NPS, stages: [А, {stage: Б, when: entry.closed}]}\n",
        "9:53",
        'the rule before has neither `when:` nor `after:` and always holds, so "Б" is never reached',
    ),
    ("  nps: {on: entry, funnel: NPS, stages: []}\n", "9:41", "`stages:` names no stage"),
    (
        "  nps: {on: entry, funnel: NPS, stages: [{when: entry.closed}]}\n",
        "9:42",
        "an item of `stages:` needs `stage:`",
    ),
    (
        "  nps: {on: entry, funnel: NPS, message: true, stages: [А]}\n",
        "9:33",
        "with `stages:`, each of them has a `message:` of its own",
    ),
]


@pytest.mark.parametrize(("text", "where", "message"), BROKEN, ids=[row[2][:50] for row in BROKEN])
def test_what_is_wrong_is_told_with_its_line_and_column(text: str, where: str, message: str) -> None:
    with pytest.raises(MappingError) as caught:
        read(BEFORE + text)
    said = [line for line in caught.value.message.split("\n") if line.startswith("mappings/")]
    assert len(said) == 1, said
    assert said[0].startswith(f"mappings/clinic.yaml:{where}: {message}"), said[0]


def test_campaigns_need_a_contact_and_those_of_visits_the_visits_rules() -> None:
    alone = ENDPOINTS + "campaigns: {nps: {on: completed, funnel: NPS, stage: А}}\n"
    with pytest.raises(MappingError) as caught:
        read(alone)
    assert "`campaigns:` needs `contact:`" in caught.value.message
    assert "`on: completed` needs `appointment:`" in caught.value.message
    listed = ENDPOINTS + "contact: {scope: all}\ncampaigns: {nps: {on: entry, funnel: NPS, stage: А}}\n"
    assert [each.name for each in read(listed).draft.campaigns] == ["nps"]


HELIX = """\
bridge: clinic
source:
  connector: helix
  timezone: Europe/Moscow
  folder: drop
  state: state
  profiles: {memos: {row: campaign, campaign: recommendations, files: "memos_*.csv"}}
target: {connector: bitrix24, webhook: "${HOOK}"}
contact: {fields: {NAME: patient.name}}
campaigns:
"""


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("  recommendations: {on: entry, funnel: NPS, stage: А}\n", "", ""),
        (
            "  recomendations: {on: entry, funnel: NPS, stage: А}\n",
            "11:3",
            '`on: entry` waits for a list "recomendations", which the source does not give; did you mean "recommendations"?',
        ),
        (
            "  checkup: {on: entry, funnel: NPS, stage: А}\n",
            "11:3",
            '`on: entry` waits for a list "checkup", which the source does not give; it gives recommendations',
        ),
        (
            "  checkup: {on: recall, funnel: NPS, stage: А}\n",
            "11:3",
            "`on: recall` waits for invitations, which this source does not give; take `on: last_visit`",
        ),
    ],
)
def test_a_campaign_that_waits_for_a_list_that_never_comes_is_told(
    text: str, place: str, message: str
) -> None:
    if not message:
        assert load_text(HELIX + text, "clinic.yaml", environ=ENVIRON).draft.campaigns
        return
    with pytest.raises(MappingError) as caught:
        load_text(HELIX + text, "clinic.yaml", environ=ENVIRON)
    assert caught.value.message.split("\n")[0] == f"clinic.yaml:{place}: {message}"
