"""DESIGN 6: what a person is asked, and which of the questions are about a contact."""

import pytest

from kreslo.decisions.asking import about_contact, deleted_question
from kreslo.decisions.contacts import question_of
from tests.unit.decisions.builders import make_patient, own_contact, own_visit

QUESTIONS = [
    (question_of(make_patient()), True),
    (deleted_question(own_contact()), True),
    (deleted_question(own_visit()), False),
    ("merged:1", False),
    ("visit:ident/patient/1", False),
]


@pytest.mark.parametrize(("question", "about"), QUESTIONS)
def test_a_question_is_about_a_contact_or_about_another_card(question: str, about: bool) -> None:
    """While a person is asked whose contact it is, nobody's fields are written there; a deleted deal asks nothing of it."""
    assert about_contact(question) is about
