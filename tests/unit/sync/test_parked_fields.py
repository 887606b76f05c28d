"""How a field that somebody else keeps rewriting is named to a person."""

import pytest

from kreslo.connectors.model import Entity
from kreslo.decisions.case import Role
from kreslo.decisions.desired import Desired, DesiredCard, FieldWish
from kreslo.merging.plan import Merged
from kreslo.sync.deciding import _plan
from tests.unit.decisions.builders import NOW, make_bridge, make_case

NAMES = [("UF_CRM_17", "Причина отказа", "«Причина отказа»"), ("TITLE", "", "«TITLE»")]


@pytest.mark.parametrize("role", [Role.CONTACT, Role.VISIT, Role.ENQUIRY, Role.CAMPAIGN])
@pytest.mark.parametrize(("code", "title", "said"), NAMES)
def test_a_field_that_is_given_up_is_named_by_its_title(code: str, title: str, said: str, role: Role) -> None:
    """The field alone is parked, on a card of whatever kind, under the name that the mapping has for it."""
    card = DesiredCard(
        key="ident/nps/10", role=role, entity=Entity.DEAL, fields={code: FieldWish(value="x", title=title)}
    )
    merged = [(card, Merged(parked_fields=(code,)))]
    [parked] = _plan(make_case(), 1, Desired(cards=(card,)), merged, NOW, make_bridge()).parked
    assert (parked.card, parked.code) == ("ident/nps/10", code)
    assert said in parked.reason
