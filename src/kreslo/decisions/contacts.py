"""Identity: which contact of the CRM is this patient. The MIS id decides; a phone alone never joins two people."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from kreslo.connectors.model import ById, ByKey, ByPhone, Card, Entity
from kreslo.decisions.asking import Asker
from kreslo.decisions.case import Case, OwnCard, Role
from kreslo.decisions.desired import Candidate, ReviewWish
from kreslo.decisions.texts import text
from kreslo.mapping.model import Bridge
from kreslo.records import Patient, RecordKind, RecordRef
from kreslo.records.names import (
    Compatibility,
    PersonName,
    compatible,
    looks_like_nickname_or_empty,
    parse_free_name,
)


class Standing(StrEnum):
    OWN = "own"  # the case has its contact
    TAKE = "take"  # one that stands in the CRM becomes ours
    CREATE = "create"
    REVIEW = "review"  # a person must say; the visit goes on without a contact
    NEVER = "never"  # a person said: leave it
    WAIT = "wait"  # answers are missing


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """`overrule`: the contact that is taken carries a nickname at best, so the MIS's values stand at once."""

    standing: Standing
    key: str
    target_id: str = ""
    overrule: bool = False
    review: ReviewWish | None = None
    rule: str = ""


def identity_of(case: Case, patient: Patient, bridge: Bridge, asker: Asker, hung: Sequence[str]) -> Identity:
    """Order: link in the journal → a person's answer → key in the CRM → contact of a claimed lead → phone and
    compatible name → create. `hung`: ids of contacts that hang on leads which this case claims.
    """
    own = own_contact(case)
    key = own.key if own else RecordRef(RecordKind.PATIENT, patient.id).key(bridge.source_id)
    if own and not own.gone:
        return Identity(standing=Standing.OWN, key=key, target_id=own.target_id, rule="link")
    answered = _answered(case, patient, key)
    if answered:
        return answered
    by_key = asker.ask(ByKey(Entity.CONTACT, key))
    if len(by_key) > 1:
        return _review(case, patient, key, bridge, "key_twice", by_key)
    if by_key:
        return _take(case, patient, key, bridge, asker, by_key[0], rule="key")
    adopted = _hung(case, patient, key, asker, hung)
    if adopted:
        return adopted
    found = _by_phone(case, patient, key, bridge, asker)
    if found:
        return found
    if asker.missing:
        return Identity(standing=Standing.WAIT, key=key)
    if own and bridge.contact and bridge.contact.on_deleted != "recreate":
        if bridge.contact.on_deleted == "ignore":
            return Identity(standing=Standing.NEVER, key=key, rule="deleted")
        return _review(case, patient, key, bridge, "deleted_contact", ())
    return Identity(standing=Standing.CREATE, key=key, rule="create")


def own_contact(case: Case) -> OwnCard | None:
    return next((card for card in case.cards if card.role is Role.CONTACT and not card.closed), None)


def question_of(patient: Patient) -> str:
    return f"contact:{patient.id}"


def guardian_of(case: Case, patient: Patient, *, child: bool, by: str) -> Patient | None:
    """The family member who represents this patient, or None. By guardian: the member who bears the guardian's
    name; by phone: the one grown-up on the same phone.
    """
    if by == "guardian":
        if not patient.guardian:
            return None
        name = parse_free_name(patient.guardian)
        fits = [m for m in case.family if compatible(name, _name(m)) in _AGREE]
        return fits[0] if len(fits) == 1 else None
    if not child:
        return None
    grown = [member for member in case.family if member.birth_date is not None and not member.guardian]
    return grown[0] if len(grown) == 1 else None


_AGREE = frozenset({Compatibility.SAME, Compatibility.COMPATIBLE})


def _name(patient: Patient) -> PersonName:
    return PersonName(patient.surname, patient.name, patient.patronymic)


def _answered(case: Case, patient: Patient, key: str) -> Identity | None:
    for answer in case.answers:
        if answer.question != question_of(patient):
            continue
        if answer.choice == "link":
            return Identity(standing=Standing.TAKE, key=key, target_id=answer.target_id, rule="answer: link")
        if answer.choice == "new":
            return Identity(standing=Standing.CREATE, key=key, rule="answer: new")
        return Identity(standing=Standing.NEVER, key=key, rule="answer: never")
    return None


