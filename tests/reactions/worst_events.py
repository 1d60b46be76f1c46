"""The largest possible event of each type: hostile texts and long lists in every field."""

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
POST_PATTERN_STEP = 10
OTHER_PATTERN_STEP = 50
"""As a post every tenth pattern is tried, as other kinds fewer; tests/linear tries all of them."""
CONTENT_FACTS = (PostPublished, PostEdited, CommentPublished, CommentEdited)
CLOSED_LIST_FIELDS = {"format", "language", "time_zone", "locale", "category", "what", "currency"}
"""Texts of a closed list of values."""


def worst_events(kind: type[Fact]) -> list[Fact]:
    """Return the largest events of a type; each is at least as large as its example."""
    example = kind.example()
    if isinstance(example, CONTENT_FACTS):
        return list(_written(example))
    return [_enlarge(example, "! ")]


def _written(
    example: PostPublished | PostEdited | CommentPublished | CommentEdited,
) -> Iterator[Fact]:
    for number, pattern in enumerate(PATTERNS.values()):
        if number % (POST_PATTERN_STEP if type(example) is PostPublished else OTHER_PATTERN_STEP):
            continue
        body = (pattern * MAX_BODY_CHARACTERS)[:MAX_BODY_CHARACTERS]
        for form in ("markdown", "html"):
            clear = ContentText(body=body, title="! " * 150, format=form, language="fr")
            ref = structs.replace(example.ref, id=ContentId(uuid7()))
            content = structs.replace(example.content, clear=clear)
            yield structs.replace(example, ref=ref, content=content)


def _enlarge(value: Any, pattern: str, name: str = "") -> Any:
    """Return a value of the same shape, with every field at its maximum size."""
    if isinstance(value, Struct):
        hints = typing.get_type_hints(type(value))
        changed = {
            field: _enlarge(getattr(value, field), pattern, field)
            for field in value.__struct_fields__
            if _is_large(hints[field])
        }
        return structs.replace(value, **changed)
    if type(value) is str and name not in CLOSED_LIST_FIELDS:
        length = MAX_BODY_CHARACTERS if name == "body" else MAX_TEXT_CHARACTERS
        return (pattern * length)[:length]
    if isinstance(value, tuple) and value:
        return tuple(_enlarge(value[n % len(value)], pattern) for n in range(MAX_ITEMS))
    return value


def _is_large(hint: Any) -> bool:
    """Return whether a field of this type is or contains a text or a list."""
    parts = typing.get_args(hint)
    if typing.get_origin(hint) in {typing.Union, UnionType, typing.Annotated}:
        return any(_is_large(part) for part in parts)
    if isinstance(hint, typing.TypeVar):
        return True
    origin = typing.get_origin(hint) or hint
    return origin in {str, tuple} or (isinstance(origin, type) and issubclass(origin, Struct))
