"""Simple CRM mode: there are no leads to work with; a new one becomes a contact and a deal at once."""

from connectors.bitrix24.sandbox import rules
from connectors.bitrix24.sandbox.cards import Card, Kind
from connectors.bitrix24.sandbox.multifields import MultiOp
from connectors.bitrix24.sandbox.portal import Portal

_CARRIED = ("SOURCE_ID", "UTM_SOURCE", "UTM_MEDIUM", "UTM_CAMPAIGN", "UTM_CONTENT", "UTM_TERM", "COMMENTS")


def convert_at_once(portal: Portal, card: Card, user_id: int) -> None:
    """Nothing in the classic mode, or for what is no lead."""
    if portal.switches.crm_mode == 1 or card.kind is not Kind.LEAD:
        return
    carried = {code: card.fields[code] for code in _CARRIED if card.fields.get(code)}
    contact_id = card.fields.get("CONTACT_ID")
    if contact_id is None:
        names = {code: card.fields.get(code) for code in ("NAME", "SECOND_NAME", "LAST_NAME", "BIRTHDATE")}
        phones = [MultiOp(type=row.type, value=row.value, value_type=row.value_type) for row in card.multi]
        draft = rules.Draft(fields={**names, **carried, "LEAD_ID": card.id}, multi=phones)
        contact_id = rules.create(portal, Kind.CONTACT, draft, user_id).id
    deal = rules.Draft(
        fields={"TITLE": card.fields["TITLE"], **carried, "LEAD_ID": card.id}, contacts=[contact_id]
    )
    rules.create(portal, Kind.DEAL, deal, user_id)
    rules.update(portal, card, rules.Draft(fields={"STATUS_ID": "CONVERTED"}), user_id, always=True)
