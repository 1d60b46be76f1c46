"""Fields that take less than their type: a moment that can be kept, a text that can be read."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

from shared.kit.text import is_blank


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("in UTC, this moment lies outside of the years 1 to 9999") from error


def _seen(text: str) -> str:
    if is_blank(text):
        raise ValueError("nothing in this text can be seen")
    return text


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A moment with its zone, handed on in UTC: one that UTC cannot name is refused."""
Seen = Annotated[str, AfterValidator(_seen)]
"""A text of which something can be seen: spaces and zero-width characters are not enough."""
