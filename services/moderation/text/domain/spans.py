"""Spans of the original text."""

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
    """Return the same characters as ordered spans that neither touch nor overlap."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return tuple(merged)


class SpanSet:
    """A set of characters given by spans; lookups take logarithmic time, for thousands of spans."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = merge_spans(spans)
        self._starts = [span.start for span in self._spans]

    def covers(self, span: Span) -> bool:
        """Return whether every character of `span` is in the set."""
        index = bisect_right(self._starts, span.start) - 1
        return index >= 0 and span.end <= self._spans[index].end


def replace_spans(text: str, spans: Sequence[Span], by: str) -> str:
    """Return the text with every character of the spans replaced by `by`; offsets stay valid."""
    parts: list[str] = []
    offset = 0
    for span in merge_spans(spans):
        parts += (text[offset : span.start], by * (span.end - span.start))
        offset = span.end
    return "".join((*parts, text[offset:]))
