"""The letters of a name: cleaning, case, look-alike letters, remarks taken out, words."""

import re
import unicodedata

import msgspec

from kreslo.records.name_words import PARTICLES, PATRONYMIC_WORDS, REMARKS

_APOSTROPHES = str.maketrans(dict.fromkeys("\u2019\u02bc\u2018`\u00b4\u02b9", "'"))
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"))
# Stress marks come with names pasted from encyclopedias; й and ё are composed before these are dropped.
_STRESS = str.maketrans(dict.fromkeys("\u0300\u0301"))
_LOOK_ALIKE = str.maketrans("aceopxyABCEHKMOPTXY", "асеорхуАВСЕНКМОРТХУ")
_LATIN_ONLY = re.compile(r"[A-Za-z]")
CYRILLIC = re.compile(r"[\u0400-\u052f]")
_LETTERS = r"(?:[^\W\d_][\u0302-\u036f]*)+"
_WORD = re.compile(_LETTERS)
_BRACKETED = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]?")
_BRACKETED_OR_WORD = re.compile(
    rf"{_BRACKETED.pattern}|{REMARKS.pattern}|(?P<word>{_LETTERS})", re.IGNORECASE
)
_APART_HYPHEN = re.compile(rf"(?<=[^\W\d_])(?: -|- | - )(?=[^\W\d_])(?!{REMARKS.pattern})", re.IGNORECASE)
# A phone, an address, a number. Starts where a token starts, so that a long text is read once.
_NO_NAME = r"(?<![^\s()\[\]{}])[^\s\d@()\[\]{}]*[\d@]\S*(?:[ \-()+]*\d+)*"
_NOTE = re.compile(rf"{_BRACKETED.pattern}|{REMARKS.pattern}|{_NO_NAME}", re.IGNORECASE)
_TOKEN = re.compile(rf"{_LETTERS}(?:['-]+{_LETTERS})*\.?")


class NameText(msgspec.Struct, frozen=True):
    """A name field taken apart: the words of the name, each tidied (initials as `М.`), and what else stood there."""

    words: tuple[str, ...]
    notes: tuple[str, ...] = ()


def tidy_name(text: str) -> str:
    """The name as it should be shown: composed letters, single spaces, Latin look-alikes inside Cyrillic words replaced,
    capitals where they belong (Петрова-Иванова, Гасан оглы). ё stays. Remarks and brackets stay as they are written.
    """
    text = _APART_HYPHEN.sub("-", _clean(text))
    # Again after the capitals: a lower-case Latin h is no look-alike, a capital H is.
    return _cyrillic(_BRACKETED_OR_WORD.sub(_capitalised, _cyrillic(text)))


def read_name(text: str) -> NameText:
    """Words and remarks of a name field. Brackets, known remarks, numbers and addresses are notes; emoji are dropped."""
    notes: list[str] = []

    def out(match: re.Match[str]) -> str:
        note = match[0].strip(" ()[]{},;-")
        if note:
            notes.append(note)
        return " , "

    text = _NOTE.sub(out, _clean(text))
    # ², ½ and Ⅳ count as letters of a word to a regular expression.
    text = "".join(" " if unicodedata.category(char) in {"Nl", "No"} else char for char in text)
    tokens = _TOKEN.findall(tidy_name(text))
    return NameText(tuple(_initial_or_word(token) for token in tokens), tuple(notes))


def fold(word: str) -> str:
    """For comparison: lower case, ё as е, no apostrophes and dots."""
    folded = unicodedata.normalize("NFC", word).casefold().translate(_APOSTROPHES)
    folded = unicodedata.normalize("NFC", folded).replace("ё", "е").replace("'", "").replace(".", "")
    return unicodedata.normalize("NFC", folded)


def is_initial(word: str) -> bool:
    return len(word.rstrip(".")) == 1


def _clean(text: str) -> str:
    text = unicodedata.normalize("NFC", text).translate(_STRESS).translate(_APOSTROPHES).translate(_DASHES)
    # Soft hyphens, zero-width joiners and byte order marks survive copying and are invisible.
    visible = "".join(char for char in text if unicodedata.category(char) != "Cf")
    return " ".join(unicodedata.normalize("NFC", visible).split())


def _cyrillic(text: str) -> str:
    """Latin look-alikes in Cyrillic words, and whole words of look-alikes (OKCAHA) beside Cyrillic ones."""
    if not (_LATIN_ONLY.search(text) and CYRILLIC.search(text)):
        return text

    def replaced(match: re.Match[str]) -> str:
        word = match[0].translate(_LOOK_ALIKE)
        return match[0] if _LATIN_ONLY.search(word) else word

    return _WORD.sub(replaced, text)


def _capitalised(match: re.Match[str]) -> str:
    word = match["word"]
    if word is None:
        return match[0]
    if fold(word) in PATRONYMIC_WORDS and match.start() > 0:
        return word.lower()
    # A particle keeps the case it has: «де Голль», but the surname «Ван».
    if word in PARTICLES:
        return word
    before = match.string[: match.start()]
    # Лук'яненко has one capital, О'Коннор two.
    if before.endswith("'") and len(before) > 2 and before[-2].isalpha() and before[-3].isalpha():
        return "".join(_single(char, char.lower()) for char in word)
    return _single(word[0], word[0].upper()) + "".join(_single(char, char.lower()) for char in word[1:])


def _single(char: str, changed: str) -> str:
    """A few letters (ß, ŉ, İ) become two in the other case, and would not come back."""
    return changed if len(changed) == 1 else char


def _initial_or_word(token: str) -> str:
    word = token.rstrip(".")
    return f"{word}." if len(word) == 1 and token.endswith(".") else word
