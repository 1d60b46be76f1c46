"""Renders users' Markdown or HTML and sanitises it for browsers."""

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
"""Version of these rules. Increase it with every change: stored HTML is then rendered again."""
_NESTING = ("<blockquote", "<li", "<em", "<strong")
_TAG = re.compile(r"<(/?)(?:blockquote|li|em|strong)\b")
_CLEAN = re.compile(
    r"(?:[^<]++|</?(?:p|em|strong|code|pre|blockquote|ul|ol|li|h[1-6])>|<(?:br|hr) />)*+"
)
"""HTML of these tags only, without attributes, needs no sanitising."""
_SCHEMES: Final = frozenset({"http", "https", "mailto"})
_ADDRESS = re.compile(r"https?://[^\s/\\?#][^\s\\]*|mailto:[^\s/\\]\S*", re.IGNORECASE)
"""Trap: browsers read `\\` as `/`, ignore tabs and line ends, and read `//host` as a host."""
_SMALL_NUMBER = re.compile(r"[0-9]{1,4}")
_ATTRIBUTES: Final = {
    "a": {"href", "title"},
    "abbr": {"title"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
}


def render_html(body: str, format_: str = "markdown") -> str:
    """Render Markdown (or take HTML) and remove all but text, structure and links.

    HTML inside Markdown is shown as text. Images become links, so that reading a text loads
    nothing from another host. A text with too many or too deeply nested elements is shown as it
    was typed. Linear in the length of the text.
    """
    if format_ == "html":
        return _balance_and_sanitise(body, body)
    html = _render_markdown(body)
    if _is_complex(html):
        return _as_typed(body)
    if _CLEAN.fullmatch(html):
        return html
    is_plain = "<img" not in html and len(html) <= MAX_TEXT_NODE_CHARACTERS
    return _SANITISER.clean(html) if is_plain else _balance_and_sanitise(html, body)


def _balance_and_sanitise(html: str, body: str) -> str:
    try:
        return _SANITISER.clean(balance_html(html))
    except TooComplexError:
        return _as_typed(body)


def _render_markdown(body: str) -> str:
    options = comrak.RenderOptions()
    options.escape = True
    return comrak.render_markdown(body, render_options=options)


def _as_typed(body: str) -> str:
    return f"<pre>{escape(body)}</pre>"


def _filter_attribute(tag: str, attribute: str, value: str) -> str | None:
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


_SANITISER = nh3.Cleaner(
    tags=set(ALLOWED_TAGS),
    attributes=_ATTRIBUTES,
    attribute_filter=_filter_attribute,
    url_schemes=set(_SCHEMES),
    url_relative="deny",
    link_rel="noopener noreferrer nofollow ugc",
)
