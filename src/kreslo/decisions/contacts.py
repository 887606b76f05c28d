"""Identity: which contact of the CRM is this patient. The MIS id decides; a phone alone never joins two people."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from kreslo.connectors.model import ByField, ById, ByKey, ByPhone, Card, Entity
from kreslo.decisions.asking import Asker, answer_to, deleted_question
from kreslo.decisions.case import Case, OwnCard, Role
from kreslo.decisions.desired import Candidate, ReviewWish
from kreslo.decisions.fields import text_of
from kreslo.decisions.texts import text
from kreslo.mapping.model import Bridge
from kreslo.records import Patient, RecordKind, RecordRef
from kreslo.records.name_words import GIVEN_NAMES, KIN
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
    SHARED = (
        "shared"  # a person said: another patient's contact; the visits hang on it, its fields are not ours
    )
    WAIT = "wait"  # answers are missing


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """`overrule`: the contact that is taken carries a nickname at best, so the MIS's values stand at once."""

    standing: Standing
    key: str
    target_id: str = ""
    overrule: bool = False
    review: ReviewWish | None = None
    rule: str = ""


class Seeker(msgspec.Struct, frozen=True, kw_only=True):
    """Who looks for their contact. `child`: under age; a lead's first name alone is then rather a parent's. `scope`: for
    expressions.
    """

    case: Case
    patient: Patient
    key: str
    bridge: Bridge
    asker: Asker
    child: bool
    scope: dict[str, Any]


def identity_of(
    case: Case,
    patient: Patient,
    bridge: Bridge,
    asker: Asker,
    hung: Sequence[str],
    *,
    child: bool,
    scope: dict[str, Any],
) -> Identity:
    """Order: link in the journal → a person's answer → key in the CRM → another system's key, where the mapping names
    one → contact of a claimed lead → phone and compatible name → create. `hung`: ids of contacts that hang on leads which
    this case claims.
    """
    own = own_contact(case)
    key = own.key if own else RecordRef(RecordKind.PATIENT, patient.id).key(bridge.source_id)
    if own and not own.gone:
        return Identity(standing=Standing.OWN, key=key, target_id=own.target_id, rule="link")
    seeker = Seeker(case=case, patient=patient, key=key, bridge=bridge, asker=asker, child=child, scope=scope)
    question = deleted_question(own) if own else question_of(patient)
    found = (
        _answered(seeker, question)
        or _by_key(seeker, question)
        or _by_other_key(seeker, question)
        or _hung(seeker, hung)
        or _by_phone(seeker, question, gone=own is not None)
        or _merged_into(seeker, question, own)
    )
    if found:
        return found
    if asker.missing:
        return Identity(standing=Standing.WAIT, key=key)
    if own and bridge.contact and bridge.contact.on_deleted != "recreate":
        if bridge.contact.on_deleted == "ignore":
            return Identity(standing=Standing.NEVER, key=key, rule="deleted")
        return _review(seeker, question, "deleted_contact", ())
    return Identity(standing=Standing.CREATE, key=key, rule="create")


def own_contact(case: Case) -> OwnCard | None:
    return next((card for card in case.cards if card.role is Role.CONTACT and not card.closed), None)


def question_of(patient: Patient) -> str:
    return f"contact:{patient.id}"


def guardian_of(
    patient: Patient, family: Sequence[Patient], *, by: str, grown_up: Callable[[Patient], bool]
) -> Patient | None:
    """The family member who represents this patient, or None. By guardian: the one member who bears the guardian's name;
    by phone: of a child, the one grown-up on the same phone. `grown_up`: whether somebody surely is.
    """
    family = [member for member in family if not member.processing_refused and not member.merged_into]
    if by == "guardian":
        name = parse_free_name(patient.guardian)
        fits = [member for member in family if compatible(name, _name(member)) in _AGREE]
        return fits[0] if len(fits) == 1 else None
    if patient.birth_date is None or grown_up(patient):
        return None
    grown = [member for member in family if grown_up(member)]
    return grown[0] if len(grown) == 1 else None


_AGREE = frozenset({Compatibility.SAME, Compatibility.COMPATIBLE})


