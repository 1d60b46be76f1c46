"""Community's environment variables."""

from typing import ClassVar

from shared.kit.runtime.settings import Settings


class CommunitySettings(Settings):
    """Nothing beside what every service reads."""

    PREFIX: ClassVar[str] = "COMMUNITY_"
