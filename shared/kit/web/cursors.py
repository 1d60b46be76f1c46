"""Opaque cursors: where the next page begins, in a form that nobody is tempted to build."""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Generic, TypeVar

import msgspec
from fastapi import Query
from pydantic import BaseModel, ConfigDict

from shared.kit.errors import Invalid

T = TypeVar("T")
LIMIT = 100
Limit = Annotated[int, Query(ge=1, le=LIMIT, description="how many rows at most")]


class BadCursor(Invalid):
    """The cursor was not made here."""

    key = "bad_cursor"


class Model(BaseModel):
    """Base of all API models: unknown fields are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(Model, Generic[T]):
    """A page, and where the next one begins (None: there is none)."""

    items: Sequence[T]
    next: str | None = None


def encode(*position: str | int) -> str:
    """Write a position as a cursor."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def decode(cursor: str, *types: type) -> list[str | int]:
    """Read a cursor; its parts must be of these types. Raises `BadCursor`."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found = msgspec.json.decode(base64.urlsafe_b64decode(padded))
    except (ValueError, binascii.Error, msgspec.DecodeError) as error:
        raise BadCursor from error
    if not isinstance(found, list) or [type(part) for part in found] != list(types):
        raise BadCursor
    return found
