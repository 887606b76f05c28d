"""What a clinic's staff do in the CRM meanwhile: leads, contacts that they type in, and what they do to our cards."""

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from kreslo.records import Appointment, Phone
from tests.simulation.clock import WorldClock
from tests.simulation.mis import Mis
from tests.simulation.rules import CLAIM_STAGE, PROTECTED, Rules
from tests.simulation.views import CardView, Crm

_STRANGER = ("Чужаков", "Пров")


class StaffAct(msgspec.Struct, frozen=True, kw_only=True):
    """One act of staff in the CRM at a monotonic instant. `kind`: drag, edit, relink, delete, merge, lead,
    type."""

    at: float
    kind: str
    entity: str
    id: str
    value: Any = None


class Staff:
    """`acts`: what they did; `touched`: monotonic instant of the last; `strangers`: ids of contacts that they typed in for
    somebody who is no patient; `entered`: leads that ever stood at CLAIM_STAGE, and their phones then. `ahead`: visits that
    are still to come; `new_phone`: a number of somebody.
    """

    def __init__(
        self,
        clock: WorldClock,
        mis: Mis,
        crm: Crm,
        rules: Rules,
        chance: Random,
        tell: Callable[[str], None],
        *,
        ahead: Callable[[], list[Appointment]],
        new_phone: Callable[[], Phone],
    ) -> None:
        self._clock = clock
        self._mis = mis
        self._crm = crm
        self._rules = rules
        self._chance = chance
        self._tell = tell
        self._ahead = ahead
        self._new_phone = new_phone
        self.acts: list[StaffAct] = []
        self.touched = 0.0
        self.strangers: set[str] = set()
        self.entered: dict[str, tuple[str, ...]] = {}

    def _did(self, kind: str, entity: str, card_id: str, value: Any = None) -> None:
        self.acts.append(
            StaffAct(at=self._clock.monotonic(), kind=kind, entity=entity, id=card_id, value=value)
        )
        self.touched = self._clock.monotonic()
        self._tell(f"staff: {kind} {entity} {card_id} {value or ''}".rstrip())

    def new_lead(self) -> None:
        patients = [each for each in self._mis.patients() if each.phones]
        known = self._chance.random() < 0.6 and patients
        phone = self._chance.choice(patients).phones[0].e164 if known else self._new_phone().e164
        stage = self._chance.choice(("Новый", CLAIM_STAGE, CLAIM_STAGE))
        name = self._chance.choice(("Мария", "", "мама Тимофея", "Олег"))
        self.lead(name, phone, stage)

    def lead(self, name: str, phone: str, stage: str, said: str = "") -> str:
        """An enquiry comes into the CRM; its card's id."""
        made = self._crm.lead(name, phone, stage)
        self._did("lead", "lead", made, said or f"{phone} at {stage}")
        self._note_entry(made)
        return made

    def _note_entry(self, lead: str) -> None:
        card = next((each for each in self._crm.cards() if (each.entity, each.id) == ("lead", lead)), None)
        if card is not None and card.stage == CLAIM_STAGE:
            self.entered[lead] = card.phones

    def type_contact(self) -> None:
        """Somebody with a patient's phone: the patient, or a stranger."""
        patients = [each for each in self._mis.patients() if each.phones]
        if not patients:
            return
        patient = self._chance.choice(patients)
        stranger = self._chance.random() < 0.6
        surname, name = _STRANGER if stranger else (patient.surname, patient.name)
        made = self._crm.contact(surname, name, patient.phones[0].e164)
        if stranger:
            self.strangers.add(made)
        self._did("type", "contact", made, f"{surname} {name}")

    def _cards(self, entity: str) -> list[CardView]:
        return [card for card in self._crm.cards() if card.entity == entity and (card.key or card.visit)]

    def drag(self) -> None:
        deals = self._cards("deal")
        if deals:
            card = self._chance.choice(deals)
            stage = self._chance.choice((*PROTECTED, *self._rules.stages.values()))
            self._crm.drag("deal", card.id, stage)
            self._did("drag", "deal", card.id, stage)

    def reply(self) -> None:
        """A patient answers before the visit, and a robot moves the card: from there the clock must not take it."""
        ahead = {visit.id for visit in self._ahead()}
        deals = [card for card in self._cards("deal") if card.visit in ahead]
        if deals:
            card, stage = self._chance.choice(deals), self._chance.choice(PROTECTED)
            self._crm.drag("deal", card.id, stage)
            self._did("drag", "deal", card.id, stage)

    def edit_own(self) -> None:
        """A field that is staff's own."""
        found = self._cards(self._chance.choice(("deal", "contact")))
        if found:
            card = self._chance.choice(found)
            text = f"записка {len(self.acts)}"
            self._crm.edit(card.entity, card.id, {"COMMENTS": text})
            self._did("edit", card.entity, card.id, ("COMMENTS", text))

    def edit_ours(self) -> None:
        deals = self._cards("deal")
        if deals:
            card = self._chance.choice(deals)
            self._crm.edit("deal", card.id, {"Врач": "Не тот врач"})
            self._did("edit", "deal", card.id, ("Врач", "Не тот врач"))

    def relink(self) -> None:
        deals, contacts = self._cards("deal"), self._cards("contact")
        if deals and contacts and "relink" not in self._crm.cannot:
            card, other = self._chance.choice(deals), self._chance.choice(contacts)
            self._crm.relink(card.id, [other.id])
            self._did("relink", "deal", card.id, other.id)

    def delete_visit(self) -> None:
        deals = self._cards("deal")
        if deals:
            card = self._chance.choice(deals)
            self._crm.delete("deal", card.id)
            self._did("delete", "deal", card.id, card.visit)

    def merge_contacts(self) -> None:
        contacts = self._cards("contact")
        if len(contacts) > 1:
            loser, survivor = self._chance.sample(contacts, 2)
            self._crm.merge("contact", loser.id, survivor.id)
            self._did("merge", "contact", loser.id, survivor.id)

    def merge_visits(self) -> None:
        """Somebody takes two visits' cards for one."""
        deals = [card for card in self._cards("deal") if card.visit]
        if len(deals) > 1:
            loser, survivor = self._chance.sample(deals, 2)
            self._crm.merge("deal", loser.id, survivor.id)
            self._did("merge", "deal", loser.id, (loser.visit, survivor.visit))

    def drag_any_lead(self) -> None:
        leads = [card for card in self._crm.cards() if card.entity == "lead" and card.semantic == "P"]
        if leads:
            card = self._chance.choice(leads)
            stage = self._chance.choice(("Новый", CLAIM_STAGE, "Не записался"))
            self.drag_lead(card.id, stage)

    def drag_lead(self, lead: str, stage: str) -> None:
        """Staff move an open lead; one that was closed meanwhile they leave."""
        there = [each for each in self._crm.cards() if (each.entity, each.id) == ("lead", lead)]
        if there and there[0].semantic == "P":
            self._crm.drag("lead", lead, stage)
            self._did("drag", "lead", lead, stage)
            self._note_entry(lead)
