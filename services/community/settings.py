"""Community's environment variables."""

from typing import ClassVar

from shared.kit.runtime.settings import Settings


class CommunitySettings(Settings):
    """Settings of every service; community adds none."""

    PREFIX: ClassVar[str] = "COMMUNITY_"
