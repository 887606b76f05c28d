"""The checkers: each holds the CRM against the clinic and names the rule that is broken."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from kreslo.records import Appointment, Patient, RecordKind, RecordRef, ref_of
from tests.simulation import oracle, tickets
from tests.simulation.oracle import Line, Stand
from tests.simulation.rules import POLL, POLL_HOURS
from tests.simulation.views import CardView, visit_of

if TYPE_CHECKING:
    from tests.simulation.world import World

SUPERSEDED = "superseded:"
PAST = timedelta(days=30)
SEEN_LATE = timedelta(hours=14)
"""How long a world may leave a file unread: a file does not say when a visit was cancelled."""


class Violation(msgspec.Struct, frozen=True):
    rule: str
    about: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.about}"


class Scene:
    """The world at one rest, sorted for the checkers."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.now = world.engine_clock.now()
        self.rules = world.rules
        self.cards = world.crm.cards()
        self.acts = world.life.staff.acts
        self.deals = {card.id: card for card in self.cards if card.entity == "deal"}
        self.by_key: dict[str, list[CardView]] = defaultdict(list)
        for card in self.cards:
            if card.key:
                self.by_key[card.key].append(card)
        self.of_visit: dict[str, list[CardView]] = defaultdict(list)
        for card in self.deals.values():
            self.of_visit[card.visit].append(card)
        self.patients = {each.id: each for each in world.mis.patients()}
        self.gone = {ref.id for ref in world.mis.deleted if ref.id in world.memory.carded}
        vanished = [each for each in world.mis.deleted.values() if each.id in self.gone]
        self.visits = {
            each.id: each for each in (*world.mis.appointments(), *vanished) if isinstance(each, Appointment)
        }
        of_patient: dict[str, list[Appointment]] = defaultdict(list)
        for visit in self.visits.values():
            of_patient[visit.patient_id].append(visit)
        # Of two visits on one card nobody can say what it should show: they are left to a person.
        self.merged = {
            visit for act in self.acts if act.kind == "merge" and act.entity == "deal" for visit in act.value
        }
        self.lines = [
            line
            for visits in of_patient.values()
            if not (world.rules.source == "helix" and oracle.ambiguous(visits, SEEN_LATE))
            for line in oracle.lines(visits, self.gone)
            if not self.merged & set(line.members)
        ]
        booked = {
            (record.patient_id, record.starts_at, record.predecessor_id or record.id)
            for record in (version.record for version in world.mis.log)
            if isinstance(record, Appointment)
        }
        self.booked = [(patient, starts_at) for patient, starts_at, _ in booked]
        run = world.engine.run
        self.questions = {item.wish.question for item in run.journal.reviews()} if run else set()
        self.asked = {item.wish.rule for item in run.journal.reviews()} if run else set()

    def cards_of(self, line: Line) -> list[CardView]:
        """The living cards of a visit: those that were not closed for another one of the same visit. A card that was
        closed once lives again when its visit stands for itself after all.
        """
        found = [card for member in line.members for card in self.of_visit.get(member, ())]
        living = [card for card in found if not any(SUPERSEDED in note for note in card.notes)]
        deleted = {act.value for act in self.acts if act.kind == "delete"}
        gone = deleted & set(line.members)
        return living or ([] if gone else self._living_again(found))

    def _living_again(self, found: list[CardView]) -> list[CardView]:
        """Of cards that all bear the note, `found` from the older to the younger: the note of a card that lives again
        stays on it, so that it does not tell which one was closed last. One that lived at the last rest lives on before
        one that was closed then, and of those the older one; the others must stand closed, unless staff dragged them.
        """
        lived = [card for card in found if card.id in self.world.memory.stands]
        heir = next(iter(lived or found), None)
        closed = {self.rules.stages["rescheduled"], self.rules.stages["cancelled"]}
        return [
            card
            for card in found
            if card is heir
            or (card.stage not in closed and not self.did("drag", entity="deal", card=card.id))
        ]

    def did(self, *kinds: str, entity: str = "", card: str = "") -> bool:
        return any(
            act.kind in kinds and entity in {"", act.entity} and card in {"", act.id} for act in self.acts
        )


