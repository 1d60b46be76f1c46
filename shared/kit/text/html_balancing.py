"""HTML of strangers, rebuilt before it is cleaned: known tags only, each closed, few and not deep.

Trap: cleaners build a tree as browsers do, and there crossed or unclosed formatting is opened again
in each paragraph: seven thousand `<b a=i>` take seconds. Of what is rebuilt here, a tree costs as
much as its length. This is no cleaning: addresses and names of attributes are the cleaner's.
"""

import re
from collections.abc import Iterator
from typing import Final

MAX_DEPTH: Final = 100
"""Elements within elements."""
MAX_ELEMENTS: Final = 5_000
MAX_TEXT_NODE_CHARACTERS: Final = 1_000
"""Characters of text after which the cleaner begins another node."""
_LONGEST_REFERENCE: Final = 40
VOID_TAGS: Final = frozenset("br hr wbr".split())
_INLINE: Final = frozenset(
    "a abbr b cite code del dfn em i ins kbd mark s samp small strike strong sub sup tt u var"
    .split()
)  # fmt: skip
_TABLE: Final = frozenset("caption table tbody td tfoot th thead tr".split())
_BLOCKS: Final = _TABLE | frozenset(
    "blockquote dd div dl dt h1 h2 h3 h4 h5 h6 li ol p pre ul".split()
)
ALLOWED_TAGS: Final = VOID_TAGS | _INLINE | _BLOCKS
_AS_DIVISION: Final = frozenset(
    "address article aside center details dialog fieldset figcaption figure footer form header "
    "hgroup legend main nav optgroup option section summary".split()
)
"""They stand on lines of their own; their text does so as well."""
_SILENT: Final = frozenset("iframe noembed noframes noscript script style template title".split())
"""Their content is no text of the page."""
_END_OF_SILENT: Final = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in _SILENT
}
_CLOSED_BY: Final = {
    "li": ({"li"}, {"ul", "ol"}),
    "dt": ({"dt", "dd"}, {"dl"}),
    "dd": ({"dt", "dd"}, {"dl"}),
    "td": ({"td", "th"}, {"tr", "table"}),
    "th": ({"td", "th"}, {"tr", "table"}),
    "tr": ({"tr"}, {"table"}),
    **dict.fromkeys(("tbody", "thead", "tfoot"), ({"tbody", "thead", "tfoot"}, {"table"})),
}
"""Whose end may be left out: it is closed by the next one of its kind, within what holds both."""

_BLANK = r"[\t\n\f\r ]"
# Each character is consumed once, and no part can fail behind what it consumed.
_ATTRIBUTE = (
    rf"[\t\n\f\r /]*+([^\t\n\f\r />][^\t\n\f\r />=]*+)"
    rf"(?:{_BLANK}*+={_BLANK}*+(?:\"([^\"]*+)(?:\"|\Z)|'([^']*+)(?:'|\Z)"
    rf"|([^\t\n\f\r >\"'][^\t\n\f\r >]*+)|(?=>)))?+"
)
_ATTRIBUTES = re.compile(_ATTRIBUTE)
_UNNAMED = re.sub(r"(?<!\\)\((?!\?)", "(?:", _ATTRIBUTE)
_TOKEN = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))|<(?:[!?]|/(?![A-Za-z]))[^>]*+(?:>|\Z)"
    rf"|<(?P<end>/?)(?P<name>[A-Za-z][^\t\n\f\r />]*+)(?P<attributes>(?:{_UNNAMED})*+)"
    r"[\t\n\f\r /]*+(?:>|\Z)",
    re.DOTALL,
)
_KEPT: Final = {
    "a": ("href", "title"),
    "abbr": ("title",),
    "ol": ("start",),
    "td": ("colspan", "rowspan"),
    "th": ("colspan", "rowspan"),
}
_IMAGE: Final = ("src", "alt", "title")
_FETCHABLE = re.compile(rf"{_BLANK}*https?:", re.IGNORECASE)


class TooComplexError(Exception):
    """HTML of more elements, or of a greater depth, than is cleaned."""


def balance_html(html: str) -> str:
    """Write the tags that are known, each closed; in place of an image, a link to it.

    Raises `TooComplexError` beyond `MAX_DEPTH` or `MAX_ELEMENTS`.
    """
    page = _Page()
    position = 0
    while token := _TOKEN.search(html, position):
        page.add_text(html[position : token.start()])
        position = token.end()
        name = (token["name"] or "").lower()
        if name in _SILENT and not token["end"]:
            end = _END_OF_SILENT[name].search(html, position)
            position = end.start() if end else len(html)
        elif token["end"]:
            page.close(name)
        elif name:
            page.open(name, token["attributes"])
    page.add_text(html[position:])
    return page.finish()


