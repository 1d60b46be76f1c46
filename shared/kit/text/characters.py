"""What people type: whether it can be seen, how addresses compare, which time zone is meant."""

import re
import unicodedata
from functools import cache
from importlib.resources import files

_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks by their category that no font shows; variation selectors are beside them."""
_ROOM = frozenset({"Zs", "Zl", "Zp", "Cc"})
_NO_PLACE = frozenset({"Factory"})
"""What the database lists beside the zones of places: a name for "not yet set"."""


_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_JOINERS = frozenset("\u200c\u200d")
_KEYCAP = "\u20e3"
_JOINING_SCRIPTS = frozenset(
    """
    ARABIC SYRIAC NKO MANDAIC MONGOLIAN DEVANAGARI BENGALI GURMUKHI GUJARATI ORIYA TAMIL TELUGU
    KANNADA MALAYALAM SINHALA KHMER MYANMAR TIBETAN
    """.split()
)
"""Scripts in which a joiner changes how its neighbours are written, and so can be seen."""


def is_plain_text(text: str) -> bool:
    """Return whether a text holds no control character but tabs and line ends, and no half one."""
    return _CONTROL.search(text) is None


def is_visible_line(text: str) -> bool:
    """Return whether a name is one line of letters that can be seen.

    Refused are the categories Cc, Cf, Co, Cs, line and paragraph separators, and marks without a
    shape. Joiners and variation selectors pass beside letters that need them: emoji, Arabic, Hindi.
    """
    return all(_is_shown(text, index) for index in range(len(text)))


def _is_shown(text: str, index: int) -> bool:
    letter, before, after = text[index], text[index - 1 : index], text[index + 1 : index + 2]
    if letter.isascii():
        return letter.isprintable()
    if letter in _JOINERS:
        return _takes_joiners(before) and _takes_joiners(after)
    if _is_selector(letter):
        return after == _KEYCAP or (_takes_joiners(before) and not _is_selector(before))
    if letter in _UNSEEN:
        return False
    return unicodedata.category(letter) not in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}


def _is_selector(letter: str) -> bool:
    return "\ufe00" <= letter <= "\ufe0f" or "\U000e0100" <= letter <= "\U000e01ef"


def _takes_joiners(letter: str) -> bool:
    """Return whether a joiner or a variation selector beside this one changes how it is written."""
    if not letter:
        return False
    if unicodedata.category(letter) in {"So", "Sk", "Sm"} or _is_selector(letter):
        return True
    words = unicodedata.name(letter, "").split()
    return bool(words) and (words[0] in _JOINING_SCRIPTS or words[0] == "CJK")


def is_blank(text: str) -> bool:
    """Return whether nothing of a text can be seen: spaces, controls, zero-width characters."""
    return all(is_invisible(letter) for letter in text)


def strip_zero_width(text: str) -> str:
    """Take away the characters that take no room: unseen ones but for spaces and controls."""
    return "".join(c for c in text if not is_invisible(c) or unicodedata.category(c) in _ROOM)


def is_invisible(letter: str) -> bool:
    """Return whether a character shows nothing: space, control, zero-width."""
    if letter in _UNSEEN or _is_selector(letter):
        return True
    # Unassigned ones (Cn) are seen: a newer emoji is one to an older table.
    return unicodedata.category(letter) in {"Zs", "Zl", "Zp", "Cc", "Cf"}


def mail_address_key(email: str) -> str:
    """Return what all ways of writing one mail address have in common; it is for comparing only."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", email).casefold())


def is_time_zone(name: str) -> bool:
    """Return whether this is a name of the IANA time zone database."""
    return name in _zones()


@cache
def _zones() -> frozenset[str]:
    names = files("tzdata").joinpath("zones").read_text("utf-8").split()
    return frozenset(names) - _NO_PLACE
