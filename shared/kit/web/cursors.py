"""Keyset pagination: opaque cursors, pages, and the base of all API models."""

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
_INT64_LIMIT = 2**63
_Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]
PageLimit = Annotated[int, Query(ge=1, le=MAX_PAGE_ITEMS, description="how many rows at most")]


class BadCursor(Invalid):
    """The cursor was not issued by this service."""

    key = "bad_cursor"


class ApiModel(BaseModel):
    """Base of all API models: immutable, and unknown fields are rejected."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(ApiModel, Generic[T]):
    """A page, and the cursor of the next one (None: this is the last page)."""

    items: Sequence[T]
    next: str | None = None


def encode(*position: str | int | UUID | datetime) -> str:
    """Encode a position in the sort order as a cursor."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


class BigInt(int):
    """Type of a cursor's part that its table stores in 64 bits; an `int` is stored in 32."""


_TYPES: dict[type, Any] = {int: _Int32, BigInt: int}


def decode(cursor: str, *types: type) -> list[Any]:
    """Decode a cursor whose parts have these types: str, int, `BigInt`, UUID, datetime.

    Raises `BadCursor`, also for values that no column can store, since clients can change it.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        content = base64.b64decode(padded, altchars=b"-_", validate=True)
        parts = msgspec.json.decode(content, type=_tuple_of(types))
    except (ValueError, binascii.Error, msgspec.DecodeError) as error:
        raise BadCursor from error
    if any(not _is_storable(part) for part in parts):
        raise BadCursor
    return list(parts)


def _tuple_of(types: Sequence[type]) -> Any:
    return tuple.__class_getitem__(tuple(_TYPES.get(kind, kind) for kind in types))


def _is_storable(part: object) -> bool:
    if isinstance(part, datetime):
        return part.tzinfo is not None and _is_in_utc_range(part)
    if isinstance(part, int):
        return -_INT64_LIMIT <= part < _INT64_LIMIT
    return "\x00" not in str(part)


def _is_in_utc_range(moment: datetime) -> bool:
    try:
        moment.astimezone(UTC)
    except OverflowError:
        return False
    return True
