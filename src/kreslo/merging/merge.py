"""`merge`: from a desired card, our base and the card as it is now, to the changes to send. Pure."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from kreslo.connectors.model import AddNote, AddTask, Card, CreateCard, MultiChange, UpdateCard, Value
from kreslo.decisions.case import Base, OwnCard, Role
from kreslo.decisions.desired import CardRef, DesiredCard, NoteWish, TaskWish
from kreslo.mapping.model import Bridge
from kreslo.merging.fields import Canonical, Verdict, as_tuple, differs, empty, merge_field
from kreslo.merging.guards import held_back, wants_stage
from kreslo.merging.plan import Merged, Overwrite, Planned

Wish = TypeVar("Wish", bound=NoteWish | TaskWish)

STAGE, CONTACTS = "stage", "contacts"
"""What `Merged.kept` calls what is no field of the card's."""

Resolve = Callable[[CardRef], str]
"""The target id of a contact reference, "" while it is not created yet."""


def merge(
    card: DesiredCard,
    own: OwnCard | None,
    actual: Card | None,
    *,
    asked: bool,
    look: bool,
    canonical: Canonical,
    resolve: Resolve,
    bridge: Bridge,
) -> Merged:
    """`own`: the journal's card, None for a new one. `asked`: `actual` is the CRM's answer, so None means that the card
    is gone. `look`: an event says that the card changed, so it is compared even if we wish nothing new.
    """
    target_id = card.take or (own.target_id if own and not own.gone else "")
    if own and own.busy:
        return Merged()
    if not target_id:
        return _create(card, own.base if own else None, canonical)
    # A card that staff deleted and took out of the bin again is still the one that we knew.
    base = own.base if own and card.take in {"", own.target_id} else None
    if not look and base is not None and not _anything_new(card, base, canonical, resolve):
        kept = _remembered(_without_stage_tasks(card), base)
        return Merged(base=kept if kept != base else None)
    if not asked:
        return Merged(need_actual=True)
    if actual is None:
        return Merged(gone=True)
    if own and own.overrule and base is None:
        card = msgspec.structs.replace(card, overrule=True)
    return _update(card, base, actual, target_id, canonical, resolve, bridge)


def _create(card: DesiredCard, before: Base | None, canonical: Canonical) -> Merged:
    """`before`: the base of the card that was deleted and is made again; what was said on it stays said."""
    if card.role in {Role.CLAIM, Role.WATCHED} or card.close:
        return Merged()  # these are never ours to make
    fields = {code: wish.value for code, wish in card.fields.items() if not empty(wish.value)}
    stage = card.stage.stage or card.stage.initial if card.stage else None
    create = CreateCard(
        entity=card.entity, key=card.key, fields=fields, stage=stage, lead=card.lead, quiet=card.quiet
    )
    occasion = card.stage.occasion if card.stage and card.stage.stage else ""
    markers = before.markers if before else ()
    after = _remembered(
        card if card.stage and card.stage.stage else _without_stage_tasks(card),
        Base(
            decided={code: wish.value for code, wish in card.fields.items()},
            read_back={code: canonical(code, value) for code, value in fields.items()},
            stage=stage,
            lead=card.lead,
            markers=tuple(dict.fromkeys((*markers, *((occasion,) if occasion else ())))),
        ),
    )
    planned = Planned(card=card.key, action=create, contacts=card.contacts, after=after, occasion=occasion)
    return Merged(planned=(planned, *_extras(card, "", after)))


def _remembered(card: DesiredCard, base: Base) -> Base:
    """The base with what a decision says beside fields, stage and contacts: it is kept even where nothing is sent."""
    return msgspec.structs.replace(
        base,
        phase=card.stage.phase if card.stage else base.phase,
        starts_at=card.starts_at,
        moves=card.moves,
        facts=card.facts,
        confirmation=card.confirmation,
        void=card.void,
        owed_notes=_owed(base.owed_notes, card.notes, base.markers),
        owed_tasks=_owed(base.owed_tasks, card.tasks, base.markers),
    )


def _without_stage_tasks(card: DesiredCard) -> DesiredCard:
    """Where the stage is not entered, the tasks that belong to it are not set; those that are owed already stay."""
    return msgspec.structs.replace(card, tasks=tuple(task for task in card.tasks if not task.with_stage))