async def at_rest(world: "World") -> list[Violation]:
    """Holds at every moment when all is told. Remembers the scene for the next rest."""
    served = await world.exchange.ask_all() if world.exchange else []
    scene = Scene(world)
    found = [*_visits(scene), *_doubled(scene), *_orphans(scene), *_contacts(scene), *_fields(scene)]
    found += [*_leads(scene), *_messages(scene), *_polls(scene), *_poll_messages(scene)]
    if world.exchange:
        found += [Violation(*each) for each in tickets.broken(scene, world.exchange, served)]
    _remember(scene)
    return found


def _visits(scene: Scene) -> Iterator[Violation]:
    """Every visit in the horizon has exactly one card, at the right stage."""
    memory = scene.world.memory
    changes = scene.world.mis.log[memory.log :]
    acts = scene.acts[memory.acts :]
    deleted = {act.value for act in scene.acts if act.kind == "delete"}
    for line in scene.lines:
        about = f"visit {' → '.join(line.members)}"
        cards = scene.cards_of(line)
        if len(cards) > 1:
            yield Violation("one card a visit", f"{about} has cards {', '.join(card.id for card in cards)}")
            continue
        if not cards:
            if _card_expected(scene, line) and not deleted & set(line.members):
                yield Violation("one card a visit", f"{about} has none")
            continue
        card = cards[0]
        patient = scene.patients[line.last.patient_id]
        before = memory.stands.get(card.id)
        if before is None and memory.carded & set(line.members):
            continue  # two cards became one, or one was made again: judged from the next rest on
        happened = oracle.between(
            line,
            card.id,
            before,
            changes=changes,
            acts=acts,
            then=memory.now,
            now=scene.now,
            rules=scene.rules,
            silenced=_silenced(scene, patient, card),
        )
        allowed = oracle.stages(before, happened, scene.rules)
        if card.stage not in allowed:
            yield Violation(
                "the right stage",
                f"{about}, card {card.id} stands at «{card.stage}», not at {sorted(allowed)}; "
                f"before: {before}; since: {happened}",
            )


def _silenced(scene: Scene, patient: Patient, card: CardView) -> bool:
    """Whether messages to this patient may be held back: they said so once, or nobody is sure who they are."""
    refused = any(
        isinstance(version.record, Patient)
        and version.record.id == patient.id
        and version.record.messages_refused
        for version in scene.world.mis.log
    )
    return refused or not card.contacts or bool(scene.questions)


def _card_expected(scene: Scene, line: Line) -> bool:
    last = line.last
    if line.vanished:
        return bool(set(line.members) & scene.world.memory.keyed)
    if last.starts_at < scene.now - PAST:
        return bool(set(line.members) & scene.world.memory.carded)
    if last.cancelled_at and not scene.rules.cancelled_unseen:
        # Not where it was only taken for another's new time for a while (seed 306).
        return bool(set(line.members) & scene.world.memory.keyed)
    return True


def _doubled(scene: Scene) -> Iterator[Violation]:
    for key, cards in scene.by_key.items():
        for entity, count in Counter(card.entity for card in cards).items():
            if count > 1:
                yield Violation("one card a key", f"{key}: {count} {entity}s")
    claimed = Counter(card.lead for card in scene.deals.values() if card.lead)
    for lead, count in claimed.items():
        if count > 1:
            yield Violation("one visit a lead", f"lead {lead} is linked to {count} deals")


def _orphans(scene: Scene) -> Iterator[Violation]:
    """Whatever we made is somebody's; and nobody is asked about a deletion that was none."""
    if not scene.did("delete", "merge"):
        for rule in scene.asked & {"deleted_visit", "deleted_contact", "deleted_enquiry"}:
            yield Violation("no card is taken for deleted", f"staff are asked: {rule}")
    there = {*scene.world.mis.now_there, *scene.world.mis.deleted}
    for card in scene.cards:
        if card.ours and not card.key:
            yield Violation("no orphan", f"{card.entity} {card.id} is ours and has no key")
        if card.key:
            kind, _, number = card.key.removeprefix("ident/").partition("/")
            kind = RecordKind.APPOINTMENT if card.entity == "poll" else kind
            if RecordRef(RecordKind(kind), number) not in there:
                yield Violation("no orphan", f"{card.entity} {card.id} has the key {card.key}")