def _name(patient: Patient) -> PersonName:
    return PersonName(patient.surname, patient.name, patient.patronymic)


def _answered(seeker: Seeker, question: str) -> Identity | None:
    """The last answer to this question. A card that was chosen and is gone since is no answer."""
    answer = answer_to(seeker.case, question)
    if answer is None:
        return None
    if answer.choice == "new":
        return Identity(standing=Standing.CREATE, key=seeker.key, rule="answer: new")
    if answer.choice != "link":
        return Identity(standing=Standing.NEVER, key=seeker.key, rule="answer: never")
    for card in seeker.asker.ask(ById(Entity.CONTACT, answer.target_id)):
        standing = Standing.SHARED if seeker.asker.owner(Entity.CONTACT, card.id) else Standing.TAKE
        return Identity(standing=standing, key=seeker.key, target_id=card.id, rule="answer: link")
    return None


def _by_key(seeker: Seeker, question: str) -> Identity | None:
    found = seeker.asker.ask(ByKey(Entity.CONTACT, seeker.key))
    if len(found) > 1:
        return _review(seeker, question, "key_twice", found)
    return _take(seeker, question, found[0], rule="key") if found else None


def _by_other_key(seeker: Seeker, question: str) -> Identity | None:
    adopt = seeker.bridge.contact.adopt if seeker.bridge.contact else None
    if adopt is None or not adopt.key_field or adopt.key is None:
        return None
    value = text_of(adopt.key, seeker.scope)
    if not value:
        return None
    found = [
        card
        for card in seeker.asker.ask(ByField(Entity.CONTACT, adopt.key_field, value))
        if card.key in {"", seeker.key}
    ]
    if len(found) > 1:
        return _review(seeker, question, "key_twice", found)
    return _take(seeker, question, found[0], rule="another system's key") if found else None


def _take(seeker: Seeker, question: str, card: Card, *, rule: str) -> Identity:
    if seeker.asker.owner(Entity.CONTACT, card.id):
        return _review(seeker, question, "shared", (card,))
    return Identity(standing=Standing.TAKE, key=seeker.key, target_id=card.id, rule=rule)


def _hung(seeker: Seeker, hung: Sequence[str]) -> Identity | None:
    """The contact of a claimed lead, if it belongs to no patient and its name does not speak against this one."""
    cards = [card for each in hung for card in seeker.asker.ask(ById(Entity.CONTACT, each))]
    for card in cards:
        if seeker.asker.owner(Entity.CONTACT, card.id) or card.key not in {"", seeker.key}:
            continue
        if _same_birth(card, seeker.patient) is False or _names_relative(card.name, seeker):
            continue
        verdict = compatible(parse_free_name(card.name), _name(seeker.patient))
        if verdict is not Compatibility.CONFLICT or looks_like_nickname_or_empty(card.name):
            return Identity(
                standing=Standing.TAKE,
                key=seeker.key,
                target_id=card.id,
                overrule=verdict not in _AGREE,
                rule="contact of the claimed lead",
            )
    return None


def _names_relative(said: str, seeker: Seeker) -> bool:
    """Whether the name is that of somebody else on this phone: «мама Пети», the first name of another patient, or, for
    a child, any first name but the child's own: a mother who writes for her child.
    """
    words = set(_words(said))
    if words & KIN:
        return True
    if set(_words(seeker.patient.name)) & words:
        return False
    relatives = {word for member in seeker.case.family for word in _words(member.name)}
    return bool(words & relatives) or (seeker.child and bool(words & GIVEN_NAMES))