def _owed(before: tuple[Wish, ...], now: tuple[Wish, ...], written: tuple[str, ...]) -> tuple[Wish, ...]:
    """What is still to be written, each marker once; the first to say it stands, so that its due time does too."""
    wishes = {wish.marker: wish for wish in (*now, *before)}
    return tuple(wish for marker, wish in wishes.items() if marker not in written)


def _anything_new(card: DesiredCard, base: Base, canonical: Canonical, resolve: Resolve) -> bool:
    for code, wish in card.fields.items():
        if code in base.parked_fields:
            continue
        if code not in base.decided or canonical(code, wish.value) != canonical(code, base.decided[code]):
            return True
    if wants_stage(card, base) or (card.lead and card.lead != base.lead):
        return True
    tasks = (*base.owed_tasks, *(task for task in card.tasks if not task.with_stage))
    markers = {note.marker for note in (*base.owed_notes, *card.notes)} | {task.marker for task in tasks}
    if not markers <= set(base.markers):
        return True
    return _contacts_moved(card, base, resolve)


def _contacts_moved(card: DesiredCard, base: Base, resolve: Resolve) -> bool:
    """Whether the people on the card are others than those we put there. Who staff added or re-linked stays."""
    if card.contacts is None:
        return False
    wanted = [resolve(ref) for ref in card.contacts]
    if not all(wanted):
        # Somebody who has no card yet comes with it; until then only a main contact who is wished no more matters.
        known = {each for each in wanted if each}
        return not base.contacts or base.contacts[0] not in known or not known <= set(base.contacts)
    return wanted[:1] != list(base.contacts[:1]) or not set(wanted) <= set(base.contacts)


def _update(
    card: DesiredCard,
    base: Base | None,
    actual: Card,
    target_id: str,
    canonical: Canonical,
    resolve: Resolve,
    bridge: Bridge,
) -> Merged:
    fields: dict[str, Value] = {}
    multi: dict[str, MultiChange] = {}
    overwrites, drift, parked = [], [], []
    released: list[str] = []
    owned: list[str] = []
    rewrites = dict(base.rewrites) if base else {}
    read_back = {code: canonical(code, actual.fields.get(code)) for code in card.fields}
    for code, wish in card.fields.items():
        if base and code in base.parked_fields:
            theirs = differs(code, wish, actual.fields.get(code), canonical)
            (owned if theirs else released).append(code)
            continue
        done = merge_field(code, wish, base, actual.fields.get(code), canonical, overrule=card.overrule)
        if done.verdict is Verdict.WRITE:
            rewrites[code] = rewrites.get(code, 0) + 1 if done.rewrite else 0
            if done.multi is not None:
                multi[code] = done.multi
                kept = [each for each in as_tuple(read_back[code]) if each not in done.multi.remove]
                read_back[code] = (*kept, *done.multi.add)
            else:
                fields[code] = done.value
                read_back[code] = canonical(code, done.value)
            if not empty(done.theirs):
                overwrites.append(Overwrite(card=card.key, field=code, theirs=done.theirs, ours=wish.value))
        elif done.verdict is Verdict.LEAVE:
            owned += [code] if differs(code, wish, actual.fields.get(code), canonical) else []
            if base and code in base.decided:
                # What a person wrote stays theirs at the next change too.
                read_back[code] = base.read_back.get(code)
        elif done.verdict is Verdict.DRIFT:
            drift.append(code)
        elif done.verdict is Verdict.PARK:
            parked.append(code)

    stage, suppressed = None, ""
    if card.stage and card.stage.stage is None and base is None and card.overrule:
        # A card that is taken over must come into our funnel, even where its phase has no stage that it may enter.
        away = actual.stage is not None and actual.stage.funnel != card.stage.initial.funnel
        entry = msgspec.structs.replace(card.stage, stage=card.stage.initial if away else None)
        card = msgspec.structs.replace(card, stage=entry)
    if card.stage and wants_stage(card, base) and actual.stage != card.stage.stage:
        suppressed = held_back(card, card.stage, base, actual, bridge)
        stage = None if suppressed else card.stage.stage
    if card.stage and card.stage.stage and actual.stage != card.stage.stage and stage is None:
        owned.append(STAGE)
    contacts, linked = _contacts(card, base, actual, resolve)
    if contacts is None and _relinked(card, actual, resolve):
        owned.append(CONTACTS)
    # A card we take over gets our key where it has none; a lead that is only linked to keeps its own.
    keyed = "" if card.role in {Role.CLAIM, Role.WATCHED} or actual.key else card.key
    before = base or Base()
    lead = "" if card.lead in {actual.lead, before.lead} else card.lead

    # A stage that the card has reached already, by our own unanswered write or by staff, has had its message.
    there = card.stage is not None and card.stage.stage is not None and actual.stage == card.stage.stage
    occasion = card.stage.occasion if card.stage and (stage or there) else ""
    if not (stage or there):
        card = _without_stage_tasks(card)
    after = _remembered(
        card,
        msgspec.structs.replace(
            before,
            decided={**before.decided, **{code: wish.value for code, wish in card.fields.items()}},
            read_back={**before.read_back, **read_back},
            rewrites={code: count for code, count in rewrites.items() if count},
            parked_fields=(*(code for code in before.parked_fields if code not in released), *parked),
            stage=(card.stage.stage if card.stage else None) or before.stage,
            contacts=linked,
            lead=before.lead if lead else card.lead or before.lead,
            markers=tuple(dict.fromkeys((*before.markers, *((occasion,) if occasion else ())))),
        ),
    )
    update = UpdateCard(
        entity=card.entity,
        id=target_id,
        key=keyed,
        fields=fields,
        multi=multi,
        stage=stage,
        seen=actual,
    )
    nothing = not (fields or multi or stage or keyed or contacts is not None)
    planned = (
        ()
        if nothing
        else (Planned(card=card.key, action=update, contacts=contacts, after=after, occasion=occasion),)
    )
    return Merged(
        planned=(*planned, *_linked(card, target_id, lead, actual, after), *_extras(card, target_id, after)),
        base=after if nothing else None,
        overwrites=tuple(overwrites),
        drift=tuple(f"{card.key}: {code}" for code in drift),
        suppressed=(f"{card.key}: {suppressed}",) if suppressed else (),
        parked_fields=tuple(parked),
        released_fields=tuple(released),
        kept=tuple(owned),
    )


