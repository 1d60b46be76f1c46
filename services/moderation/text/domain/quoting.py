"""What the author quotes rather than says: French and double quotes, code, quoted lines.

Single quotes are left out: in French they are apostrophes.
"""

import re2

from services.moderation.text.domain.spans import Span, merged

_QUOTES = re2.compile(
    r"(?s)```.*?```|`[^`\n]+`|«[^«»\n]+»|“[^“”\n]+”"
    r'|"[^"\n]+"'
    r"|(?m:^[ \t]*>[^\n]*$)"
)
# Inline quotes are short: a stray sign must not swallow a paragraph.
_LONGEST = 300
_INLINE = frozenset('«“"')
_SIGNS = frozenset('`«“">')


def quoted_spans(text: str) -> tuple[Span, ...]:
    """Quotes, code and quoted lines, signs included."""
    if _SIGNS.isdisjoint(text):
        return ()
    return merged(
        Span(*found.span())
        for found in _QUOTES.finditer(text)
        if found.end() - found.start() <= _LONGEST or found.group()[0] not in _INLINE
    )