def _contacts(scene: Scene) -> Iterator[Violation]:
    """A patient with a card has one contact of their own, and it hangs on the card. A phone alone joins nobody."""
    if scene.did("merge", entity="contact"):
        return
    for card in scene.cards:
        if card.entity == "contact" and card.id in scene.world.life.staff.strangers and card.key:
            yield Violation("a phone is not a person", f"contact {card.id} of a stranger became {card.key}")
    if scene.did("merge", entity="contact") or scene.did("relink"):
        return
    for line in scene.lines:
        patient = scene.patients[line.last.patient_id]
        if f"contact:{patient.id}" in scene.questions:
            continue
        contacts = scene.by_key.get(f"ident/patient/{patient.id}", [])
        for card in scene.cards_of(line):
            if not contacts:
                yield Violation(
                    "the patient's contact", f"patient {patient.id} has none, deal {card.id} is theirs"
                )
            elif line.last.starts_at >= scene.now - PAST and contacts[0].id not in card.contacts:
                yield Violation(
                    "the patient's contact",
                    f"deal {card.id} has contacts {card.contacts}, not {contacts[0].id} of patient {patient.id}",
                )


def _fields(scene: Scene) -> Iterator[Violation]:
    """What is the clinic's is as in the clinic; what is staff's is as staff left it."""
    edits: dict[tuple[str, str], Any] = {}
    touched: Counter[str] = Counter()
    for act in scene.acts:
        if act.kind == "edit":
            code, value = act.value
            if code == "COMMENTS":
                edits[act.entity, act.id] = value
            else:
                touched[act.id] += 1
    merged = scene.did("merge", entity="contact")
    for card in scene.cards:
        wanted = edits.get((card.entity, card.id))
        if wanted is not None and not merged and card.fields.get("COMMENTS") != wanted:
            yield Violation(
                "staff's fields",
                f"{card.entity} {card.id}: COMMENTS is {card.fields.get('COMMENTS')!r}, not {wanted!r}",
            )
    for line in scene.lines:
        if line.vanished or line.last.starts_at < scene.now - PAST:
            continue  # of a deleted row nobody knows what was changed last
        for card in scene.cards_of(line):
            yield from _clinic_fields(line, card, touched[card.id])


def _clinic_fields(line: Line, card: CardView, touched: int) -> Iterator[Violation]:
    last = line.last
    shown = card.fields.get("Дата и время визита")
    if shown != last.starts_at:
        yield Violation(
            "the clinic's fields", f"deal {card.id} shows {shown}, the visit starts at {last.starts_at}"
        )
    reason = card.fields.get("Причина отмены") or ""
    if reason != (last.cancel_reason if last.cancelled_at else ""):
        yield Violation("the clinic's fields", f"deal {card.id} gives {reason!r} for {last.cancel_reason!r}")
    doctor = last.doctor.name if last.doctor else ""
    if touched < 3 and card.fields.get("Врач") != doctor:
        yield Violation(
            "the clinic's fields", f"deal {card.id} has doctor {card.fields.get('Врач')!r}, not {doctor!r}"
        )
    done = (last.ended_at or last.billed_at) and not last.cancelled_at
    if done and last.amount and card.fields.get("OPPORTUNITY") != last.amount:
        yield Violation(
            "the clinic's fields",
            f"deal {card.id} is worth {card.fields.get('OPPORTUNITY')}, not {last.amount}",
        )


def _leads(scene: Scene) -> Iterator[Violation]:
    """One open enquiry card a phone, and none without one."""
    leads = [card for card in scene.cards if card.entity == "lead"]
    ours: Counter[str] = Counter()
    anyhow: set[str] = set()
    for card in scene.deals.values():
        anyhow |= set(card.phones)  # where the lead itself became the visit's card
    for card in leads:
        anyhow |= set(card.phones)
        if card.key.startswith("ident/enquiry/") and card.semantic == "P":
            ours.update(set(card.phones))
    for phone, count in ours.items():
        if count > 1:
            yield Violation("one card an enquiry", f"{phone} has {count} open enquiry cards")
    for enquiry in scene.world.mis.enquiries():
        if enquiry.phones[0].e164 not in anyhow:
            yield Violation(
                "one card an enquiry", f"enquiry {enquiry.id} from {enquiry.phones[0].e164} has none"
            )