def _relinked(card: DesiredCard, actual: Card, resolve: Resolve) -> bool:
    """Whether other people hang on the card than those we wish for."""
    wanted = [each for ref in card.contacts or () if (each := resolve(ref))]
    return list(actual.contacts[: len(wanted)]) != wanted


def _linked(card: DesiredCard, target_id: str, lead: str, actual: Card, after: Base) -> tuple[Planned, ...]:
    """A lead is linked to a card that stands by an intent of its own: a CRM may refuse that alone, and what was written
    with it would then be written again, the patient's message too.
    """
    if not lead:
        return ()
    update = UpdateCard(entity=card.entity, id=target_id, lead=lead, seen=actual)
    return (Planned(card=card.key, action=update, after=msgspec.structs.replace(after, lead=lead)),)


def _contacts(
    card: DesiredCard, base: Base | None, actual: Card, resolve: Resolve
) -> tuple[tuple[CardRef, ...] | None, tuple[str, ...]]:
    """The new set of contacts to send (None: leave them), and the ids that the base remembers as ours."""
    before = base.contacts if base else ()
    if card.contacts is None:
        return None, before
    wanted = [resolve(ref) for ref in card.contacts]
    known = tuple(each for each in wanted if each)
    if base is not None and not _contacts_moved(card, base, resolve):
        return None, before
    if list(actual.contacts[: len(wanted)]) == wanted:
        return None, known
    dropped = set(before) - set(wanted)
    others = [each for each in actual.contacts if each not in wanted and each not in dropped]
    return (*card.contacts, *(CardRef(target_id=each) for each in others)), known


def _extras(card: DesiredCard, target_id: str, after: Base) -> list[Planned]:
    """Notes and tasks that are owed, each an intent of its own, found again by its marker."""
    planned = [
        Planned(
            card=card.key,
            action=AddNote(entity=card.entity, id=target_id, marker=note.marker, text=note.text),
            marker=note.marker,
        )
        for note in after.owed_notes
    ]
    planned += [
        Planned(
            card=card.key,
            action=AddTask(
                entity=card.entity,
                id=target_id,
                marker=task.marker,
                text=task.text,
                due_at=task.due_at,
                user=task.user,
            ),
            marker=task.marker,
        )
        for task in after.owed_tasks
    ]
    return planned


def with_marker(base: Base, marker: str) -> Base:
    """The base once a note, task or occasion with this marker is confirmed."""
    if not marker or marker in base.markers:
        return base
    return msgspec.structs.replace(base, markers=(*base.markers, marker))
