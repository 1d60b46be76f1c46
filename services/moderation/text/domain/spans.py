"""Where something stands in the original text."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

import msgspec


class Span(msgspec.Struct, frozen=True, order=True, gc=False):
    """Half-open range [start, end) of characters of the original text.

    A struct without garbage collection: a text may have 60,000 of them.
    """

    start: int
    end: int

    def of(self, text: str) -> str:
        return text[self.start : self.end]


def merge_spans(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same characters, in order, no two spans touching or overlapping."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return tuple(found)


class SpanSet:
    """The characters of many spans, asked in logarithmic time: texts may hold thousands."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = merge_spans(spans)
        self._starts = [span.start for span in self._spans]

    def covers(self, span: Span) -> bool:
        """Return whether every character of `span` is in the set."""
        index = bisect_right(self._starts, span.start) - 1
        return index >= 0 and span.end <= self._spans[index].end


def replace_spans(text: str, spans: Sequence[Span], by: str) -> str:
    """The text with every character of the spans replaced by `by`: offsets still hold."""
    parts: list[str] = []
    at = 0
    for span in merge_spans(spans):
        parts += (text[at : span.start], by * (span.end - span.start))
        at = span.end
    return "".join((*parts, text[at:]))
