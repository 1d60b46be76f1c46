"""Markdown and HTML to the text that a reader of the page sees, as the rest reads it.

The text is taken from the HTML that is shown (see `shared.kit.text.markup`), so that markup,
references and what cleaning drops change nothing of a word: `con**n**ard` is one. Code becomes
backticks or a fence and quotes become ">" lines, so that `quoting` treats both alike and neither
shouts. What a page shows only when it is asked stands behind the text, a line each: titles, and
where links lead. Offsets of a reading are those of this text.
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
# A single blank is left as it is: it is the common case.
_BLANKS: Final = re.compile(r"[ \t\n\f\r]{2,}|[\t\n\f\r]")
# Nothing but paragraphs with emphasis, as most texts are: read without a tree.
_PARAGRAPHS: Final = re.compile(r"(?:[^<]++|</?(?:p|em|strong)>|<br />)*+")
_EMPHASIS: Final = re.compile(r"</?(?:em|strong)>")
_LINE_ENDS: Final = re.compile(r"</?p>|<br />")
# Where code begins and ends: characters that stand for none, taken out before.
_CODE, _END = "\ufdd0", "\ufdd1"
# Code within a word ("con`n`ard") is seen as part of it: it gets no backticks.
_LETTER: Final = r"[\w\u00ad\u200b-\u200f\u2060\ufeff]"
_WHOLE_CODE: Final = re.compile(rf"(?<!{_LETTER}){_CODE}([^{_CODE}{_END}]*){_END}(?!{_LETTER})")
# Stars in one place of a word ("c*nnard"): two such words are emphasis to Markdown.
_CENSORED: Final = re.compile(r"(?<![\w*])\w++\*++\w++(?!\*)")
# Right-to-left override: its letters are seen in the reverse order, up to the end of the line.
_OVERRIDE: Final = "\u202e"
_OVERRIDDEN: Final = re.compile("\u202e([^\u202c\u202e]*)[\u202c]?")


def text_of_markdown(body: str) -> str:
    """Return the text that a page shows of Markdown."""
    shown = render_html(body)
    text = _text_of_paragraphs(shown) if _PARAGRAPHS.fullmatch(shown) else _text(shown)
    return "\n".join((text, *_censored_lines(body, text)))


def _censored_lines(body: str, text: str) -> Iterator[str]:
    """Return the lines as typed whose stars stood for letters, and were taken for emphasis."""
    if body.count("*") > text.count("*"):
        yield from (line for line in body.split("\n") if _CENSORED.search(line))


def text_of_html(html: str) -> str:
    """Return the text that a page shows of HTML, however broken; it is cleaned first."""
    return _text(render_html(html, "html"))


def _text_of_paragraphs(shown: str) -> str:
    """Return what `_text` gives, for HTML of paragraphs; of references it holds but these four."""
    text = _BLANKS.sub(" ", _EMPHASIS.sub("", _without_marks(shown)))
    text = _LINE_ENDS.sub("\n", text)
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"')
    return _laid_out(text.replace("&amp;", "&"), ())


def _without_marks(text: str) -> str:
    return text.replace(_CODE, "").replace(_END, "")


def _laid_out(text: str, aside: Iterable[str]) -> str:
    lines = [line.rstrip() for line in text.split("\n")]
    text = "\n".join(line for line in lines if line not in {"", ">"})
    behind = [*aside]
    if behind:
        words = set(text.split())
        behind = [line for line in behind if line not in words]
    return append_reversed_lines("\n".join((text, *behind)) if behind else text)


def append_reversed_lines(text: str) -> str:
    """Return a text and, behind it, its lines with letters in reverse order as they are seen."""
    if _OVERRIDE not in text:
        return text
    lines = [line for line in text.split("\n") if _OVERRIDE in line]
    return "\n".join((text, *(_OVERRIDDEN.sub(_reversed, line) for line in lines)))


def _reversed(letters: re.Match[str]) -> str:
    return letters[1][::-1]


def _text(shown: str) -> str:
    root = LexborHTMLParser(_without_marks(shown)).body
    if root is None:
        return ""
    page = _Page()
    page.read(root)
    return page.text()


class _Page:
    """Cleaned HTML is at most a hundred elements deep, so it is read by recursion."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._aside: dict[str, None] = {}
        self._quotes = 0
        self._kept_blanks = 0

    def read(self, parent: LexborNode) -> None:
        node = parent.first_child
        while node is not None:
            if node.is_text_node:
                self._read_text(node.text_content or "")
            else:
                self._read_element(node, node.tag or "")
            node = node.next

    def _read_text(self, text: str) -> None:
        if self._kept_blanks:
            self._parts.append(text.replace("\n", self._line_end()))
        else:
            self._parts.append(_BLANKS.sub(" ", text))

    def _read_element(self, node: LexborNode, tag: str) -> None:
        if tag in _BLOCKS:
            self._read_block(node, tag)
            return
        is_code = tag == "code" and not self._kept_blanks
        if is_code:
            self._parts.append(_CODE)
        self.read(node)
        if is_code:
            self._parts.append(_END)
        elif tag in _CELLS:
            self._parts.append(" ")
        elif tag in _TITLED:
            attributes = node.attributes
            self._aside |= dict.fromkeys(filter(None, map(attributes.get, ("title", "href"))))

    def _read_block(self, node: LexborNode, tag: str) -> None:
        self._quotes += tag == "blockquote"
        self._parts.append(self._line_end())
        # A bare `pre` is a text as it was typed, and no code.
        is_fence = tag == "pre" and node.first_child is not None and node.first_child.tag == "code"
        self._kept_blanks += tag == "pre"
        if is_fence:
            self._parts.append(f"```{self._line_end()}")
        self.read(node)
        if is_fence:
            self._parts.append(f"{self._line_end()}```")
        self._kept_blanks -= tag == "pre"
        self._quotes -= tag == "blockquote"
        self._parts.append(self._line_end())

    def _line_end(self) -> str:
        return "\n> " if self._quotes else "\n"

    def text(self) -> str:
        text = "".join(self._parts)
        if _CODE in text:
            text = _without_marks(_WHOLE_CODE.sub(r"`\1`", text))
        return _laid_out(text, self._aside)
