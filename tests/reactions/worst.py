"""The largest, worst event of each fact: hostile text in every text, long lists in every list."""

import typing
from collections.abc import Iterator
from types import UnionType
from typing import Any

from msgspec import Struct, structs
from uuid_utils.compat import uuid7

from shared.contracts.community import (
    CommentEdited,
    CommentPublished,
    ContentText,
    PostEdited,
    PostPublished,
)
from shared.contracts.event import Fact
from shared.contracts.ids import ContentId
from tests.linear.patterns import PATTERNS

MAX_BODY_CHARACTERS = 60_000
MAX_TEXT_CHARACTERS = 300
MAX_ITEMS = 1000
EACH_PATTERN = 10
EACH_PATTERN_ELSEWHERE = 50
"""As a post every tenth pattern is tried, as other kinds fewer; tests/linear tries all of them."""
WRITTEN = (PostPublished, PostEdited, CommentPublished, CommentEdited)
WORDS = {"format", "language", "time_zone", "locale", "category", "what", "currency"}
"""Texts of a closed list of values."""


def worst_of(kind: type[Fact]) -> list[Fact]:
    """Give the worst events of a fact; each is at least as large as its example."""
    example = kind.example()
    if isinstance(example, WRITTEN):
        return list(_written(example))
    return [_enlarged(example, "! ")]


def _written(
    example: PostPublished | PostEdited | CommentPublished | CommentEdited,
) -> Iterator[Fact]:
    for number, pattern in enumerate(PATTERNS.values()):
        if number % (EACH_PATTERN if type(example) is PostPublished else EACH_PATTERN_ELSEWHERE):
            continue
        body = (pattern * MAX_BODY_CHARACTERS)[:MAX_BODY_CHARACTERS]
        for form in ("markdown", "html"):
            clear = ContentText(body=body, title="! " * 150, format=form, language="fr")
            ref = structs.replace(example.ref, id=ContentId(uuid7()))
            content = structs.replace(example.content, clear=clear)
            yield structs.replace(example, ref=ref, content=content)


def _enlarged(value: Any, pattern: str, name: str = "") -> Any:
    """Give a value of the same shape, as large as its fields may be."""
    if isinstance(value, Struct):
        hints = typing.get_type_hints(type(value))
        changed = {
            field: _enlarged(getattr(value, field), pattern, field)
            for field in value.__struct_fields__
            if _is_large(hints[field])
        }
        return structs.replace(value, **changed)
    if type(value) is str and name not in WORDS:
        length = MAX_BODY_CHARACTERS if name == "body" else MAX_TEXT_CHARACTERS
        return (pattern * length)[:length]
    if isinstance(value, tuple) and value:
        return tuple(_enlarged(value[n % len(value)], pattern) for n in range(MAX_ITEMS))
    return value


def _is_large(hint: Any) -> bool:
    """Tell whether a field of this type may be text, a list, or hold them."""
    parts = typing.get_args(hint)
    if typing.get_origin(hint) in {typing.Union, UnionType, typing.Annotated}:
        return any(_is_large(part) for part in parts)
    if isinstance(hint, typing.TypeVar):
        return True
    origin = typing.get_origin(hint) or hint
    return origin in {str, tuple} or (isinstance(origin, type) and issubclass(origin, Struct))
