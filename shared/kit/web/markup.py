"""From what people write to what a browser may show: rendered, then cleaned."""

import re
from functools import lru_cache

import comrak
import nh3
from markupsafe import escape

REMEMBERED, SHORT = 1_000, 4_000
"""So many texts of so many characters are rendered once: what was just written is read soon."""
DEEPEST = 100
"""Elements within elements. Trap: to clean thirty thousand quotes within quotes takes seconds."""
_NESTING = ("<blockquote", "<li", "<em", "<strong")
_TAG = re.compile(r"<(/?)(?:blockquote|li|em|strong)\b")
_HARMLESS = re.compile(
    r"(?:[^<]++|</?(?:p|em|strong|code|pre|blockquote|ul|ol|li|h[1-6])>|<(?:br|hr) />)*+"
)
"""Nothing but these tags, without any attribute: there is nothing to clean."""


def html_of(body: str, format_: str = "markdown") -> str:
    """Render Markdown (or take HTML as it is), and clean it of scripts, styles and handlers.

    HTML within Markdown is text: it is shown as it was typed.
    """
    return _short(body, format_) if len(body) <= SHORT else _rendered(body, format_)


def _rendered(body: str, format_: str) -> str:
    html = body if format_ == "html" else _markdown(body)
    if format_ != "html" and _HARMLESS.fullmatch(html):
        return html
    return nh3.clean(html, link_rel="noopener noreferrer nofollow ugc")


def _markdown(body: str) -> str:
    options = comrak.RenderOptions()
    options.escape = True
    html = comrak.render_markdown(body, render_options=options)
    return f"<pre>{escape(body)}</pre>" if _is_deep(html) else html


def _is_deep(html: str) -> bool:
    if sum(html.count(tag) for tag in _NESTING) <= DEEPEST:
        return False
    depth = 0
    for tag in _TAG.finditer(html):
        depth += -1 if tag[1] else 1
        if depth > DEEPEST:
            return True
    return False


_short = lru_cache(maxsize=REMEMBERED)(_rendered)
