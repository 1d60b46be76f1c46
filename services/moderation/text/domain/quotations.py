"""What the author quotes rather than says: quotes of all kinds, code, quoted lines.

A single quote opens before a word and closes after one; between two letters it is an apostrophe.
"""

import re2

from services.moderation.text.domain.spans import Span, merge_spans

_QUOTES = re2.compile(
    r"(?s)```.*?```|`[^`\n]+`|«[^«»\n]+»|[“„][^“”„\n]+[”“]|‹[^‹›\n]+›"  # noqa: RUF001
    r'|"[^"\n]+"'
    r"|\B'(?:\w'\w|[^'\s])(?:\w'\w|[^'\n])*'\B"
    r"|[‘‚](?:\pL’\pL|[^‘’\s])(?:\pL’\pL|[^‘’\n])*[’‘]"  # noqa: RUF001
    r"|(?m:^[ \t]*>[^\n]*$)"
)
# Inline quotes are short: a stray sign must not swallow a paragraph.
_LONGEST = 300
_INLINE = frozenset("«“\"„‹'‘‚")  # noqa: RUF001  the quotes themselves
_SIGNS = _INLINE | frozenset("`>")


def find_quotations(text: str) -> tuple[Span, ...]:
    """Quotes, code and quoted lines, signs included."""
    if _SIGNS.isdisjoint(text):
        return ()
    return merge_spans(
        Span(*found.span())
        for found in _QUOTES.finditer(text)
        if found.end() - found.start() <= _LONGEST or found.group()[0] not in _INLINE
    )
