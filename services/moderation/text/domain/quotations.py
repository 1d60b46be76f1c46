"""Quotations: quotes of all kinds, code, and quoted lines, which the author does not say.

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
# Inline quotes are short: a stray quote sign must not quote a paragraph.
_MAX_INLINE_CHARACTERS = 300
_INLINE = frozenset("«“\"„‹'‘‚")  # noqa: RUF001  the quotes themselves
_SIGNS = _INLINE | frozenset("`>")


def find_quotations(text: str) -> tuple[Span, ...]:
    """Return the spans of quotes, code and quoted lines, delimiters included."""
    if _SIGNS.isdisjoint(text):
        return ()
    return merge_spans(
        Span(*match.span())
        for match in _QUOTES.finditer(text)
        if match.end() - match.start() <= _MAX_INLINE_CHARACTERS or match.group()[0] not in _INLINE
    )
