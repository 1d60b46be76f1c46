"""HTML to the Markdown-like text the rest reads: imported posts come as HTML.

Code becomes backticks or a fence and quotes become ">" lines, so that `quoting` treats both alike
and neither shouts. Offsets of a reading are then those of the text, not of the HTML.
"""

from html.parser import HTMLParser
from typing import Final

_BLOCKS: Final = frozenset(
    "p div br hr li ul ol table tr h1 h2 h3 h4 h5 h6 blockquote pre section article".split()
)
_SILENT: Final = frozenset({"script", "style"})


def text_of_html(html: str) -> str:
    """The visible text of a fragment of HTML, however broken; script and style left out."""
    reader = _TextOfHtml()
    reader.feed(html)
    reader.close()
    return reader.text()


class _TextOfHtml(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._quotes = 0
        self._silent = 0
        self._fenced = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag in _SILENT:
            self._silent += 1
        if tag == "blockquote":
            self._quotes += 1
        if tag in _BLOCKS:
            self._line()
        if tag == "pre":
            self._fenced += 1
            self._parts.append("```")
            self._line()
        elif tag == "code" and not self._fenced:
            self._parts.append("`")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(self._silent - 1, 0)
        if tag == "blockquote":
            self._quotes = max(self._quotes - 1, 0)
        if tag == "pre" and self._fenced:
            self._fenced -= 1
            self._line()
            self._parts.append("```")
        elif tag == "code" and not self._fenced:
            self._parts.append("`")
        if tag in _BLOCKS:
            self._line()

    def handle_data(self, data: str) -> None:
        if not self._silent:
            quoted = "\n> " if self._quotes else "\n"
            self._parts.append(data.replace("\n", quoted))

    def _line(self) -> None:
        self._parts.append("\n> " if self._quotes else "\n")

    def text(self) -> str:
        lines = (line.rstrip() for line in "".join(self._parts).split("\n"))
        return "\n".join(line for line in lines if line not in ("", ">"))
