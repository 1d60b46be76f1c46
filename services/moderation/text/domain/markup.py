"""Markdown and HTML to the text that a reader of the page sees, in the form that analysis expects.

The text is taken from the rendered HTML (see `shared.kit.text.markup`), so that markup, references
and removed elements do not change a word: `con**n**ard` is one. Code becomes backticks or a fence
and quotes become ">" lines, so that `quotations` handles Markdown and HTML alike and neither counts
as shouting. Hidden content is appended, one line each: titles, and the targets of links. Spans of
an analysis refer to this text.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from shared.kit.text.markup import render_html

_BLOCKS: Final = frozenset(
    "p div br hr li ul ol dl dt dd table caption tr h1 h2 h3 h4 h5 h6 blockquote pre".split()
)
_CELLS: Final = frozenset({"td", "th"})
_TITLED: Final = frozenset({"a", "abbr"})
# A single blank stays: it is the common case.
_BLANKS: Final = re.compile(r"[ \t\n\f\r]{2,}|[\t\n\f\r]")
# Only paragraphs with emphasis, as in most texts: converted without a tree.
_PARAGRAPHS: Final = re.compile(r"(?:[^<]++|</?(?:p|em|strong)>|<br />)*+")
_EMPHASIS: Final = re.compile(r"</?(?:em|strong)>")
_LINE_ENDS: Final = re.compile(r"</?p>|<br />")
# Markers for the start and end of code: noncharacters, removed from the text before.
_CODE_START, _CODE_END = "\ufdd0", "\ufdd1"
# Code within a word ("con`n`ard") is part of it: it gets no backticks.
_LETTER: Final = r"[\w\u00ad\u200b-\u200f\u2060\ufeff]"
_WHOLE_CODE: Final = re.compile(
    rf"(?<!{_LETTER}){_CODE_START}([^{_CODE_START}{_CODE_END}]*){_CODE_END}(?!{_LETTER})"
)
# Stars in one position of a word ("c*nnard"): Markdown parses two such words as emphasis.
_CENSORED: Final = re.compile(r"(?<![\w*])\w++\*++\w++(?!\*)")
# Right-to-left override: letters are displayed in reverse, up to the end of the line.
_OVERRIDE: Final = "\u202e"
_OVERRIDDEN: Final = re.compile("\u202e([^\u202c\u202e]*)[\u202c]?")


def text_of_markdown(body: str) -> str:
    """Return the text that a page shows for Markdown."""
    html = render_html(body)
    text = _text_of_paragraphs(html) if _PARAGRAPHS.fullmatch(html) else _text(html)
    return "\n".join((text, *_censored_lines(body, text)))


def _censored_lines(body: str, text: str) -> Iterator[str]:
    """Yield the source lines whose stars censored letters and were parsed as emphasis."""
    if body.count("*") > text.count("*"):
        yield from (line for line in body.split("\n") if _CENSORED.search(line))


def text_of_html(html: str) -> str:
    """Return the text that a page shows for HTML, also invalid HTML; it is cleaned first."""
    return _text(render_html(html, "html"))


def _text_of_paragraphs(html: str) -> str:
    """Return the same as `_text`, for HTML of paragraphs with these four references only."""
    text = _BLANKS.sub(" ", _EMPHASIS.sub("", _remove_markers(html)))
    text = _LINE_ENDS.sub("\n", text)
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"')
    return _clean_lines(text.replace("&amp;", "&"), ())


def _remove_markers(text: str) -> str:
    return text.replace(_CODE_START, "").replace(_CODE_END, "")


def _clean_lines(text: str, hidden: Iterable[str]) -> str:
    lines = [line.rstrip() for line in text.split("\n")]
    text = "\n".join(line for line in lines if line not in {"", ">"})
    hidden_lines = [*hidden]
    if hidden_lines:
        words = set(text.split())
        hidden_lines = [line for line in hidden_lines if line not in words]
    return append_reversed_lines("\n".join((text, *hidden_lines)) if hidden_lines else text)


def append_reversed_lines(text: str) -> str:
    """Return a text and, appended, its lines with right-to-left letters in displayed order."""
    if _OVERRIDE not in text:
        return text
    lines = [line for line in text.split("\n") if _OVERRIDE in line]
    return "\n".join((text, *(_OVERRIDDEN.sub(_reversed, line) for line in lines)))


def _reversed(letters: re.Match[str]) -> str:
    return letters[1][::-1]


def _text(html: str) -> str:
    root = LexborHTMLParser(_remove_markers(html)).body
    if root is None:
        return ""
    page = _Page()
    page.read(root)
    return page.text()


class _Page:
    """Collects the text of a page by recursion: cleaned HTML is at most a hundred levels deep."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._hidden_lines: dict[str, None] = {}
        self._quote_levels = 0
        self._preformatted_levels = 0

    def read(self, parent: LexborNode) -> None:
        node = parent.first_child
        while node is not None:
            if node.is_text_node:
                self._add_text(node.text_content or "")
            else:
                self._add_element(node, node.tag or "")
            node = node.next

    def _add_text(self, text: str) -> None:
        if self._preformatted_levels:
            self._parts.append(text.replace("\n", self._line_end()))
        else:
            self._parts.append(_BLANKS.sub(" ", text))

    def _add_element(self, node: LexborNode, tag: str) -> None:
        if tag in _BLOCKS:
            self._add_block(node, tag)
            return
        is_code = tag == "code" and not self._preformatted_levels
        if is_code:
            self._parts.append(_CODE_START)
        self.read(node)
        if is_code:
            self._parts.append(_CODE_END)
        elif tag in _CELLS:
            self._parts.append(" ")
        elif tag in _TITLED:
            attributes = node.attributes
            self._hidden_lines |= dict.fromkeys(
                filter(None, map(attributes.get, ("title", "href")))
            )

    def _add_block(self, node: LexborNode, tag: str) -> None:
        self._quote_levels += tag == "blockquote"
        self._parts.append(self._line_end())
        # A `pre` without `code` is preformatted text, no code.
        is_fence = tag == "pre" and node.first_child is not None and node.first_child.tag == "code"
        self._preformatted_levels += tag == "pre"
        if is_fence:
            self._parts.append(f"```{self._line_end()}")
        self.read(node)
        if is_fence:
            self._parts.append(f"{self._line_end()}```")
        self._preformatted_levels -= tag == "pre"
        self._quote_levels -= tag == "blockquote"
        self._parts.append(self._line_end())

    def _line_end(self) -> str:
        return "\n> " if self._quote_levels else "\n"

    def text(self) -> str:
        text = "".join(self._parts)
        if _CODE_START in text:
            text = _remove_markers(_WHOLE_CODE.sub(r"`\1`", text))
        return _clean_lines(text, self._hidden_lines)