def _by_phone(seeker: Seeker, question: str, *, gone: bool) -> Identity | None:
    """By phone and compatible name, or phone and birth date. `gone`: the patient's contact is not there any more; if it
    was merged into another patient's, a person is asked.
    """
    phones = tuple(phone.e164 for phone in seeker.patient.phones)
    if not phones:
        return None
    fits: list[tuple[Card, bool | None]] = []
    doubtful: list[Card] = []
    survivors: list[Card] = []
    for card in seeker.asker.ask(ByPhone(Entity.CONTACT, phones)):
        same_birth = _same_birth(card, seeker.patient)
        verdict = compatible(parse_free_name(card.name), _name(seeker.patient))
        if seeker.asker.owner(Entity.CONTACT, card.id) or card.key not in {"", seeker.key}:
            survivors += [card] if verdict in _AGREE and same_birth is not False else []
        elif verdict in _AGREE:
            if same_birth is False:
                doubtful.append(card)
            else:
                fits.append((card, same_birth))
        elif same_birth and (verdict is Compatibility.EMPTY or _same_given(card.name, seeker.patient)):
            # The surname changed, or none was written: the birth date speaks. Twins have two first names.
            fits.append((card, same_birth))
    certain = [card for card, same_birth in fits if same_birth]
    one = certain[0] if len(certain) == 1 else fits[0][0] if len(fits) == 1 and not doubtful else None
    if one is not None and _rivals(one, seeker):
        return _review(seeker, question, "twins", (one,))
    if one is not None:
        return _take(
            seeker, question, one, rule="phone, name and birth date" if certain else "phone and name"
        )
    if fits:
        return _review(seeker, question, "several", [*(card for card, _ in fits), *doubtful])
    if doubtful:
        return _review(seeker, question, "birth_date", doubtful)
    if gone and survivors:
        return _review(seeker, question, "shared", survivors)
    return None


def _merged_into(seeker: Seeker, question: str, own: OwnCard | None) -> Identity | None:
    """Another patient's contact that stands on this patient's cards where their own stood: staff merged the two, be they
    called as they may. The survivor has the numbers of both.
    """
    if own is None:
        return None
    numbers = {phone.e164 for phone in seeker.patient.phones}
    for card in seeker.case.cards:
        before = card.base.contacts if card.base else ()
        if card.role is not Role.VISIT or card.gone or own.target_id not in before:
            continue
        for visit in seeker.asker.ask(ById(card.entity, card.target_id)):
            stands = own.target_id in visit.contacts
            new = [] if stands else [each for each in visit.contacts if each not in before]
            for contact in (found for each in new for found in seeker.asker.ask(ById(Entity.CONTACT, each))):
                known = not numbers or numbers & {phone.e164 for phone in contact.phones}
                if known and seeker.asker.owner(Entity.CONTACT, contact.id):
                    return _review(seeker, question, "shared", (contact,))
    return None


def _rivals(card: Card, seeker: Seeker) -> bool:
    """Whether another patient on this phone, who has no contact yet, fits the contact no worse: a father and a son of
    one name, twins where only the surname was written, one person twice in the MIS.
    """
    mine = _fit(card, seeker.patient)
    return any(
        not seeker.case.family_cards.get(member.id)
        and not member.merged_into
        and not member.processing_refused
        and _fit(card, member) >= mine
        for member in seeker.case.family
    )


def _fit(card: Card, patient: Patient) -> tuple[bool, int]:
    """How well a contact fits a patient; (False, -1) is not at all."""
    verdict = compatible(parse_free_name(card.name), _name(patient))
    same_birth = _same_birth(card, patient)
    if same_birth is False or verdict is Compatibility.CONFLICT:
        return (bool(same_birth) and _same_given(card.name, patient), -1)
    order = (Compatibility.EMPTY, Compatibility.COMPATIBLE, Compatibility.SAME)
    return (bool(same_birth), order.index(verdict))


def _same_birth(card: Card, patient: Patient) -> bool | None:
    """None where either date is not known."""
    if card.birth_date is None or patient.birth_date is None:
        return None
    return card.birth_date == patient.birth_date


def _same_given(said: str, patient: Patient) -> bool:
    return bool(patient.name) and set(_words(patient.name)) <= set(_words(said))


def _words(name: str) -> list[str]:
    return [word.strip(".,()«»\"'").replace("ё", "е") for word in name.casefold().split()]


def _review(seeker: Seeker, question: str, rule: str, cards: Sequence[Card]) -> Identity:
    wish = ReviewWish(
        question=question,
        rule=rule,
        text=text(seeker.bridge.language, rule),
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
        shared=cards[0].id if rule == "shared" else "",
    )
    return Identity(standing=Standing.REVIEW, key=seeker.key, review=wish, rule=rule)
