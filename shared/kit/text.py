"""What people type: whether anything can be seen, which address and which time zone is meant."""

import unicodedata
from functools import cache
from importlib.resources import files

_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks by their category that no font shows; variation selectors are beside them."""
_NO_PLACE = frozenset({"Factory"})
"""What the database lists beside the zones of places: a name for "not yet set"."""


def is_blank(text: str) -> bool:
    """Tell whether nothing of a text can be seen: spaces, controls, zero-width characters."""
    return all(_is_unseen(letter) for letter in text)


def _is_unseen(letter: str) -> bool:
    if letter in _UNSEEN or "\ufe00" <= letter <= "\ufe0f":
        return True
    # Unassigned ones (Cn) are seen: a newer emoji is one to an older table.
    return unicodedata.category(letter) in {"Zs", "Zl", "Zp", "Cc", "Cf"}


def address_key(email: str) -> str:
    """Give what all ways of writing one mail address have in common; it is for comparing only."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", email).casefold())


def is_time_zone(name: str) -> bool:
    """Tell whether this is a name of the IANA database, whatever lies in this machine's folder."""
    return name in _zones()


@cache
def _zones() -> frozenset[str]:
    names = files("tzdata").joinpath("zones").read_text("utf-8").split()
    return frozenset(names) - _NO_PLACE
