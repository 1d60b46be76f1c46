"""Fields that take less than their type: a moment that can be kept, a text that can be read."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

from shared.kit.text.characters import is_blank, is_plain_text, is_visible_line


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("in UTC, this moment lies outside of the years 1 to 9999") from error


def _seen(text: str) -> str:
    if is_blank(text):
        raise ValueError("nothing in this text can be seen")
    if not is_plain_text(text):
        raise ValueError("this text holds control characters other than line ends and tabs")
    return text


def _name(text: str) -> str:
    if is_blank(text):
        raise ValueError("nothing in this name can be seen")
    if not is_visible_line(text):
        raise ValueError("this name holds line ends or characters that cannot be seen")
    return text


UtcDatetime = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A moment with its zone, handed on in UTC: one that UTC cannot name is refused."""
NonBlankStr = Annotated[str, AfterValidator(_seen)]
"""A text of which something can be seen, of several lines perhaps, without control characters."""
SingleLineName = Annotated[str, AfterValidator(_name)]
"""A name of one line: two names that look alike differ in no character that cannot be seen."""
