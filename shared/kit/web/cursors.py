"""Opaque cursors: where the next page begins, in a form that nobody is tempted to build."""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import msgspec
from fastapi import Query
from pydantic import BaseModel, ConfigDict

from shared.kit.core.errors import Invalid

T = TypeVar("T")
MAX_PAGE_ITEMS = 100
_BIGGEST = 2**63
_SMALL = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]
PageLimit = Annotated[int, Query(ge=1, le=MAX_PAGE_ITEMS, description="how many rows at most")]


class BadCursor(Invalid):
    """The cursor was not made here."""

    key = "bad_cursor"


class ApiModel(BaseModel):
    """Base of all API models: unknown fields are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(ApiModel, Generic[T]):
    """A page, and where the next one begins (None: there is none)."""

    items: Sequence[T]
    next: str | None = None


def encode(*position: str | int | UUID | datetime) -> str:
    """Write a position as a cursor."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


class BigInt(int):
    """The type of a part of a cursor that is kept in 64 bits; an `int` is kept in 32."""


_TYPES: dict[type, Any] = {int: _SMALL, BigInt: int}


def decode(cursor: str, *types: type) -> list[Any]:
    """Read a cursor; its parts must be of these types: str, int, `BigInt`, UUID, datetime.

    Raises `BadCursor`, also for values that no table holds: a cursor is a stranger's text.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        read = base64.b64decode(padded, altchars=b"-_", validate=True)
        found = msgspec.json.decode(read, type=_tuple_of(types))
    except (ValueError, binascii.Error, msgspec.DecodeError) as error:
        raise BadCursor from error
    if any(not _storable(part) for part in found):
        raise BadCursor
    return list(found)


def _tuple_of(types: Sequence[type]) -> Any:
    return tuple.__class_getitem__(tuple(_TYPES.get(each, each) for each in types))


def _storable(part: object) -> bool:
    if isinstance(part, datetime):
        return part.tzinfo is not None and _has_utc(part)
    if isinstance(part, int):
        return -_BIGGEST <= part < _BIGGEST
    return "\x00" not in str(part)


def _has_utc(moment: datetime) -> bool:
    try:
        moment.astimezone(UTC)
    except OverflowError:
        return False
    return True
