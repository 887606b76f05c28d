"""Finds the names of a mapping in a CRM's catalog; what is not there, or not what it is taken for, is a fault."""

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from kreslo.connectors.model import Catalog, Entity, FieldDef, FieldType, Funnel, Semantic, Stage, StageRef
from kreslo.mapping.checks import kinds_said
from kreslo.mapping.drafts import FieldDraft
from kreslo.mapping.faults import At, Fault, Ref
from kreslo.mapping.model import FieldMode, FieldRule
from kreslo.mapping.needed import is_code
from kreslo.mapping.programs import did_you_mean
from kreslo.mapping.values import FITS

_PLURALS = {Entity.CONTACT: "contacts", Entity.DEAL: "deals", Entity.LEAD: "leads"}

_HOLDS = {
    FieldType.TEXT: "texts",
    FieldType.NUMBER: "numbers",
    FieldType.MONEY: "amounts",
    FieldType.BOOLEAN: "true or false",
    FieldType.DATE: "dates",
    FieldType.DATETIME: "instants",
    FieldType.ENUM: "options of a list",
    FieldType.PHONE: "phones",
    FieldType.EMAIL: "e-mail addresses",
    FieldType.REFERENCE: "links to other cards",
}

_T = TypeVar("_T")


class Finder:
    """`path`: of the mapping file, for the commands in messages. `faults` grows."""

    def __init__(self, catalog: Catalog, path: str) -> None:
        self.catalog = catalog
        self.setup = f"`kreslo setup {path}`"
        self.faults: list[Fault] = []

    def fault(self, at: At, message: str) -> None:
        self.faults.append(Fault(at, message))

    def funnel(self, ref: Ref) -> Funnel | None:
        """A funnel of deals, by its name or id."""
        funnels = [each for each in self.catalog.funnels if each.entity is Entity.DEAL]
        found = self._one(ref, "funnels", funnels, lambda each: each.id, lambda each: each.name)
        if isinstance(found, str):
            near = did_you_mean(ref.text, [each.name for each in funnels])
            self.fault(ref.at, found or f'no funnel "{ref.text}"{near or f"; {self.setup} makes it"}')
            return None
        return found

    def leads(self, at: At) -> Funnel | None:
        """The CRM's own leads."""
        for funnel in self.catalog.funnels:
            if funnel.entity is Entity.LEAD:
                return funnel
        self.fault(at, 'this CRM has no leads of their own; name a funnel of deals: {funnel: "…"}')
        return None

    def stage(self, funnel: Funnel | None, ref: Ref) -> Stage | None:
        """Nothing, and no fault, where the funnel was not found: that was said."""
        if funnel is None:
            return None
        found = self._one(ref, "stages", funnel.stages, lambda each: each.id, lambda each: each.name)
        if isinstance(found, str):
            where = (
                "among the stages of leads" if funnel.entity is Entity.LEAD else f'in funnel "{funnel.name}"'
            )
            near = did_you_mean(ref.text, [each.name for each in funnel.stages])
            self.fault(ref.at, found or f'no stage "{ref.text}" {where}{near or f"; {self.setup} makes it"}')
            return None
        return found

    def stage_ref(self, funnel: Funnel | None, ref: Ref) -> StageRef | None:
        stage = self.stage(funnel, ref)
        return StageRef(funnel.id, stage.id) if funnel and stage else None

    def stage_refs(self, funnel: Funnel | None, refs: Sequence[Ref]) -> frozenset[StageRef]:
        found = (self.stage_ref(funnel, ref) for ref in refs)
        return frozenset(each for each in found if each)

    def field(self, entity: Entity, ref: Ref) -> FieldDef | None:
        fields = [each for each in self.catalog.fields if each.entity is entity]
        found = self._one(ref, "fields", fields, lambda each: each.code, lambda each: each.title)
        if isinstance(found, str):
            near = did_you_mean(ref.text, [each.code if is_code(ref.text) else each.title for each in fields])
            otherwise = (
                "; fields are named by title or by code" if is_code(ref.text) else f"; {self.setup} makes it"
            )
            message = found or f'no field "{ref.text}" of {_PLURALS[entity]}{near or otherwise}'
            self.fault(ref.at, message)
            return None
        return found

    def writable(self, entity: Entity, ref: Ref) -> FieldDef | None:
        field = self.field(entity, ref)
        if field and field.read_only:
            self.fault(ref.at, f'field "{ref.text}" of {_PLURALS[entity]} is read-only in the CRM')
            return None
        return field

    def rules(self, entity: Entity, drafts: Sequence[FieldDraft]) -> tuple[FieldRule, ...]:
        """The fields as decisions write them. Two names of one field are a fault."""
        rules: dict[str, FieldRule] = {}
        lines: dict[str, int] = {}
        for draft in drafts:
            field = self.writable(entity, draft.name)
            if field is None or not self._fits(field, draft):
                continue
            if field.code in rules:
                self.fault(
                    draft.name.at,
                    f'field "{draft.name.text}" is the field of line {lines[field.code]}; keep one of them',
                )
            lines[field.code] = draft.name.at.line
            rules[field.code] = FieldRule(
                code=field.code,
                title=field.title,
                type=field.type,
                value=draft.value,
                mode=draft.mode,
                never_clear=draft.never_clear,
                when=draft.when,
                multiple=field.multiple or field.type in {FieldType.PHONE, FieldType.EMAIL},
            )
        return tuple(rules.values())

    def _fits(self, field: FieldDef, draft: FieldDraft) -> bool:
        wrong = frozenset(kind for kind in draft.kinds if field.type not in FITS.get(kind, frozenset()))
        if wrong:
            self.fault(
                draft.at,
                f'field "{draft.name.text}" holds {_HOLDS[field.type]}; this gives {kinds_said(wrong)}',
            )
            return False
        options = list(field.options.values())
        if field.type is FieldType.ENUM and draft.constant is not None and draft.constant not in options:
            near = did_you_mean(draft.constant, options) or f"; it has {', '.join(options) or 'none'}"
            self.fault(draft.at, f'field "{draft.name.text}" has no option "{draft.constant}"{near}')
            return False
        several = field.multiple or field.type in {FieldType.PHONE, FieldType.EMAIL}
        if draft.mode is FieldMode.ADD and not several:
            self.fault(
                draft.name.at, f'`mode: add` is for fields of several values; "{draft.name.text}" holds one'
            )
            return False
        return True

    def user(self, ref: Ref | None) -> str:
        """The id of a user, by name or id; "" where none is named."""
        if ref is None:
            return ""
        found = self._one(ref, "users", self.catalog.users, lambda each: each.id, lambda each: each.name)
        if isinstance(found, str):
            near = did_you_mean(ref.text, [each.name for each in self.catalog.users])
            self.fault(ref.at, found or f'no user "{ref.text}"{near}')
            return ""
        return found.id

    def converted(self, leads: Funnel, at: At) -> StageRef | None:
        """The stage of a lead that became a deal: Bitrix24's CONVERTED, else the one that means "won"."""
        named = [stage for stage in leads.stages if stage.id == "CONVERTED"]
        won = [stage for stage in leads.stages if stage.semantic is Semantic.WON]
        for stage in (*named, *won):
            return StageRef(leads.id, stage.id)
        self.fault(at, "the leads have no stage that means converted; name one with `converted:`")
        return None

    def _one(
        self,
        ref: Ref,
        what: str,
        among: Sequence[_T],
        code: Callable[[_T], str],
        name: Callable[[_T], str],
    ) -> _T | str:
        """The one that has this code, or else this name (case, ё and spaces do not part names). A text is why not: ""
        there is none, else what to say of several.
        """
        for each in among:
            if code(each) == ref.text:
                return each
        found = [each for each in among if name(each) == ref.text] or [
            each for each in among if _folded(name(each)) == _folded(ref.text)
        ]
        if len(found) > 1:
            codes = ", ".join(code(each) for each in found)
            return f'{len(found)} {what} are named "{ref.text}"; write the code of one of them: {codes}'
        return found[0] if found else ""


def _folded(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().casefold().replace("ё", "е")
