"""`exchange:`: its key is a secret of the endpoints, its tickets are found in the CRM's catalog."""

from datetime import timedelta

import msgspec
import pytest
from mapping_files import CATALOG, ENDPOINTS, ENVIRON, VISITS, field, read

from kreslo.connectors.model import (
    Entity,
    FieldType,
    Funnel,
    NeededField,
    NeededStage,
    Semantic,
    Stage,
    StageRef,
)
from kreslo.mapping.faults import MappingError
from kreslo.mapping.load import load_text, resolve
from kreslo.mapping.model import TicketPlan

KEY = "k9PxQ2vT7mZc4RbW"
HEAD = ENDPOINTS + VISITS + "exchange:\n  key: "
LEADS = Funnel(Entity.LEAD, "", "Лиды", (Stage("NEW", "Новый", 10), Stage("WANTS", "Хочет записаться", 20), Stage("CONVERTED", "Готов", 30, Semantic.WON)))  # fmt: skip
FIELDS = (
    field("UF_DOCTOR", "Врач", entity=Entity.LEAD),
    field("UF_TIME", "Удобное время", FieldType.DATETIME, entity=Entity.LEAD),
    field("UF_BRANCH", "Филиал", entity=Entity.LEAD),
    field("UTM_SOURCE", "UTM Source", entity=Entity.LEAD),
    field("184", "utm_medium", entity=Entity.LEAD),
    field("EMAIL", "E-mail", FieldType.EMAIL, entity=Entity.LEAD),
    field("UTM_TERM", "of deals"),
)
WITH_LEADS = msgspec.structs.replace(
    CATALOG,
    funnels=(*(each for each in CATALOG.funnels if each.entity is not Entity.LEAD), LEADS),
    fields=(*(each for each in CATALOG.fields if each.entity is not Entity.LEAD), *FIELDS),
)
TICKETS = """\
  tickets:
    from: {leads: ["Хочет записаться"]}
    doctor_field: "Врач"
    time_field: "Удобное время"
    length: 45m
    comment: ["Филиал"]
"""


def filled(text: str, key: str = KEY) -> str:
    """The mapping's own key, as the process would have it; the connectors judge their options too."""
    return load_text(text, "m.yaml", environ={**ENVIRON, "IDENT_KEY": key}).endpoints.exchange_key


def test_the_key_comes_from_the_environment_and_is_never_shown() -> None:
    text = HEAD + '"${IDENT_KEY}"\n'
    assert filled(text) == KEY
    file = load_text(text, "m.yaml", environ={**ENVIRON, "IDENT_KEY": KEY})
    assert KEY not in repr(file)


def test_without_an_exchange_there_is_no_key() -> None:
    assert filled(ENDPOINTS + VISITS) == ""


def test_a_key_that_stands_in_the_file_is_struck_out_of_excerpts() -> None:
    with pytest.raises(MappingError) as caught:
        filled(HEAD + f"{KEY}\n  tikets: {{}}\n")
    assert KEY not in str(caught.value)
    assert KEY not in repr(read(HEAD + f"{KEY}\n").lines)


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        (ENDPOINTS + VISITS + "exchange: {tickets: {from: {leads: [a]}}}", "7:11", '`exchange:` needs `key:`, such as "${IDENT_KEY}": the word that iDent sends'),
        (ENDPOINTS + VISITS + "exchange: yes please", "7:11", '`exchange:` must hold keys and values, not "yes please"'),
        (HEAD + "short", "8:8", "`key:` of `exchange:` has 5 characters; take 16 or more at random"),
        (HEAD + "ключ-ключ-ключ-ключ", "8:8", "`key:` of `exchange:` is one word of Latin letters, digits and signs"),
        (HEAD + "[a]", "8:8", "`key:` of `exchange:` is one word of Latin letters, digits and signs"),
        (HEAD + '"${NOWHERE}"', "8:8", "the environment variable NOWHERE is not set; set it, for instance in .env"),
        (HEAD + f"{KEY}\n  tikets: {{}}", "9:3", '`exchange:` has no key "tikets"; did you mean "tickets"?'),
        (HEAD + f"{KEY}\n  tickets: {{comment: [a]}}", "9:12", '`tickets:` needs `from:`, such as {leads: ["…"]} or {funnel: "…", stages: ["…"]}'),
        (HEAD + f"{KEY}\n  tickets: {{from: {{funnel: a}}}}", "9:19", '`from:` is {leads: ["stage", …]} or {funnel: "…", stages: ["stage", …]}'),
        (HEAD + f"{KEY}\n  tickets: {{from: {{leads: [a]}}, time_field: T, length: 13h}}", "9:56", "`length:` is at most 12h: iDent takes no longer plan"),
        (HEAD + f"{KEY}\n  tickets: {{from: {{leads: [a]}}, length: 1h}}", "9:33", "`length:` needs `time_field:`, where the planned time stands"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(text: str, place: str, said: str) -> None:
    with pytest.raises(MappingError) as caught:
        filled(text)
    assert f"m.yaml:{place}: {said}\n" in f"{caught.value}\n"


def test_tickets_are_found_in_the_catalog_with_utm_and_mail() -> None:
    bridge = resolve(read(HEAD + f"{KEY}\n" + TICKETS), WITH_LEADS)
    assert bridge.tickets == TicketPlan(
        entity=Entity.LEAD,
        stages=frozenset({StageRef("", "WANTS")}),
        doctor_field="UF_DOCTOR",
        time_field="UF_TIME",
        length=timedelta(minutes=45),
        comment=(("Филиал", "UF_BRANCH"),),
        utm={"source": "UTM_SOURCE", "medium": "184"},
        email_field="EMAIL",
    )


def test_a_funnel_of_deals_may_hold_them() -> None:
    tickets = '  tickets: {from: {funnel: "Приёмы", stages: ["Записан на приём"]}}\n'
    plan = resolve(read(HEAD + f"{KEY}\n" + tickets), CATALOG).tickets
    assert plan is not None
    assert (plan.entity, plan.stages) == (Entity.DEAL, frozenset({StageRef("1", "C1:NEW")}))


def test_what_the_crm_does_not_have_is_told() -> None:
    text = (
        HEAD + f"{KEY}\n" + TICKETS.replace("Хочет записаться", "Нет такой").replace("Удобное время", "Врач")
    )
    with pytest.raises(MappingError) as caught:
        resolve(read(text), WITH_LEADS)
    said = str(caught.value)
    assert 'no stage "Нет такой" among the stages of leads' in said
    assert 'field "Врач" holds no date with a time' in said


def test_setup_makes_the_stages_and_fields_that_tickets_need() -> None:
    needed = read(HEAD + f"{KEY}\n" + TICKETS).needed()
    assert NeededStage(Entity.LEAD, "", "Хочет записаться") in needed.stages
    assert set(needed.fields) == {
        NeededField(Entity.LEAD, "Врач", FieldType.TEXT),
        NeededField(Entity.LEAD, "Удобное время", FieldType.DATETIME),
        NeededField(Entity.LEAD, "Филиал", FieldType.TEXT),
    }


def test_the_exchange_is_no_reason_to_decide_every_case_again() -> None:
    without = resolve(read(ENDPOINTS + VISITS), WITH_LEADS)
    assert resolve(read(HEAD + f"{KEY}\n" + TICKETS), WITH_LEADS).fingerprint == without.fingerprint
