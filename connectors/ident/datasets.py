"""The view contract: which columns each dataset's query returns, whichever tables it reads.

A dataset is one SELECT (connectors/ident/queries/*.sql, or an administrator's own file). Rules for all of them:
one row a key; instants are date-and-time values, naive, as the clinic's clock showed them; a column that is not
listed here is ignored; a listed one that is not required may be left out.
"""

from enum import StrEnum

import msgspec


class Type(StrEnum):
    """What a column may hold; NULL always may, except in a key."""

    KEY = "a whole number or a text"
    TEXT = "a text"
    TIME = "a date and time"
    MONEY = "a number"
    FLAG = "a yes/no (bit or 0/1)"


class Column(msgspec.Struct, frozen=True):
    """`moves`: an instant that moves when something about the row changes; the next pass looks at it."""

    name: str
    type: Type = Type.TEXT
    required: bool = False
    moves: bool = False


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """`key`: the unique column. `required`: the connector cannot run without it."""

    name: str
    key: str
    columns: tuple[Column, ...]
    required: bool = False

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


def _key(name: str) -> Column:
    return Column(name, Type.KEY, required=True)


def _moment(name: str) -> Column:
    return Column(name, Type.TIME, moves=True)


APPOINTMENTS = Dataset(
    name="appointments",
    key="appointment_id",
    required=True,
    columns=(
        _key("appointment_id"),
        Column("patient_id", Type.KEY, required=True),  # NULL: blocked time, no appointment
        Column("start_local", Type.TIME, required=True),
        Column("end_local", Type.TIME),
        _moment("created_at"),
        Column("changed_at", Type.TIME, required=True, moves=True),
        _moment("notified_at"),
        _moment("confirmed_at"),
        _moment("appeared_at"),
        _moment("started_at"),
        _moment("ended_at"),
        _moment("billed_at"),
        _moment("cancelled_at"),
        Column("cancel_reason"),  # the reason's text, or else its id, to be looked up in `cancel_reasons`
        Column("cancel_reason_id", Type.KEY),
        Column("cancel_comment"),
        Column("transferred_from_id", Type.KEY),
        Column("source_name"),  # as with the reason: a text, or else an id in `appointment_sources`
        Column("source_id", Type.KEY),
        Column("comment"),
        Column("room"),
        Column("branch_id", Type.KEY),
        Column("branch_name"),
        Column("doctor_id", Type.KEY),
        Column("doctor_surname"),
        Column("doctor_name"),  # the first name; or the whole one, where there is no doctor_surname
        Column("doctor_patronymic"),
        Column("doctor_specialty"),
        Column("registrar_surname"),
        Column("registrar_name"),
        Column("registrar_patronymic"),
        Column("amount_total", Type.MONEY),  # these three go before what the orders say
        Column("insurance_amount", Type.MONEY),
        Column("is_insurance", Type.FLAG),
    ),
)

PATIENTS = Dataset(
    name="patients",
    key="patient_id",
    required=True,
    columns=(
        _key("patient_id"),
        Column("surname", required=True),
        Column("name", required=True),
        Column("patronymic"),
        Column("birth_date_raw", Type.TEXT),  # a date or a text
        Column("sex_raw"),
        Column("phone_mobile"),
        Column("phone_other"),
        Column("email"),
        Column("address"),
        Column("card_number"),
        Column("parent_name"),
        Column("policy"),
        Column("info_source"),  # a text, or else source_id in `info_sources`
        Column("source_id", Type.KEY),
        Column("sms_opt_out", Type.FLAG),
        Column("marketing_consent", Type.FLAG),
        Column("processing_refused", Type.FLAG),
        Column("is_archived", Type.FLAG),
        Column("merged_into_id", Type.KEY),
        Column("comment"),
        _moment("changed_at"),
    ),
)

ORDERS = Dataset(
    name="orders",
    key="order_id",
    columns=(
        _key("order_id"),
        Column("appointment_id", Type.KEY, required=True),
        _moment("ordered_at"),
        _moment("billed_at"),
        _moment("changed_at"),
        Column("amount", Type.MONEY),
        Column("amount_with_discount", Type.MONEY),
        Column("insurance_amount", Type.MONEY),
        Column("has_insurance", Type.FLAG),
        Column("debt", Type.MONEY),
    ),
)

ORDER_LINES = Dataset(
    name="order_lines",
    key="line_id",
    columns=(
        _key("line_id"),
        Column("order_id", Type.KEY, required=True),
        Column("service_name"),
        Column("service_count", Type.MONEY),
        Column("price", Type.MONEY),
        Column("discount", Type.MONEY),
    ),
)

BRANCHES = Dataset(name="branches", key="branch_id", columns=(_key("branch_id"), Column("name")))

ENQUIRIES = Dataset(
    name="enquiries",
    key="enquiry_id",
    columns=(
        _key("enquiry_id"),
        Column("created_at", Type.TIME, required=True, moves=True),
        _moment("changed_at"),
        Column("phone", required=True),
        Column("name"),
        Column("result"),
        Column("source"),
    ),
)

RECALLS = Dataset(
    name="recalls",
    key="recall_id",
    columns=(
        _key("recall_id"),
        Column("patient_id", Type.KEY, required=True),
        Column("created_at", Type.TIME, required=True, moves=True),
        _moment("changed_at"),
        Column("is_closed", Type.FLAG),
        Column("comment"),
        Column("branch_id", Type.KEY),
        Column("branch_name"),
        Column("doctor_id", Type.KEY),
        Column("doctor_surname"),
        Column("doctor_name"),
        Column("doctor_patronymic"),
        Column("doctor_specialty"),
    ),
)

CANCEL_REASONS, APPOINTMENT_SOURCES, INFO_SOURCES = (
    Dataset(name=name, key="id", columns=(_key("id"), Column("name", required=True)))
    for name in ("cancel_reasons", "appointment_sources", "info_sources")
)

DICTIONARIES = (CANCEL_REASONS, APPOINTMENT_SOURCES, INFO_SOURCES)

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (APPOINTMENTS, PATIENTS, ORDERS, ORDER_LINES, BRANCHES, ENQUIRIES, RECALLS, *DICTIONARIES)
}
