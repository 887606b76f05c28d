"""Russian for the user, English by `KRESLO_LANG=en`."""

import os
from datetime import timedelta
from typing import Literal

from kreslo.sync.drift import DriftKind

Language = Literal["ru", "en"]


def language() -> Language:
    return "en" if os.environ.get("KRESLO_LANG", "").lower().startswith("en") else "ru"


def say(ru: str, en: str) -> str:
    """The text in the user's language. Both stand where they are used, so that neither is forgotten."""
    return en if language() == "en" else ru


def drift_word(kind: DriftKind) -> str:
    """What staff call it."""
    words = {
        DriftKind.MISSING: ("нет в CRM", "missing"),
        DriftKind.EXTRA: ("лишних", "extra"),
        DriftKind.STAGE: ("не на той стадии", "stage"),
        DriftKind.FIELD: ("разошлись поля", "field"),
        DriftKind.HUMAN: ("изменено людьми и остаётся", "human-owned"),
    }
    return say(*words[kind])


def length(span: timedelta) -> str:
    """A duration in its largest whole unit: days, hours or minutes."""
    minutes = int(span.total_seconds()) // 60
    hours, odd = divmod(minutes, 60)
    if odd or not hours:
        return say(f"{minutes} мин", f"{minutes} min")
    if hours % 24:
        return say(f"{hours} ч", f"{hours} h")
    return say(f"{hours // 24} дн.", f"{hours // 24} d")
