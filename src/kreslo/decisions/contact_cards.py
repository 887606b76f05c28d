"""The patient's contact card: whether there is one, what stands on it, and who hangs on the patient's other cards."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from kreslo.connectors.model import Entity, FieldType
from kreslo.decisions.asking import answer_to
from kreslo.decisions.case import Case, Role
from kreslo.decisions.contacts import Identity, Standing, guardian_of, own_contact
from kreslo.decisions.desired import Candidate, CardRef, DesiredCard, FieldWish, ReviewWish
from kreslo.decisions.fields import wishes
from kreslo.decisions.texts import text
from kreslo.mapping.model import Bridge
from kreslo.records import Patient, RecordKind, RecordRef
from kreslo.records.dates import age

GROWN_UP = 18


def contact_wanted(
    case: Case, patient: Patient, carded: Sequence[object], bridge: Bridge, now: datetime
) -> bool:
    """Whether the patient has or gets a contact. `carded`: all that has a card of its own, which the contact hangs on."""
    if bridge.contact is None:
        return False
    if carded or own_contact(case):
        return True
    if patient.merged_into:
        return False
    if bridge.contact.scope == "all":
        return True
    # A representative's contact stands on the child's card, whether or not they have visits of their own.
    family = bridge.contact.family
    if family is None:
        return False
    for member in case.family:
        others = [patient, *(each for each in case.family if each.id != member.id)]
        found = guardian_of(member, others, by=family.by, grown_up=grown_up_on(bridge, now))
        if found is not None and found.id == patient.id:
            return True
    return False


def contact_card(
    case: Case, patient: Patient, identity: Identity, scope: dict[str, Any], bridge: Bridge, now: datetime
) -> tuple[DesiredCard | None, ReviewWish | None]:
    """The contact as it should be, and what a person is asked about it; either may be None. Raises EvaluationError."""
    if identity.standing is Standing.REVIEW:
        return None, identity.review
    if identity.standing in {Standing.NEVER, Standing.SHARED} or bridge.contact is None:
        return None, None
    own = own_contact(case)
    # Two persons stand on one contact: until somebody parts them, what stands there stays.
    frozen = own is not None and own.shared and not own.gone
    rules = () if frozen else bridge.contact.fields
    family = bridge.contact.family
    fields = wishes(rules, scope)
    if family and not family.phone_on_child and _representative(case, patient, bridge, now):
        # The adult's contact has the phone, or will in a moment: in an import both are made together. What we had put on
        # the child's before the adult was known is taken back; what staff put there stays.
        phones = [rule for rule in rules if rule.type is FieldType.PHONE]
        fields |= {rule.code: FieldWish(value=(), title=rule.title) for rule in phones}
    card = DesiredCard(
        key=identity.key,
        role=Role.CONTACT,
        entity=Entity.CONTACT,
        take=identity.target_id if identity.standing is Standing.TAKE else "",
        members=(RecordRef(RecordKind.PATIENT, patient.id).key(bridge.source_id),),
        fields=fields,
        overrule=identity.overrule,
    )
    return card, None


def contact_refs(
    case: Case, patient: Patient, identity: Identity | None, bridge: Bridge, now: datetime
) -> tuple[CardRef, ...]:
    """Who hangs on the patient's visit cards: the representative first, if there is one, then the patient."""
    if identity is None or identity.standing in {Standing.REVIEW, Standing.NEVER}:
        return ()
    shared = identity.standing is Standing.SHARED
    refs = [CardRef(target_id=identity.target_id) if shared else CardRef(key=identity.key)]
    parent = _representative(case, patient, bridge, now)
    if parent:
        target_id = case.family_cards[parent.id]
        key = RecordRef(RecordKind.PATIENT, parent.id).key(bridge.source_id)
        refs.insert(0, CardRef(target_id=target_id) if target_id else CardRef(key=key))
    return tuple(refs)


def merged_away(case: Case, patient: Patient, bridge: Bridge) -> ReviewWish | None:
    """The MIS merged this patient into another: whether the CRM's two contacts are one is for a person to say."""
    own = own_contact(case)
    question = f"merged:{patient.id}"
    if not patient.merged_into or own is None or own.gone or answer_to(case, question):
        return None
    ids = [own.target_id, case.family_cards.get(patient.merged_into, "")]
    return ReviewWish(
        question=question,
        rule="merged_patients",
        text=text(bridge.language, "merged_patients"),
        candidates=tuple(
            Candidate(target_id=each, name="", evidence=f"contact {each}") for each in ids if each
        ),
    )


def grown_up_on(bridge: Bridge, now: datetime) -> Callable[[Patient], bool]:
    """Whether somebody surely is of age at `now`; of whom no birth date is known, that is not sure."""
    today = now.astimezone(bridge.zone).date()
    return lambda patient: patient.birth_date is not None and age(patient.birth_date, today) >= GROWN_UP


def _representative(case: Case, patient: Patient, bridge: Bridge, now: datetime) -> Patient | None:
    family = bridge.contact.family if bridge.contact else None
    if family is None:
        return None
    return guardian_of(patient, case.family, by=family.by, grown_up=grown_up_on(bridge, now))