def _messages(scene: Scene) -> Iterator[Violation]:
    """Nobody gets a message twice, nor one of a time that is past."""
    sent: Counter[tuple[str, str, datetime | None]] = Counter()
    for message in scene.world.crm.messages:
        card = scene.deals.get(message.card)
        visit = scene.visits.get(card.visit) if card else None
        if message.ours and visit is not None:
            sent[visit.patient_id, message.stage, message.starts_at] += 1
    for (patient, stage, starts_at), count in sent.items():
        # A patient may have two visits at one time, rarely: each has its message.
        if count > max(1, scene.booked.count((patient, starts_at))):
            yield Violation("no message twice", f"patient {patient}: «{stage}» of {starts_at} {count} times")
    for message in scene.world.crm.messages:
        if (
            message.ours
            and message.starts_at is not None
            and message.starts_at + timedelta(minutes=10) < message.at
        ):
            yield Violation(
                "no message of the past",
                f"deal {message.card}: «{message.stage}» of {message.starts_at} at {message.at}",
            )


def _polls(scene: Scene) -> Iterator[Violation]:
    """One poll a visit that took place, on its patient's contact; none for one that did not, nor for who refused."""
    polls = {card.key.rpartition("/")[2]: card for card in scene.cards if card.entity == "poll"}
    ended = _ended(scene)
    for id_, card in polls.items():
        if not ended[id_]:
            yield Violation("a poll has its visit", f"card {card.id}: appointment {id_} never took place")
    if not scene.rules.polls or scene.did("merge", entity="contact"):
        return
    for line in scene.lines:
        last, patient = line.last, scene.patients[line.last.patient_id]
        said = [each.record for each in scene.world.mis.log if each.ref == ref_of(patient)]
        refused = [isinstance(each, Patient) and each.messages_refused for each in said]
        if all(refused) and last.id in polls:
            yield Violation("no message to who refused", f"patient {patient.id} has poll {polls[last.id].id}")
        if last.ended_at is None or last.cancelled_at or line.vanished or any(refused) or scene.questions:
            continue
        due = last.ended_at + timedelta(hours=POLL_HOURS[POLL])
        # A moment for the clocks, which may be wrong.
        if last.id not in polls and due + timedelta(minutes=10) < scene.now < due + timedelta(hours=20):
            yield Violation("one card an occasion", f"appointment {last.id} took place and has no poll")
        contacts = scene.by_key.get(f"ident/patient/{patient.id}", [])
        if last.id in polls and contacts and contacts[0].id not in polls[last.id].contacts:
            yield Violation(
                "the patient's contact", f"poll {polls[last.id].id} is not on that of {patient.id}"
            )


def _poll_messages(scene: Scene) -> Iterator[Violation]:
    polls = {card.id: card.key.rpartition("/")[2] for card in scene.cards if card.entity == "poll"}
    ended = _ended(scene)
    sent = Counter(
        (message.card, message.stage) for message in scene.world.crm.messages if message.card in polls
    )
    for (card, stage), count in sent.items():
        if count > 1:
            yield Violation("no message twice", f"poll {card}: «{stage}» {count} times")
    for message in scene.world.crm.messages:
        if message.card not in polls:
            continue
        after = timedelta(hours=POLL_HOURS[message.stage])
        times = [at + after for at in ended[polls[message.card]]]
        slack = timedelta(minutes=10)
        if not any(at - slack <= message.at <= at + timedelta(days=1) + slack for at in times):
            yield Violation(
                "a message in its time", f"poll {message.card}: «{message.stage}» at {message.at}"
            )


def _ended(scene: Scene) -> dict[str, set[datetime]]:
    """By appointment, when it took place as far as the clinic ever said."""
    ended: dict[str, set[datetime]] = defaultdict(set)
    for version in scene.world.mis.log:
        record = version.record
        if isinstance(record, Appointment) and record.ended_at and not record.cancelled_at:
            ended[record.id].add(record.ended_at)
    return ended


def _remember(scene: Scene) -> None:
    memory = scene.world.memory
    memory.at = scene.world.clock.monotonic()
    memory.now = scene.now
    memory.log = len(scene.world.mis.log)
    memory.acts = len(scene.acts)
    memory.stands = {}
    for line in scene.lines:
        for card in scene.cards_of(line):
            memory.carded.update(line.members)
            memory.keyed.update([card.visit] if visit_of(card.key) else line.members)
            memory.stands[card.id] = Stand(
                stage=card.stage,
                phase="cancelled" if line.vanished else oracle.phase(line.last, scene.now, scene.rules),
                starts_at=line.last.starts_at,
            )
