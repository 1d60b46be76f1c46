"""The system's clock."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the present time in UTC, timezone-aware."""
    return datetime.now(UTC)