class _Page:
    def __init__(self) -> None:
        self._parts: list[str] = []
        self._stack: list[str] = []
        self._elements = 0
        self._images: list[str] = []

    def add_text(self, text: str) -> None:
        self._parts.extend(_pieces(text.replace("<", "&lt;")))

    def open(self, name: str, attributes: str) -> None:
        name = "div" if name in _AS_DIVISION else name
        if name in {"img", "image"}:
            self._image(dict(_values(attributes, _IMAGE)))
        elif name in VOID_TAGS:
            self._count()
            self._parts.append(f"<{name}>")
        elif name in ALLOWED_TAGS:
            self._close_implied(name)
            if name == "a" and "a" in self._stack:
                return
            self._count()
            self._stack.append(name)
            if len(self._stack) > MAX_DEPTH:
                raise TooComplexError
            kept = _values(attributes, _KEPT.get(name, ()))
            written = "".join(f' {key}="{value}"' for key, value in kept)
            self._parts.append(f"<{name}{written}>")

    def close(self, name: str) -> None:
        """Close an element and all within it; crossing ends close nothing."""
        name = "div" if name in _AS_DIVISION else name
        if name not in self._stack:
            return
        for index in range(len(self._stack) - 1, -1, -1):
            inner = self._stack[index]
            if inner == name:
                self._cut(index)
                return
            crosses_block = name in _INLINE and inner in _BLOCKS
            if crosses_block or (name not in _TABLE and inner in _TABLE):
                return

    def finish(self) -> str:
        self._cut(0)
        return "".join(self._parts)

    def _close_implied(self, name: str) -> None:
        closed, within = _CLOSED_BY.get(name, (frozenset[str](), frozenset[str]()))
        for index in range(len(self._stack) - 1, -1, -1):
            inner = self._stack[index]
            if inner in closed or (inner == "p" and name in _BLOCKS) or inner == name == "a":
                self._cut(index)
                return
            if inner in within or (not closed and inner in _BLOCKS):
                return

    def _cut(self, depth: int) -> None:
        while len(self._stack) > depth:
            name = self._stack.pop()
            self._parts.append(f"</{name}>")
            if name == "a":
                self._parts.extend(self._images)
                self._images.clear()

    def _count(self) -> None:
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise TooComplexError

    def _image(self, values: dict[str, str]) -> None:
        address, alt = values.get("src", ""), values.get("alt", "")
        address = address if _FETCHABLE.match(address) else ""
        title = f' title="{values["title"]}"' if values.get("title") else ""
        if not address and not alt:
            return
        self._count()
        shown = (alt or address).replace("<", "&lt;")
        if "a" not in self._stack:
            self._parts.append(f'<a href="{address}"{title}>{shown}</a>')
            return
        # A link cannot stand within a link: the image's follows.
        self._parts.append(shown)
        if address:
            text = address.replace("<", "&lt;")
            self._images.append(f' (<a href="{address}"{title}>{text}</a>)')


def _pieces(text: str) -> Iterator[str]:
    """Cut a long text by empty comments, never within a reference; a cleaner drops comments.

    Trap: html5ever copies a whole text node for each reference or special character added to it.
    """
    start = 0
    while len(text) - start > MAX_TEXT_NODE_CHARACTERS + _LONGEST_REFERENCE:
        cut = text.find(
            "&",
            start + MAX_TEXT_NODE_CHARACTERS,
            start + MAX_TEXT_NODE_CHARACTERS + _LONGEST_REFERENCE,
        )
        cut = cut if cut > 0 else start + MAX_TEXT_NODE_CHARACTERS + _LONGEST_REFERENCE
        yield f"{text[start:cut]}<!---->"
        start = cut
    yield text[start:]


def _values(attributes: str, wanted: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Return the first of each wanted attribute, quoted for a double-quoted value."""
    if not wanted:
        return
    seen: set[str] = set()
    for found in _ATTRIBUTES.finditer(attributes):
        name = found[1].lower()
        if name in wanted and name not in seen:
            seen.add(name)
            value = found[2] or found[3] or found[4] or ""
            yield name, value.replace('"', "&quot;")
