"""Definitions of custom fields, and the standard ones that every account has."""

from typing import Any

import msgspec

from connectors.amocrm.sandbox.cards import Kind

TEXTS = frozenset({"text", "textarea", "url", "streetaddress", "tracking_data"})
NUMBERS = frozenset({"numeric", "monetary"})
CHOICES = frozenset({"select", "radiobutton", "multiselect"})
DATES = frozenset({"date", "date_time", "birthday"})
OBJECTS = frozenset({"legal_entity", "file", "chained_list", "linked_entity", "items", "payer", "supplier"})
TYPES = TEXTS | NUMBERS | CHOICES | DATES | OBJECTS | {"checkbox", "multitext", "smart_address"}

MULTITEXT_CODES = {
    "PHONE": ("WORK", "WORKDD", "MOB", "FAX", "HOME", "OTHER"),
    "EMAIL": ("WORK", "PRIV", "OTHER"),
    "IM": ("SKYPE", "ICQ", "JABBER", "GTALK", "MSN", "OTHER"),
}
ADDRESS_CODES = ("address_line_1", "address_line_2", "city", "state", "zip", "country")
TRACKING = (
    *("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "utm_referrer"),
    *("roistat", "referrer", "openstat_service", "openstat_campaign", "openstat_ad", "openstat_source"),
    *("from", "gclientid", "_ym_uid", "_ym_counter", "gclid", "yclid", "fbclid"),
)


class Option(msgspec.Struct, kw_only=True):
    id: int
    value: str
    sort: int
    code: str | None = None


class Field(msgspec.Struct, kw_only=True):
    """`more`: what is kept and shown without being acted upon (settings, remind, group_id, hidden_statuses)."""

    kind: Kind
    id: int
    name: str
    type: str
    code: str | None = None
    sort: int = 500
    options: list[Option] = []
    is_api_only: bool = False
    is_predefined: bool = False
    currency: str | None = None
    required_statuses: list[dict[str, int]] = []
    more: dict[str, Any] = {}

    def option(self, name: str, given: Any) -> Option | None:
        """The option whose `id`, `code` or `value` is exactly this."""
        return next((option for option in self.options if getattr(option, name) == given), None)


class FieldGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A tab of a card; a field names its own by `group_id`."""

    id: str
    name: str
    sort: int
    is_predefined: bool = False


MAIN_GROUP = FieldGroup(id="default", name="Основное", sort=1, is_predefined=True)


class Fields:
    """The fields of all kinds; ids are unique across them. `groups`: by kind, by id."""

    def __init__(self) -> None:
        self._by_id: dict[int, Field] = {}
        self.groups = {kind: {MAIN_GROUP.id: MAIN_GROUP} for kind in Kind}
        self._next_field = 1_450_000
        self._next_option = 770_000
        for kind in (Kind.CONTACT, Kind.COMPANY):
            for code, name in (("PHONE", "Телефон"), ("EMAIL", "Email")):
                self._standard(kind, code, name, "multitext")
        self._standard(Kind.CONTACT, "POSITION", "Должность", "text")
        self._standard(Kind.CONTACT, "IM", "Мгн. сообщения", "multitext")
        self._standard(Kind.COMPANY, "WEB", "Web", "url")
        self._standard(Kind.COMPANY, "ADDRESS", "Адрес", "textarea")
        for name in TRACKING:
            self._standard(Kind.LEAD, name.upper(), name, "tracking_data")

    def of(self, kind: Kind) -> list[Field]:
        return [field for field in self._by_id.values() if field.kind is kind]

    def get(self, kind: Kind, field_id: int) -> Field | None:
        field = self._by_id.get(field_id)
        return field if field is not None and field.kind is kind else None

    def coded(self, kind: Kind, code: str) -> Field | None:
        return next((field for field in self.of(kind) if field.code == code), None)

    def new_id(self) -> int:
        self._next_field += 2
        return self._next_field

    def new_option_id(self) -> int:
        self._next_option += 2
        return self._next_option

    def add(self, field: Field) -> None:
        self._by_id[field.id] = field

    def remove(self, field: Field) -> None:
        del self._by_id[field.id]

    def _standard(self, kind: Kind, code: str, name: str, type_: str) -> None:
        options = [
            Option(id=self.new_option_id(), value=word, sort=at, code=word)
            for at, word in enumerate(MULTITEXT_CODES.get(code, ()), 1)
        ]
        self.add(
            Field(
                kind=kind,
                id=self.new_id(),
                name=name,
                type=type_,
                code=code,
                sort=(len(self.of(kind)) + 1) * 2,
                options=options,
                is_predefined=True,
            )
        )