def _take(
    case: Case, patient: Patient, key: str, bridge: Bridge, asker: Asker, card: Card, *, rule: str
) -> Identity:
    if asker.owner(Entity.CONTACT, card.id):
        return _review(case, patient, key, bridge, "shared", (card,))
    return Identity(standing=Standing.TAKE, key=key, target_id=card.id, rule=rule)


def _hung(case: Case, patient: Patient, key: str, asker: Asker, hung: Sequence[str]) -> Identity | None:
    """The contact of a claimed lead, if it belongs to no patient and its name does not speak against this one."""
    for contact_id in hung:
        for card in asker.ask(ById(Entity.CONTACT, contact_id)):
            if asker.owner(Entity.CONTACT, card.id) or card.key not in {"", key}:
                continue
            verdict = (
                compatible(parse_free_name(card.name), _name(patient)) if card.name else Compatibility.EMPTY
            )
            vague = looks_like_nickname_or_empty(card.name)
            if verdict in _AGREE or (vague and not _names_relative(card.name, case, patient)):
                return Identity(
                    standing=Standing.TAKE,
                    key=key,
                    target_id=card.id,
                    overrule=True,
                    rule="contact of the claimed lead",
                )
    return None


def _names_relative(said: str, case: Case, patient: Patient) -> bool:
    """Whether a lone first name is that of somebody else on this phone: a mother who writes for her child."""
    words = {word.casefold().replace("ё", "е") for word in said.split()}
    own = patient.name.casefold().replace("ё", "е")
    relatives = {member.name.casefold().replace("ё", "е") for member in case.family if member.name}
    return own not in words and bool(words & relatives)


def _by_phone(case: Case, patient: Patient, key: str, bridge: Bridge, asker: Asker) -> Identity | None:
    phones = tuple(phone.e164 for phone in patient.phones)
    if not phones:
        return None
    fits: list[tuple[Card, bool | None]] = []
    doubtful: list[tuple[Card, bool | None]] = []
    for card in asker.ask(ByPhone(Entity.CONTACT, phones)):
        if asker.owner(Entity.CONTACT, card.id) or card.key not in {"", key}:
            continue
        same_birth = None
        if card.birth_date is not None and patient.birth_date is not None:
            same_birth = card.birth_date == patient.birth_date
        verdict = compatible(parse_free_name(card.name), _name(patient))
        if verdict in _AGREE:
            (doubtful if same_birth is False else fits).append((card, same_birth))
        elif same_birth and (verdict is Compatibility.EMPTY or _same_given(card.name, patient)):
            # The surname changed, or none was written: the birth date speaks. Twins have two first names.
            fits.append((card, same_birth))
    certain = [card for card, same_birth in fits if same_birth]
    if len(certain) == 1:
        return _take(case, patient, key, bridge, asker, certain[0], rule="phone, name and birth date")
    if len(fits) == 1 and not doubtful:
        return _take(case, patient, key, bridge, asker, fits[0][0], rule="phone and name")
    if fits:
        return _review(case, patient, key, bridge, "several", [card for card, _ in fits + doubtful])
    if doubtful:
        return _review(case, patient, key, bridge, "birth_date", [card for card, _ in doubtful])
    return None


def _same_given(said: str, patient: Patient) -> bool:
    words = {word.casefold().replace("ё", "е") for word in said.split()}
    return bool(patient.name) and patient.name.casefold().replace("ё", "е") in words


def _review(
    case: Case, patient: Patient, key: str, bridge: Bridge, rule: str, cards: Sequence[Card]
) -> Identity:
    del case
    wish = ReviewWish(
        question=question_of(patient),
        rule=rule,
        text=text(bridge.language, rule),
        candidates=tuple(
            Candidate(
                target_id=card.id,
                name=card.name,
                evidence=", ".join(
                    [
                        *(phone.e164 for phone in card.phones),
                        *([f"{card.birth_date:%d.%m.%Y}"] if card.birth_date else []),
                    ]
                ),
            )
            for card in cards
        ),
    )
    return Identity(standing=Standing.REVIEW, key=key, review=wish, rule=rule)
