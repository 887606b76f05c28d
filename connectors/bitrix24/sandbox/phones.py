"""The portal's match code of a phone or an e-mail: what `crm.duplicate.findbycomm` compares.

Numbers are stored as they are written; this code stands in an index beside them.
"""

import re

_KEPT = re.compile(r"[^0-9#*]")


def phone_code(value: str) -> str:
    """`8 (912) 123-45-67` → `79121234567`; ten digits stay ten digits, and so do not meet the eleven-digit forms."""
    text = value.strip()
    if len(text) >= 10 and text.startswith("+8"):
        text = "00" + text[1:]  # or China's +86 would be taken for Russia's 8
    text = _KEPT.sub("", text.split(";", 1)[0])
    if len(text) >= 10:
        text = _national(text)
    return text.split("#", 1)[0]


def _national(text: str) -> str:
    if text[:2] in {"80", "81", "82"}:
        return text
    if text.startswith("00"):
        return text[2:]
    if text.startswith("011"):
        return text[3:]
    if text.startswith("8"):
        return "7" + text[1:]
    return text.removeprefix("0") if text.startswith("0") else text


def email_code(value: str) -> str:
    return value.strip().lower()
