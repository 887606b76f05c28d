"""A lead that comes by itself, from a site form or a call: not through the API, and so outside its limits."""

from connectors.amocrm.sandbox import incoming, writing
from connectors.amocrm.sandbox.account import Account
from connectors.amocrm.sandbox.cards import Card, Cell, ContactLink, Kind
from connectors.amocrm.sandbox.people import ROBOT_USER
from connectors.amocrm.sandbox.pipelines import UNSORTED, Pipeline, Status
from connectors.amocrm.sandbox.writing import Author, Draft
from kreslo.connectors.sandboxes import Lead

_AUTHOR = Author(ROBOT_USER, "robot")


def arrive(account: Account, lead: Lead) -> Card:
    """The lead's card with its contact. A stage that no pipeline has yet is made in the main one."""
    created = int(lead.created_at.timestamp())
    contact = _contact(account, lead, created)
    made = Draft(values={"name": f"Заявка: {lead.name or lead.phone}", "created_at": created}, custom={})
    for code, text in (("UTM_SOURCE", lead.utm_source), ("UTM_CAMPAIGN", lead.utm_campaign)):
        field = account.fields.coded(Kind.LEAD, code)
        if field is not None and text:
            made.custom[field.id] = [Cell(text)]
    if lead.source:
        made.tags = [account.tag(Kind.LEAD, lead.source)]
    if lead.stage == UNSORTED:
        item = incoming.receive(
            account, account.pipelines.main, made, contact, _AUTHOR, source=("site", "Сайт")
        )
        return account.stores[Kind.LEAD].recent()[item.lead_id]
    pipeline, stage = _stage(account, lead.stage)
    made.values |= {"pipeline_id": pipeline.id, "status_id": stage.id}
    made.contacts = [ContactLink(writing.create(account, Kind.CONTACT, contact, _AUTHOR).id, is_main=True)]
    return writing.create(account, Kind.LEAD, made, _AUTHOR)


def _contact(account: Account, lead: Lead, created: int) -> Draft:
    draft = Draft(values={"name": lead.name or lead.phone, "created_at": created}, custom={})
    field = account.fields.coded(Kind.CONTACT, "PHONE")
    if field is not None and lead.phone:
        work = field.options[0]
        draft.custom[field.id] = [Cell(lead.phone, work.id, work.code)]
    return draft


def _stage(account: Account, name: str) -> tuple[Pipeline, Status]:
    main = account.pipelines.main
    for pipeline in (main, *account.pipelines.all.values()):
        status = pipeline.named(name)
        if status is not None:
            return pipeline, status
    return main, account.pipelines.add_status(main, name)
