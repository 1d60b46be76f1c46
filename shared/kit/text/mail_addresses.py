"""Mail addresses as people paste them: tidied to the address itself, or refused. Pure."""

import re
import unicodedata

from shared.kit.text.characters import strip_zero_width

MAX_ADDRESS_CHARACTERS = 254
"""Characters; a longer one fits in no mail's envelope (RFC 5321)."""
_MAX_LOCAL, _MAX_LABEL = 64, 63
_NAMED = re.compile(r"[^<>]*<([^<>]*)>")
"""`Camille Martin <camille@exemple.fr>`."""
_SCHEME = re.compile(r"(?:mailto|e-?mail|courriel|mail|smtp) ?:", re.IGNORECASE)
_BEFORE = " \t\r\n\u2028\u2029<([{\"'\u00ab\u2039\u201c\u2018\u201e,;:"
_AFTER = " \t\r\n\u2028\u2029>)]}\"'\u00bb\u203a\u201d\u2019,;:.!?\u2026"
"""What may stand before or after an address in a list, a sentence or a mail's header."""
_FULL_STOPS = str.maketrans("\u3002\uff61", "..")
_LOCAL_SIGNS = frozenset("!#$%&'*+-/=?^_`{|}~")


def extract_mail_address(text: str) -> str | None:
    """Return the one address that was meant, or None for what is none, or several.

    Only what cannot belong to it is taken away: a name beside `<…>`, `mailto:`, separators, spaces
    and quotes around it, and characters without width anywhere.
    """
    normal = unicodedata.normalize("NFKC", strip_zero_width(text)).translate(_FULL_STOPS)
    address = normal.lstrip(" \t\r\n,;").rstrip(" \t\r\n,;.")
    named = _NAMED.fullmatch(address)
    address = _trimmed(named[1] if named else address)
    scheme = _SCHEME.match(address)
    if scheme is not None:
        address = _trimmed(address[scheme.end() :].partition("?")[0])
    return address if _is_address(address) else None


def _trimmed(text: str) -> str:
    return text.lstrip(_BEFORE).rstrip(_AFTER)


def _is_address(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    return (
        bool(at)
        and len(text) <= MAX_ADDRESS_CHARACTERS
        and len(local) <= _MAX_LOCAL
        and _is_dotted(local, _LOCAL_SIGNS)
        and _is_domain(domain)
    )


def _is_domain(text: str) -> bool:
    labels = text.split(".")
    return (
        len(labels) > 1
        and _is_dotted(text, frozenset("-"))
        and all(len(each) <= _MAX_LABEL and each.strip("-") == each for each in labels)
        and not labels[-1].isdigit()
    )


def _is_dotted(text: str, signs: frozenset[str]) -> bool:
    """Return whether parts of letters, digits and these signs stand between single dots."""
    return all(part and all(_is_letter(c) or c in signs for c in part) for part in text.split("."))


def _is_letter(character: str) -> bool:
    # Marks too: some scripts write a letter with several code points, also in normal form.
    return unicodedata.category(character)[0] in "LMN"
