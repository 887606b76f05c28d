"""Russian for the user, English by `KRESLO_LANG=en`."""

import os
from typing import Literal

Language = Literal["ru", "en"]


def language() -> Language:
    return "en" if os.environ.get("KRESLO_LANG", "").lower().startswith("en") else "ru"


def say(ru: str, en: str) -> str:
    """The text in the user's language. Both stand where they are used, so that neither is forgotten."""
    return en if language() == "en" else ru
