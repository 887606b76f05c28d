"""Broken mappings, each with its exact message, line, column, and the caret under the right character."""

import pytest
from mapping_files import ENDPOINTS, VISITS, read

from kreslo.connectors.errors import ConfigurationError
from kreslo.mapping.faults import MappingError

FIELDS = ENDPOINTS + VISITS + "  fields:\n    "
"""What is appended stands in line 8, from column 5."""

BASIS = (
    "and leaves the clinic only on a legal basis: "
    'write it as {value: …, basis: "the consent or law, and who decided"}'
)

BROKEN: list[tuple[str, str, str]] = [
    # --- YAML ---
    ("", "mappings/clinic.yaml", "the file is empty"),
    ("# only a comment\n", "mappings/clinic.yaml", "the file is empty"),
    ("- a", "1:1", "a mapping must hold keys and values, not a list"),
    ("bridge", "1:1", 'a mapping must hold keys and values, not "bridge"'),
    ("bridge: a\n\tx: 1", "2:1", "a tab stands here; YAML is indented with spaces"),
    ('bridge: "clinic\n', "1:9", "this quote is never closed"),
    ("bridge: [1, 2\nx: 1", "2:2", "this is not YAML: expected ',' or ']', but got ':'"),
    (
        "bridge: a: b",
        "1:10",
        'a ":" is not expected here; check the indentation, and put a value that holds ": " in quotes',
    ),
    ("bridge: a\n---\nbridge: b", "2:1", "a second document begins here; one file holds one mapping"),
    ("bridge: *x", "1:9", "this is not YAML: found undefined alias 'x'"),
    (
        "bridge: \x00",
        "mappings/clinic.yaml",
        "this is not YAML: unacceptable character #x0000: special characters are not allowed",
    ),
    ("[" * 1000, "mappings/clinic.yaml", "this is nested too deeply to be a mapping"),
    # --- keys ---
    (ENDPOINTS, "1:1", "nothing is mapped; write `contact:`, `appointment:` or `enquiry:`"),
    (ENDPOINTS + VISITS + "horizont: {}", "7:1", 'a mapping has no key "horizont"; did you mean "horizon"?'),
    (
        ENDPOINTS + VISITS + "  messages: true",
        "7:3",
        '`appointment:` has no key "messages"',
    ),
    (
        ENDPOINTS + VISITS + '  funnel: "Другая"',
        "7:3",
        '"funnel" stands twice in `appointment:`; the first is in line 5',
    ),
    (ENDPOINTS + VISITS + "  notes:", "7:3", '"notes" has no value; give it one or take it out'),
    (
        ENDPOINTS + VISITS + "<<: {language: ru}",
        "7:1",
        "a mapping: a key must be a text; merges (<<) are not supported",
    ),
    (
        ENDPOINTS.replace("clinic", "Клиника") + VISITS,
        "1:9",
        '`bridge:` may hold Latin letters, digits, "-" and "_" only, not "Клиника"',
    ),
    (
        ENDPOINTS.replace("bridge: clinic\n", "") + VISITS,
        "1:1",
        "`bridge:` is missing; give the bridge a short name, such as clinic",
    ),
    (
        ENDPOINTS + "appointment: {stages: {upcoming: А}}",
        "4:14",
        "`appointment:` needs `funnel:`, the funnel of the visit cards",
    ),
    (
        ENDPOINTS + "appointment: {funnel: А}",
        "4:14",
        "`appointment:` needs `stages:`, at least `upcoming:`",
    ),
    (
        ENDPOINTS + "appointment: {funnel: А, stages: {tomorrow: Б}}",
        "4:34",
        "`stages:` needs `upcoming:`: a new card with no other stage starts there",
    ),
    # --- values ---
    (ENDPOINTS + VISITS + "language: de", "7:11", '`language:` must be one of ru, en, not "de"'),
    (
        ENDPOINTS + VISITS + "reconcile: {percent: 101}",
        "7:22",
        '`percent:` must be a whole number from 0 to 100, not "101"',
    ),
    (
        ENDPOINTS + VISITS + "reconcile: {cards: few}",
        "7:20",
        '`cards:` must be a whole number from 0 to 999999999, not "few"',
    ),
    (
        ENDPOINTS + VISITS + "horizon: {past: 30}",
        "7:17",
        '`past:` must be a duration such as 30d, 2h, 90m or 5s, not "30"',
    ),
    (
        ENDPOINTS + VISITS + "horizon: {future: 0d}",
        "7:19",
        "`future:` must be longer than nothing",
    ),
    (ENDPOINTS + VISITS + "  notes: yes", "7:10", '`notes:` must be true or false, not "yes"'),
    (ENDPOINTS + VISITS + '  notes: "true"', "7:10", '`notes:` must be true or false, not "true"'),
    (ENDPOINTS + VISITS + "  protect: А", "7:12", '`protect:` must be a list, such as ["…", "…"], not "А"'),
    (ENDPOINTS + VISITS + "  protect: [{}]", "7:13", "an item of `protect:` must be a text, not keys and values"),
    (ENDPOINTS + VISITS + '  final: [""]', "7:11", "an item of `final:` is empty"),
    (
        ENDPOINTS + VISITS + "  on_deleted: recreat",
        "7:15",
        '`on_deleted:` must be one of review, recreate, ignore, not "recreat"; did you mean "recreate"?',
    ),
    (
        ENDPOINTS + "appointment:\n  funnel: А\n  stages:\n    upcoming: Б\n    tomorow: В",
        "8:5",
        '`stages:` has no key "tomorow"; did you mean "tomorrow"?',
    ),
    (
        ENDPOINTS + 'appointment: {funnel: А, stages: {upcoming: Б, tomorrow: {stage: В, at: "25:00"}}}',
        "4:73",
        '`at:` must be a time of day such as "14:00", not "25:00"',
    ),
    (
        ENDPOINTS + 'appointment: {funnel: А, stages: {upcoming: Б, completed: {stage: В, at: "14:00"}}}',
        "4:70",
        "only tomorrow and today begin at a time of day; `completed:` has no `at:`",
    ),
    (
        ENDPOINTS + "appointment: {funnel: А, stages: {upcoming: {message: true}}}",
        "4:45",
        "`upcoming:` needs `stage:`, the stage's name in the CRM",
    ),
    (
        ENDPOINTS + "appointment: {funnel: А, stages: {upcoming: {stage: Б, semantic: closed}}}",
        "4:66",
        '`semantic:` must be one of open, won, lost, not "closed"',
    ),
    (
        ENDPOINTS + VISITS + "  status: {order: [moved, canceled, upcoming]}",
        "7:27",
        'a rule of `order:` must be one of moved, cancelled, completed, arrived, no_show, confirmed, upcoming, not "canceled"; did you mean "cancelled"?',
    ),
    (
        ENDPOINTS + VISITS + "  status: {order: [moved, moved, upcoming]}",
        "7:27",
        '"moved" stands twice in `order:`',
    ),
    (
        ENDPOINTS + VISITS + "  status: {order: [moved, cancelled]}",
        "7:19",
        '`order:` must end with "upcoming", which is true of every visit',
    ),
    (
        ENDPOINTS + VISITS + "  rebook: {same: chair}",
        "7:18",
        '`same:` must be one of doctor, specialty, any, not "chair"',
    ),
    (
        ENDPOINTS + VISITS + "  history: {funnel: А}",
        "7:12",
        "`history:` needs `stage:`, a stage without robots",
    ),
    (
        ENDPOINTS + VISITS + "  rescheduled_task: {after: 1h}",
        "7:21",
        "`rescheduled_task:` needs `text:`, what is to be done",
    ),
    (
        ENDPOINTS + "contact: {family: {by: mother}}",
        "4:24",
        '`by:` must be one of guardian, phone, not "mother"',
    ),
    (
        ENDPOINTS + "contact: {adopt: {key_field: ORIGIN_ID}}",
        "4:18",
        "`adopt:` needs both `key_field:` (where the other system wrote its key) and `key:` (what it wrote)",
    ),
    (
        ENDPOINTS + "contact: {adopt: {}}",
        "4:18",
        "`adopt:` says nothing; give it `key_field:` and `key:`",
    ),
    # --- claims and enquiries ---
    (
        ENDPOINTS + VISITS + "  claim: {within: 60d}",
        "7:10",
        '`claim:` needs `from:`, such as {leads: ["…"]} or {funnel: "…", stages: ["…"]}',
    ),
    (ENDPOINTS + VISITS + "  claim: {from: {leads: []}}", "7:25", "`leads:` names no stage"),
    (
        ENDPOINTS + VISITS + "  claim: {from: {leads: [А], funnel: Б}}",
        "7:17",
        '`from:` is {leads: ["stage", …]} or {funnel: "…", stages: ["stage", …]}',
    ),
    (
        ENDPOINTS + VISITS + "  claim: {from: {leads: [А]}, mode: move}",
        "7:37",
        "a lead cannot become a deal: `mode: link` makes the deal and links the lead",
    ),
    (
        ENDPOINTS + VISITS + "  claim: {from: {funnel: А, stages: [Б]}, mode: link}",
        "7:49",
        "a deal is claimed by moving it: write `mode: move`",
    ),
    (
        ENDPOINTS + VISITS + "  claim: {from: {funnel: А, stages: [Б]}, copy: [UTM_SOURCE]}",
        "7:43",
        "`copy:` is for leads; a deal that is moved is the visit card itself",
    ),
    (
        ENDPOINTS + "enquiry: {into: lead, stages: {new: А}}",
        "4:17",
        '`into:` must be one of leads, not "lead"; did you mean "leads"?',
    ),
    (ENDPOINTS + "enquiry: {stages: {new: А}}", "4:10", '`enquiry:` needs `into:`, leads or {funnel: "…"}'),
    (
        ENDPOINTS + "enquiry: {into: leads, stages: {stale: А}}",
        "4:32",
        "`stages:` needs `new:`, where an enquiry card starts",
    ),
    # --- expressions ---
    (FIELDS + "A: appointment.sorce", "8:8", 'no name "appointment.sorce"; did you mean "appointment.source"?'),
    (FIELDS + "A: apointment.source", "8:8", 'no name "apointment.source"; did you mean "appointment.source"?'),
    (FIELDS + "A: appointment.confirmed", "8:8", 'no name "appointment.confirmed"'),
    (
        FIELDS + "A: enquiry.name",
        "8:8",
        '"enquiry" is not seen here; expressions of visits see appointment, patient, next_visit, last_visit',
    ),
    (
        FIELDS + "A: appointment.doctor",
        "8:8",
        '"appointment.doctor" is a group of names; write one of them, such as appointment.doctor.id',
    ),
    (FIELDS + "A: appointment.amount ==", "8:29", "the expression ends too early"),
    (
        FIELDS + '"Врач": \'"д-р " + appointment.doctor.nam\'',
        "8:23",
        'no name "appointment.doctor.nam"; did you mean "appointment.doctor.name"?',
    ),
    (
        FIELDS + r'A: "\"x\" == appointment.sorce"',
        "8:18",
        'no name "appointment.sorce"; did you mean "appointment.source"?',
    ),
    (
        FIELDS + "A: 'appointment.source == ''я'' && appointment.sorce == 1'",
        "8:40",
        'no name "appointment.sorce"; did you mean "appointment.source"?',
    ),
    (
        FIELDS + "A: |\n      appointment.source ==\n        appointment.sorce",
        "10:9",
        'no name "appointment.sorce"; did you mean "appointment.source"?',
    ),
    (
        FIELDS + "A: appointment.source ==\n      appointment.sorce",
        "8:8",
        'no name "appointment.sorce"; did you mean "appointment.source"?',
    ),
    (FIELDS + "A: patient.name.startWith('я')", "8:21", 'no function "startWith"; did you mean "startsWith"?'),
    (
        FIELDS + "A: appointment.amount + 1",
        "8:8",
        "this can never be computed: Unsupported operation: float + int; beside an amount write a number as 2.0",
    ),
    (FIELDS + "A: patient.name.matches('[')", "8:8", "this can never be computed: Function 'matches' error: '[' not a valid regex:"),
    (FIELDS + "A: !patient.primary && true", "8:8", 'field "A": what begins with "!" must stand in quotes'),
    (
        FIELDS + "A: !patient.primary || true",
        "8:26",
        'an expression that begins with "!" must stand in quotes',
    ),
    (FIELDS + "A: [patient.name]", "8:8", 'field "A" must be a text, not a list'),
    (
        FIELDS + "A: {mode: fill}",
        "8:8",
        'field "A" needs `value:` (an expression) or `text:` (a text), one of them',
    ),
    (
        FIELDS + "A: {value: patient.name, mode: ad}",
        "8:36",
        '`mode:` must be one of mis, fill, until_touched, add, not "ad"; did you mean "add"?',
    ),
    (
        FIELDS + "A: {value: patient.name, when: patient.name}",
        "8:36",
        "`when:` must be true or false, but gives texts; compare it with something",
    ),
    (
        FIELDS + "A: patient.comment",
        "8:8",
        f"patient.comment is of the class health {BASIS}",
    ),
    (
        FIELDS + 'A: "Полис {patient.policy}"',
        "8:16",
        f"patient.policy is of the class documents {BASIS}",
    ),
    (
        ENDPOINTS + VISITS + '  title: "Приём: {appointment.services}"',
        "7:19",
        "appointment.services is of the class health, and a title may not carry it; give it a field with basis:",
    ),
    # --- templates ---
    (
        ENDPOINTS + VISITS + '  title: "Приём {appointment.start_at}"',
        "7:18",
        'no name "appointment.start_at"; did you mean "appointment.starts_at"?',
    ),
    (
        ENDPOINTS + VISITS + '  title: "Приём {appointment.starts_at"',
        "7:17",
        'a "{" without its "}"; a brace that is text is written "{{"',
    ),
    (
        ENDPOINTS + VISITS + '  title: "{appointment.starts_at:.2f}"',
        "7:12",
        'the format ":.2f" does not fit `appointment.starts_at`',
    ),
    (
        ENDPOINTS + VISITS + '  title: "Приём {appointment.doctor}"',
        "7:18",
        '"appointment.doctor" is a group of names; write one of them',
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "place", "message"), BROKEN)
def test_a_broken_mapping_is_told_exactly(text: str, place: str, message: str) -> None:
    with pytest.raises(MappingError) as caught:
        read(text)
    assert [problem.message for problem in caught.value.problems] == [message]
    if ":" not in place:
        assert str(caught.value) == f"{place}: {message}"
        return
    line, column = map(int, place.split(":"))
    head, shown, caret = str(caught.value).split("\n")
    assert head == f"mappings/clinic.yaml:{line}:{column}: {message}"
    assert shown == "  " + text.split("\n")[line - 1]
    assert len(caret) - 2 == column
    assert caret.endswith("^")
    assert not caret[:-1].strip()


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    with pytest.raises(MappingError) as caught:
        read(FIELDS + "A: patient.nam\n    B: {mode: fill}\nlanguage: de\nhorizon: {past: x}")
    places = [(problem.at.line, problem.at.column) for problem in caught.value.problems if problem.at]
    assert places == [(8, 8), (9, 8), (10, 11), (11, 17)]


def test_a_mapping_error_is_an_error_of_configuration() -> None:
    with pytest.raises(ConfigurationError):
        read("")


def test_the_caret_stands_under_its_character_after_tabs() -> None:
    with pytest.raises(MappingError) as caught:
        read("bridge: clinic # a\tb\n\tx: 1")
    assert str(caught.value).endswith("\n  \tx: 1\n  ^")
    with pytest.raises(MappingError) as caught:
        read(ENDPOINTS + VISITS + '  title: "а\t{patient.nam}"')
    assert str(caught.value).endswith('\n    title: "а\t{patient.nam}"\n' + " " * 13 + "\t ^")


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_other_line_ends_keep_the_places(end: str) -> None:
    with pytest.raises(MappingError) as caught:
        read((FIELDS + "A: patient.nam\n").replace("\n", end))
    assert str(caught.value).split("\n")[0].startswith('mappings/clinic.yaml:8:8: no name "patient.nam"')
