"""Some rows of a file into the state: whose each is, and what it changes."""

from collections.abc import Sequence
from datetime import UTC, datetime

from connectors.helix import merging
from connectors.helix.identity import Identity
from connectors.helix.options import ProfileOptions
from connectors.helix.rows import Draft
from connectors.helix.store import FileRow, Store
from connectors.helix.working import Working
from kreslo.records import RecordKind, RecordRef


class Taking:
    """Within one transaction. `now` dates what a row only says without an instant."""

    def __init__(self, store: Store, file: FileRow, profile: ProfileOptions, now: datetime) -> None:
        self._file = file
        self._now = now
        self._written = datetime.fromtimestamp(file.written, UTC)
        self._working = Working(store, file.id)
        self._identity = Identity(self._working, profile.record_key())

    def take(self, drafts: Sequence[Draft]) -> dict[int, str]:
        """Keeps what the rows say. By number, why a row could not be kept; its patient may have been all the same."""
        bad: dict[int, str] = {}
        self._identity.expect_people(drafts)
        known: list[tuple[Draft, str]] = []
        for draft in drafts:
            try:
                known.append((draft, self._person(draft)))
            except ValueError as error:
                bad[draft.number] = str(error)
        self._identity.expect_visits(known)
        for draft, patient in known:
            try:
                self._rest(draft, patient)
            except ValueError as error:
                bad[draft.number] = str(error)
        self._working.flush()
        return bad

    def _person(self, draft: Draft) -> str:
        """The id of the row's patient, who is known from here on; "" for an enquiry. Raises UnsureError."""
        if draft.kind is RecordKind.ENQUIRY:
            return ""
        id_, known = self._identity.patient(draft.person)
        own = draft.kind is RecordKind.PATIENT
        if known is None or not own or not self._older(RecordRef(RecordKind.PATIENT, id_)):
            patient = merging.patient(id_, known, draft.person, own=own)
            if patient != known:
                self._working.put(patient)
        self._identity.learn(id_, draft.person)
        return id_

    def _rest(self, draft: Draft, patient: str) -> None:
        """Raises UnsureError."""
        if draft.kind is RecordKind.ENQUIRY:
            id_, asked = self._identity.enquiry(draft)
            if not self._older(RecordRef(draft.kind, id_)):
                self._working.put(merging.enquiry(id_, asked, draft, written=self._written))
        elif draft.kind is RecordKind.ENTRY:
            id_, listed = self._identity.entry(draft, patient, written=self._written)
            if not self._older(RecordRef(draft.kind, id_)):
                entry = merging.entry(id_, listed, draft, patient_id=patient, written=self._written)
                self._working.put(entry)
        elif draft.kind is RecordKind.APPOINTMENT:
            id_, visit = self._identity.appointment(draft, patient)
            if visit is None or not self._older(RecordRef(draft.kind, id_)):
                self._working.put(merging.appointment(id_, visit, draft, patient_id=patient, now=self._now))
            self._identity.learn_visit(id_, draft, patient)

    def _older(self, ref: RecordRef) -> bool:
        """Whether the record was given by a newer file of the same profile: yesterday's file, dropped once more, must not
        undo what today's said.
        """
        last = self._working.given_by(ref)
        return last is not None and last.profile == self._file.profile and last.written > self._file.written
