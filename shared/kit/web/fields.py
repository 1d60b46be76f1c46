"""Types of API fields: UTC datetimes, texts with visible characters, names of one line."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

from shared.kit.text.characters import is_blank, is_plain_text, is_visible_line


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("in UTC, this moment lies outside of the years 1 to 9999") from error


def _validate_text(text: str) -> str:
    if is_blank(text):
        raise ValueError("nothing in this text can be seen")
    if not is_plain_text(text):
        raise ValueError("this text holds control characters other than line ends and tabs")
    return text


def _validate_name(text: str) -> str:
    if is_blank(text):
        raise ValueError("nothing in this name can be seen")
    if not is_visible_line(text):
        raise ValueError("this name holds line ends or characters that cannot be seen")
    return text


UtcDatetime = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""A datetime with a time zone, converted to UTC; outside of the years 1 to 9999 it is rejected."""
NonBlankStr = Annotated[str, AfterValidator(_validate_text)]
"""A text with a visible character, and no control characters but line ends and tabs."""
SingleLineName = Annotated[str, AfterValidator(_validate_name)]
"""A name of one line without invisible characters: names that look equal are equal."""
