"""Every key of a mapping file, by section. `docs/mapping.md` explains each of them."""

from kreslo.mapping.model import Phase

KEYS: dict[str, tuple[str, ...]] = {
    "": ("bridge", "language", "source", "target", "horizon", "contact", "appointment", "enquiry", "campaigns",
         "exchange", "reconcile"),
    "source": ("connector", "timezone", "every", "cron"),
    "target": ("connector", "abroad"),
    "horizon": ("past", "future"),
    "reconcile": ("heal", "cards", "percent"),
    "contact": ("scope", "family", "adopt", "on_deleted", "fields"),
    "contact.family": ("by", "phone_on_child"),
    "contact.adopt": ("key_field", "key"),
    "field": ("value", "text", "mode", "never_clear", "when", "basis"),
    "appointment": (
        "funnel", "title", "stages", "protect", "final", "status", "rebook", "insured", "claim", "adopt", "fields",
        "cancelled_unseen", "history", "primary_after", "on_deleted", "rescheduled_task", "notes",
    ),
    "appointment.stages": tuple(phase.value for phase in Phase),
    "stage": ("stage", "at", "message", "semantic"),
    "appointment.status": ("reschedule_reasons", "no_show_after", "confirmed", "order"),
    "appointment.rebook": ("window", "same"),
    "appointment.claim": ("from", "within", "late", "mode", "copy", "converted", "return", "relation_field"),
    "appointment.claim.from": ("leads", "funnel", "stages"),
    "appointment.adopt": ("key_field", "key", "time_field"),
    "appointment.history": ("funnel", "stage"),
    "task": ("text", "after", "user"),
    "enquiry": ("into", "stages", "title", "fields", "stale_after", "stale_task"),
    "enquiry.into": ("funnel",),
    "enquiry.stages": ("new", "already_booked", "stale"),
    "campaign": (
        "on", "after", "at", "quiet", "late", "pause", "when", "unless", "funnel", "stage", "message", "stages", "title",
        "fields",
    ),
    "campaign.stage": ("stage", "when", "after", "message", "semantic"),
    "exchange": ("key", "tickets"),
    "exchange.tickets": ("from", "doctor_field", "time_field", "length", "comment"),
    "exchange.tickets.from": ("leads", "funnel", "stages"),
}  # fmt: skip
"""`source:` and `target:` hold the options of their connectors besides. `field`, `stage`, `task` and `campaign` are the
shapes of what stands in several places.
"""
