"""Links and their domains."""

from dataclasses import dataclass

import re2

from services.moderation.text.domain.spans import Span

_LINK = re2.compile(
    r"(?i)(?:\bhttps?://|\bwww\.)[^\s<>()\"\]]+"
    r"|\b(?:[a-z0-9-]{1,63}\.){1,4}(?:com|fr|net|org|io|eu|gg|me|ly|info|biz|xyz|shop|top|online)"
    r"\b(?:/[^\s<>()\"\]]*)?"
)
_HOST = re2.compile(r"(?i)^(?:https?://)?(?:[^/@\s]*@)?(?:www\.)?([^/:?#\s]+)")
# They hide the target of a link from readers and rules.
SHORTENERS = frozenset({
    "bit.ly", "tinyurl.com", "t.co", "goo.gl", "ow.ly", "is.gd", "buff.ly", "cutt.ly",
    "rebrand.ly", "shorturl.at", "urlz.fr", "lc.cx", "frama.link", "huit.re", "tiny.cc",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Link:
    """A link and its domain, in lower case, without www."""

    span: Span
    domain: str


def find_links(text: str) -> tuple[Link, ...]:
    # Every link has a dot or a scheme: a text without a dot is the common case.
    """Return the links of a text in order."""
    if "." not in text:
        return ()
    return tuple(
        Link(Span(*match.span()), _domain(match.group())) for match in _LINK.finditer(text)
    )


def _domain(url: str) -> str:
    host = _HOST.search(url)
    return host.group(1).lower().rstrip(".") if host else ""
