"""From what people write to what a browser may show: rendered, then cleaned."""

import re
from typing import Final

import comrak
import nh3
from markupsafe import escape

from shared.kit.text.html_balancing import (
    ALLOWED_TAGS,
    MAX_DEPTH,
    MAX_ELEMENTS,
    MAX_TEXT_NODE_CHARACTERS,
    TooComplexError,
    balance_html,
)

HTML_VERSION: Final = 1
"""Of these rules. Kept HTML of another version is made again: raise it with every change here."""
_NESTING = ("<blockquote", "<li", "<em", "<strong")
_TAG = re.compile(r"<(/?)(?:blockquote|li|em|strong)\b")
_HARMLESS = re.compile(
    r"(?:[^<]++|</?(?:p|em|strong|code|pre|blockquote|ul|ol|li|h[1-6])>|<(?:br|hr) />)*+"
)
"""Nothing but these tags, without any attribute: there is nothing to clean."""
_SCHEMES: Final = frozenset({"http", "https", "mailto"})
_ADDRESS = re.compile(r"https?://[^\s/\\?#][^\s\\]*|mailto:[^\s/\\]\S*", re.IGNORECASE)
"""Trap: browsers read `\\` as `/`, leave out tabs and line ends, and take `//host` for a host."""
_SMALL_NUMBER = re.compile(r"[0-9]{1,4}")
_ATTRIBUTES: Final = {
    "a": {"href", "title"},
    "abbr": {"title"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
}


def render_html(body: str, format_: str = "markdown") -> str:
    """Render Markdown (or take HTML as it is), and clean it of all but text, structure and links.

    HTML within Markdown is text: it is shown as it was typed. Images are links to them, since a
    reader's browser must tell nobody that its person reads. A text of too many elements, or of
    elements too deep in each other, is shown as it was typed. Linear in the length of the text.
    """
    if format_ == "html":
        return _rebuilt(body, body)
    html = _markdown(body)
    if _is_complex(html):
        return _as_typed(body)
    if _HARMLESS.fullmatch(html):
        return html
    is_plain = "<img" not in html and len(html) <= MAX_TEXT_NODE_CHARACTERS
    return _CLEANER.clean(html) if is_plain else _rebuilt(html, body)


def _rebuilt(html: str, body: str) -> str:
    try:
        return _CLEANER.clean(balance_html(html))
    except TooComplexError:
        return _as_typed(body)


def _markdown(body: str) -> str:
    options = comrak.RenderOptions()
    options.escape = True
    return comrak.render_markdown(body, render_options=options)


def _as_typed(body: str) -> str:
    return f"<pre>{escape(body)}</pre>"


def _kept_value(tag: str, attribute: str, value: str) -> str | None:
    del tag
    if attribute == "href":
        address = value.strip()
        return address if _ADDRESS.fullmatch(address) else None
    if attribute in {"start", "colspan", "rowspan"}:
        return value if _SMALL_NUMBER.fullmatch(value) else None
    return value


def _is_complex(html: str) -> bool:
    if html.count("<") > 2 * MAX_ELEMENTS:
        return True
    if sum(html.count(tag) for tag in _NESTING) <= MAX_DEPTH:
        return False
    depth = 0
    for tag in _TAG.finditer(html):
        depth += -1 if tag[1] else 1
        if depth > MAX_DEPTH:
            return True
    return False


_CLEANER = nh3.Cleaner(
    tags=set(ALLOWED_TAGS),
    attributes=_ATTRIBUTES,
    attribute_filter=_kept_value,
    url_schemes=set(_SCHEMES),
    url_relative="deny",
    link_rel="noopener noreferrer nofollow ugc",
)
