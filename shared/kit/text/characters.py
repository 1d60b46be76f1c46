"""Checks of texts that users type: visible characters, equal mail addresses, time zone names."""

import re
import unicodedata
from functools import cache
from importlib.resources import files

_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Invisible characters whose Unicode category is a letter or mark; see also variation selectors."""
_SPACE_CATEGORIES = frozenset({"Zs", "Zl", "Zp", "Cc"})
_PSEUDO_ZONES = frozenset({"Factory"})
"""Names in the IANA list that are no time zones: "Factory" means "not yet set"."""


_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_JOINERS = frozenset("\u200c\u200d")
_KEYCAP = "\u20e3"
_JOINING_SCRIPTS = frozenset(
    """
    ARABIC SYRIAC NKO MANDAIC MONGOLIAN DEVANAGARI BENGALI GURMUKHI GUJARATI ORIYA TAMIL TELUGU
    KANNADA MALAYALAM SINHALA KHMER MYANMAR TIBETAN
    """.split()
)
"""Scripts in which a joiner changes the shape of the adjacent letters, so that it is visible."""


def is_plain_text(text: str) -> bool:
    """Return whether a text has no control characters but tabs and line ends, and no surrogates."""
    return _CONTROL.search(text) is None


def is_visible_line(text: str) -> bool:
    """Return whether a text is one line of visible characters.

    The categories Cc, Cf, Co, Cs, line and paragraph separators and invisible marks are
    rejected. Joiners and variation selectors are allowed beside letters that need them: emoji,
    Arabic, Hindi.
    """
    return all(_is_visible_at(text, index) for index in range(len(text)))


def _is_visible_at(text: str, index: int) -> bool:
    letter, previous, following = text[index], text[index - 1 : index], text[index + 1 : index + 2]
    if letter.isascii():
        return letter.isprintable()
    if letter in _JOINERS:
        return _takes_joiners(previous) and _takes_joiners(following)
    if _is_selector(letter):
        return following == _KEYCAP or (_takes_joiners(previous) and not _is_selector(previous))
    if letter in _INVISIBLE:
        return False
    return unicodedata.category(letter) not in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}


def _is_selector(letter: str) -> bool:
    return "\ufe00" <= letter <= "\ufe0f" or "\U000e0100" <= letter <= "\U000e01ef"


def _takes_joiners(letter: str) -> bool:
    """Return whether a joiner or variation selector beside this letter changes its shape."""
    if not letter:
        return False
    if unicodedata.category(letter) in {"So", "Sk", "Sm"} or _is_selector(letter):
        return True
    words = unicodedata.name(letter, "").split()
    return bool(words) and (words[0] in _JOINING_SCRIPTS or words[0] == "CJK")


def is_blank(text: str) -> bool:
    """Return whether a text has no visible character: spaces, controls, zero-width characters."""
    return all(is_invisible(letter) for letter in text)


def strip_zero_width(text: str) -> str:
    """Remove invisible characters without width; spaces and controls stay."""
    return "".join(
        c for c in text if not is_invisible(c) or unicodedata.category(c) in _SPACE_CATEGORIES
    )


def is_invisible(letter: str) -> bool:
    """Return whether a character is invisible: a space, control or zero-width character."""
    if letter in _INVISIBLE or _is_selector(letter):
        return True
    # Unassigned characters (Cn) count as visible: newer emoji are not in this Unicode table.
    return unicodedata.category(letter) in {"Zs", "Zl", "Zp", "Cc", "Cf"}


def mail_address_key(email: str) -> str:
    """Return the same key for all spellings of a mail address; for comparison only."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", email).casefold())


def is_time_zone(name: str) -> bool:
    """Return whether a name is in the IANA database, independent of the machine's zone files."""
    return name in _zones()


@cache
def _zones() -> frozenset[str]:
    names = files("tzdata").joinpath("zones").read_text("utf-8").split()
    return frozenset(names) - _PSEUDO_ZONES
