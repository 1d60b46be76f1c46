"""Where something stands in the original text."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """From `start` to before `end`, in characters of the original text."""

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

    def covers(self, span: Span) -> bool:
        """Whether all of `span` is covered."""
        at = bisect_right(self._spans, span.start, key=lambda known: known.start) - 1
        return at >= 0 and span.end <= self._spans[at].end


def replace_spans(text: str, spans: Sequence[Span], by: str) -> str:
    """The text with every character of the spans replaced by `by`: offsets still hold."""
    parts: list[str] = []
    at = 0
    for span in merge_spans(spans):
        parts += (text[at : span.start], by * (span.end - span.start))
        at = span.end
    return "".join((*parts, text[at:]))
