"""What the author quotes rather than says: French and double quotes, code, quoted lines.

Single quotes are left out: in French they are apostrophes.
"""

import re2

from services.moderation.text.domain.spans import Span, merged

# Inline quotes are short and stay within a paragraph, so one stray sign does not swallow a text.
_QUOTES = re2.compile(
    r"(?s)```.*?```|`[^`\n]{1,300}`|«[^«»]{1,300}»|“[^“”]{1,300}”"
    r'|"[^"\n]{1,300}"'
    r"|(?m:^[ \t]*>[^\n]*$)"
)
_SIGNS = frozenset('`«“">')


def quoted_spans(text: str) -> tuple[Span, ...]:
    """Quotes, code and quoted lines, signs included."""
    if _SIGNS.isdisjoint(text):
        return ()
    return merged(Span(*found.span()) for found in _QUOTES.finditer(text))
