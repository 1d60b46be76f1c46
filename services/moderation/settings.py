"""Moderation's environment variables."""

from typing import ClassVar

from pydantic import Field

from shared.kit.settings import Settings


class ModerationSettings(Settings):
    """What moderation reads beside what every service reads."""

    PREFIX: ClassVar[str] = "MODERATION_"

    seal_key: str = Field(
        description="the Fernet key (44 characters) that seals the texts of cases", repr=False
    )
