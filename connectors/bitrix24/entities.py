"""The three kinds of cards in the words of each method family."""

import msgspec

from kreslo.connectors.errors import ConfigurationError
from kreslo.connectors.model import Entity

LEAD_FUNNEL = "Лиды"
"""What the lead statuses are called as a funnel."""


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """`word` stands in `crm.<word>.…` and as the timeline's entity type; `type_id` is `entityTypeId`."""

    entity: Entity
    word: str
    type_id: int
    stage_code: str = ""
    semantic_code: str = ""

    def method(self, verb: str) -> str:
        return f"crm.{self.word}.{verb}"

    @property
    def field_owner(self) -> str:
        """`ENTITY_ID` of its user fields."""
        return f"CRM_{self.word.upper()}"


CONTACT = Kind(entity=Entity.CONTACT, word="contact", type_id=3)
DEAL = Kind(
    entity=Entity.DEAL, word="deal", type_id=2, stage_code="STAGE_ID", semantic_code="STAGE_SEMANTIC_ID"
)
LEAD = Kind(
    entity=Entity.LEAD, word="lead", type_id=1, stage_code="STATUS_ID", semantic_code="STATUS_SEMANTIC_ID"
)

KINDS = (CONTACT, DEAL, LEAD)
_BY_ENTITY = {kind.entity: kind for kind in KINDS}


def kind_of(entity: Entity) -> Kind:
    """Raises ConfigurationError for an entity that Bitrix24 has no cards of."""
    if entity not in _BY_ENTITY:
        raise ConfigurationError(f'В Битрикс24 нет карточек вида "{entity}"')
    return _BY_ENTITY[entity]
