"""Balances untrusted HTML before it is sanitised: known tags only, all closed, limited in number.

Trap: sanitisers build a tree like browsers, which open crossed or unclosed formatting again in each
paragraph: seven thousand `<b a=i>` take seconds. The tree of balanced HTML is built in linear
time. This is no sanitiser: URLs and attributes are checked by the sanitiser afterwards.
"""

import re
from collections.abc import Iterator
from typing import Final

MAX_DEPTH: Final = 100
"""Maximum nesting of elements."""
MAX_ELEMENTS: Final = 5_000
MAX_TEXT_NODE_CHARACTERS: Final = 1_000
"""Longer texts are split into several text nodes."""
_MAX_REFERENCE_CHARACTERS: Final = 40
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
_WRITTEN_AS_DIV: Final = frozenset(
    "address article aside center details dialog fieldset figcaption figure footer form header "
    "hgroup legend main nav optgroup option section summary".split()
)
"""Block elements that are written as `div`, so that their text stays on separate lines."""
_DROPPED: Final = frozenset("iframe noembed noframes noscript script style template title".split())
"""Elements whose content is dropped."""
_END_OF_DROPPED: Final = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in _DROPPED
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
"""Elements with an optional end tag: (elements they close, elements that stop the search)."""

_BLANK = r"[\t\n\f\r ]"
# Linear time: possessive quantifiers consume each character once, without backtracking.
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
_KEPT_ATTRIBUTES: Final = {
    "a": ("href", "title"),
    "abbr": ("title",),
    "ol": ("start",),
    "td": ("colspan", "rowspan"),
    "th": ("colspan", "rowspan"),
}
_IMAGE_ATTRIBUTES: Final = ("src", "alt", "title")
_FETCHABLE = re.compile(rf"{_BLANK}*https?:", re.IGNORECASE)


class TooComplexError(Exception):
    """The HTML has more elements, or deeper nesting, than is sanitised."""


def balance_html(html: str) -> str:
    """Return the HTML with known tags only, all closed, and images replaced by links.

    Raises `TooComplexError` beyond `MAX_DEPTH` or `MAX_ELEMENTS`.
    """
    writer = _HtmlWriter()
    position = 0
    while token := _TOKEN.search(html, position):
        writer.add_text(html[position : token.start()])
        position = token.end()
        name = (token["name"] or "").lower()
        if name in _DROPPED and not token["end"]:
            end = _END_OF_DROPPED[name].search(html, position)
            position = end.start() if end else len(html)
        elif token["end"]:
            writer.close(name)
        elif name:
            writer.open(name, token["attributes"])
    writer.add_text(html[position:])
    return writer.finish()


class _HtmlWriter:
    def __init__(self) -> None:
        self._parts: list[str] = []
        self._stack: list[str] = []
        self._elements = 0
        self._images: list[str] = []

    def add_text(self, text: str) -> None:
        self._parts.extend(_split_text(text.replace("<", "&lt;")))

    def open(self, name: str, attributes: str) -> None:
        name = "div" if name in _WRITTEN_AS_DIV else name
        if name in {"img", "image"}:
            self._add_image_link(dict(_find_attributes(attributes, _IMAGE_ATTRIBUTES)))
        elif name in VOID_TAGS:
            self._count_element()
            self._parts.append(f"<{name}>")
        elif name in ALLOWED_TAGS:
            self._close_implied(name)
            if name == "a" and "a" in self._stack:
                return
            self._count_element()
            self._stack.append(name)
            if len(self._stack) > MAX_DEPTH:
                raise TooComplexError
            allowed = _find_attributes(attributes, _KEPT_ATTRIBUTES.get(name, ()))
            written = "".join(f' {key}="{value}"' for key, value in allowed)
            self._parts.append(f"<{name}{written}>")

    def close(self, name: str) -> None:
        """Close an element and all elements inside it; a crossing end tag closes nothing."""
        name = "div" if name in _WRITTEN_AS_DIV else name
        if name not in self._stack:
            return
        for index in range(len(self._stack) - 1, -1, -1):
            inner = self._stack[index]
            if inner == name:
                self._close_to(index)
                return
            crosses_block = name in _INLINE and inner in _BLOCKS
            if crosses_block or (name not in _TABLE and inner in _TABLE):
                return

    def finish(self) -> str:
        self._close_to(0)
        return "".join(self._parts)

    def _close_implied(self, name: str) -> None:
        closes, stops_at = _CLOSED_BY.get(name, (frozenset[str](), frozenset[str]()))
        for index in range(len(self._stack) - 1, -1, -1):
            inner = self._stack[index]
            if inner in closes or (inner == "p" and name in _BLOCKS) or inner == name == "a":
                self._close_to(index)
                return
            if inner in stops_at or (not closes and inner in _BLOCKS):
                return

    def _close_to(self, depth: int) -> None:
        while len(self._stack) > depth:
            name = self._stack.pop()
            self._parts.append(f"</{name}>")
            if name == "a":
                self._parts.extend(self._images)
                self._images.clear()

    def _count_element(self) -> None:
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise TooComplexError

    def _add_image_link(self, values: dict[str, str]) -> None:
        address, alt = values.get("src", ""), values.get("alt", "")
        address = address if _FETCHABLE.match(address) else ""
        title = f' title="{values["title"]}"' if values.get("title") else ""
        if not address and not alt:
            return
        self._count_element()
        shown = (alt or address).replace("<", "&lt;")
        if "a" not in self._stack:
            self._parts.append(f'<a href="{address}"{title}>{shown}</a>')
            return
        # Links cannot be nested: the image's link is written after the open one.
        self._parts.append(shown)
        if address:
            text = address.replace("<", "&lt;")
            self._images.append(f' (<a href="{address}"{title}>{text}</a>)')


def _split_text(text: str) -> Iterator[str]:
    """Split a long text by empty comments, which sanitisers drop; never inside a reference.

    Trap: html5ever copies a whole text node for each reference or special character added to it.
    """
    start = 0
    while len(text) - start > MAX_TEXT_NODE_CHARACTERS + _MAX_REFERENCE_CHARACTERS:
        cut = text.find(
            "&",
            start + MAX_TEXT_NODE_CHARACTERS,
            start + MAX_TEXT_NODE_CHARACTERS + _MAX_REFERENCE_CHARACTERS,
        )
        cut = cut if cut > 0 else start + MAX_TEXT_NODE_CHARACTERS + _MAX_REFERENCE_CHARACTERS
        yield f"{text[start:cut]}<!---->"
        start = cut
    yield text[start:]


def _find_attributes(attributes: str, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the first of each named attribute, escaped for a double-quoted value."""
    if not names:
        return
    yielded: set[str] = set()
    for match in _ATTRIBUTES.finditer(attributes):
        name = match[1].lower()
        if name in names and name not in yielded:
            yielded.add(name)
            value = match[2] or match[3] or match[4] or ""
            yield name, value.replace('"', "&quot;")
