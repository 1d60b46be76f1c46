"""Builders for tests of metrics."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.metrics.dimensions.domain import Space
from services.metrics.reputation.domain import Flag
from shared.contracts.example_data import ACADEMY, COLLEGE, NOON, SPACE
from shared.contracts.ids import ContentId, MemberId


def a_space(time_zone: str = "Europe/Paris") -> Space:
    """Build the college's space in a time zone."""
    return Space(SPACE, COLLEGE, (ACADEMY,), time_zone)


def moment(text: str) -> datetime:
    """Parse a time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def a_flag(member: int, seconds: float = 0, content: int = 1) -> Flag:
    """Build a flag this many seconds after noon."""
    at = NOON + timedelta(seconds=seconds)
    return Flag(ContentId(UUID(int=content)), MemberId(UUID(int=member)), at)
