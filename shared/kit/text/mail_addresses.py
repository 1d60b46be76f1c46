"""Extracts the mail address from a text that a user pasted. Pure."""

import re
import unicodedata

from shared.kit.text.characters import strip_zero_width

MAX_ADDRESS_CHARACTERS = 254
"""Maximum of the mail envelope (RFC 5321)."""
_MAX_LOCAL_CHARACTERS, _MAX_LABEL_CHARACTERS = 64, 63
_NAME_AND_ADDRESS = re.compile(r"[^<>]*<([^<>]*)>")
"""`Camille Martin <camille@exemple.fr>`."""
_SCHEME = re.compile(r"(?:mailto|e-?mail|courriel|mail|smtp) ?:", re.IGNORECASE)
_LEADING = " \t\r\n\u2028\u2029<([{\"'\u00ab\u2039\u201c\u2018\u201e,;:"
_TRAILING = " \t\r\n\u2028\u2029>)]}\"'\u00bb\u203a\u201d\u2019,;:.!?\u2026"
"""Characters that may surround an address in a list, a sentence or a mail header."""
_FULL_STOPS = str.maketrans("\u3002\uff61", "..")
_LOCAL_SIGNS = frozenset("!#$%&'*+-/=?^_`{|}~")


def extract_mail_address(text: str) -> str | None:
    """Return the single address in a text; None when there is none or more than one.

    Removed are only parts that cannot belong to an address: a name beside `<…>`, `mailto:`,
    separators, spaces and quotes around it, and characters without width anywhere.
    """
    normal = unicodedata.normalize("NFKC", strip_zero_width(text)).translate(_FULL_STOPS)
    address = normal.lstrip(" \t\r\n,;").rstrip(" \t\r\n,;.")
    match = _NAME_AND_ADDRESS.fullmatch(address)
    address = _trim(match[1] if match else address)
    scheme = _SCHEME.match(address)
    if scheme is not None:
        address = _trim(address[scheme.end() :].partition("?")[0])
    return address if _is_address(address) else None


def _trim(text: str) -> str:
    return text.lstrip(_LEADING).rstrip(_TRAILING)


def _is_address(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    return (
        bool(at)
        and len(text) <= MAX_ADDRESS_CHARACTERS
        and len(local) <= _MAX_LOCAL_CHARACTERS
        and _is_dotted(local, _LOCAL_SIGNS)
        and _is_domain(domain)
    )


def _is_domain(text: str) -> bool:
    labels = text.split(".")
    return (
        len(labels) > 1
        and _is_dotted(text, frozenset("-"))
        and all(len(part) <= _MAX_LABEL_CHARACTERS and part.strip("-") == part for part in labels)
        and not labels[-1].isdigit()
    )


def _is_dotted(text: str, signs: frozenset[str]) -> bool:
    """Return whether the parts between single dots are letters, digits and these signs."""
    return all(part and all(_is_letter(c) or c in signs for c in part) for part in text.split("."))


def _is_letter(character: str) -> bool:
    # Marks too: some scripts write a letter with several code points even in normal form.
    return unicodedata.category(character)[0] in "LMN"
