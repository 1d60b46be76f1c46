"""Moderation's environment variables."""

from typing import ClassVar

from pydantic import Field

from shared.kit.runtime.settings import Settings


class ModerationSettings(Settings):
    """Settings of moderation, in addition to those of every service."""

    PREFIX: ClassVar[str] = "MODERATION_"

    seal_key: str = Field(
        description="the Fernet key (44 characters) that seals the texts of cases", repr=False
    )
    screening_workers: int | None = Field(
        default=None,
        ge=0,
        description="processes that screen texts: all cores but one if not set, and never more;"
        " 0 screens in the service's own process, without a deadline (for tests)",
    )
    screening_deadline_ms: int = Field(
        default=1000,
        ge=10,
        description="milliseconds of processor time that screening one text may take; a text that"
        " is late is looked at by a person",
    )
