"""From what people write to what a browser may show: rendered, then cleaned."""

from functools import lru_cache

import nh3
from markdown_it import MarkdownIt

REMEMBERED, SHORT = 1_000, 4_000
"""So many texts of so many characters are rendered once: what was just written is read soon."""
_MARKDOWN = MarkdownIt("commonmark", {"html": False})


def html_of(body: str, format_: str = "markdown") -> str:
    """Render Markdown (or take HTML as it is), and clean it of scripts, styles and handlers."""
    return _short(body, format_) if len(body) <= SHORT else _rendered(body, format_)


def _rendered(body: str, format_: str) -> str:
    html = body if format_ == "html" else str(_MARKDOWN.render(body))
    return nh3.clean(html, link_rel="noopener noreferrer nofollow ugc")


_short = lru_cache(maxsize=REMEMBERED)(_rendered)
