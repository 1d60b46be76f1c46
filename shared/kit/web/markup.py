"""From what people write to what a browser may show: rendered, then cleaned."""

import nh3
from markdown_it import MarkdownIt

_MARKDOWN = MarkdownIt("commonmark", {"html": False})


def html_of(body: str, format_: str = "markdown") -> str:
    """Render Markdown (or take HTML as it is), and clean it of scripts, styles and handlers."""
    html = body if format_ == "html" else str(_MARKDOWN.render(body))
    return nh3.clean(html, link_rel="noopener noreferrer nofollow ugc")
