"""Which encoding a text is in: BOM, then strict UTF-8, then cp1251 or cp866 by the header's words and by letters.

"It decodes as cp1251" proves nothing: cp866 and UTF-16 do as well (only 0x98 is undefined there). Strict UTF-8 does:
Cyrillic text of a one-byte encoding practically never passes it.
"""

import codecs
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import msgspec

_SAMPLE = 64 * 1024
_ONE_BYTE = ("cp1251", "cp866")
_FREQUENT = frozenset("оеаинтсрвлкмдпуяОЕАИНТСРВЛКМДПУЯ")
_CYRILLIC = frozenset("абвгдеёжзийклмнопрстуфхцчшщъыьэюяАБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ№«»")


class Guess(msgspec.Struct, frozen=True):
    encoding: str
    why: str


def detect(path: Path, has_header: Callable[[str], bool]) -> Guess:
    """`has_header` is asked whether a decoded beginning shows the columns that are looked for."""
    with path.open("rb") as file:
        head = file.read(_SAMPLE)
    if (marked := _by_mark(head)) is not None:
        return marked
    if _strict_utf8(path):
        return Guess("utf-8", "строгий UTF-8")
    # A header in Latin letters reads the same in all of them: then the letters of the rows decide.
    texts = {encoding: head.decode(encoding, "replace") for encoding in ("utf-8", *_ONE_BYTE)}
    shown = [encoding for encoding, text in texts.items() if has_header(text)]
    encoding = max(shown or texts, key=lambda each: _score(texts[each]))
    return Guess(encoding, "по словам заголовка" if len(shown) == 1 else "по буквам")


def by_letters(data: bytes) -> Guess:
    """cp1251, cp866 or UTF-8 for a piece of a file that is not all text."""
    encoding = max(("utf-8", *_ONE_BYTE), key=lambda each: _score(data.decode(each, "replace")))
    return Guess(encoding, "по буквам")


def _by_mark(head: bytes) -> Guess | None:
    if head.startswith(codecs.BOM_UTF8):
        return Guess("utf-8-sig", "метка порядка байтов (BOM)")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Guess("utf-16", "метка порядка байтов (BOM)")
    # In UTF-16 every space, digit and line end has a zero byte: in the odd places where the low byte comes first.
    pairs = len(head) // 2
    for encoding, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        others = head.count(0) - zeros.count(0)
        if pairs > 8 and zeros.count(0) > pairs // 12 and others * 20 < zeros.count(0):
            return Guess(encoding, "нулевые байты через один")
    return None


def _strict_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    with path.open("rb") as file:
        try:
            while chunk := file.read(1 << 20):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _score(text: str) -> float:
    """Frequent letters speak for the encoding; box drawings and letters of neighbours' alphabets against it."""
    other = sum(1 for char in text if ord(char) > 127 and char not in _CYRILLIC and char not in "\u00a0–—…")
    # A small letter before a capital one inside a word is what the other encoding's letters look like.
    odd = sum(1 for a, b in pairwise(text) if a.islower() and b.isupper())
    return sum(char in _FREQUENT for char in text) - 3.0 * other - odd
