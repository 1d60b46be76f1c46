"""Notifications' environment variables."""

from typing import ClassVar

from shared.kit.runtime.settings import Settings


class NotificationsSettings(Settings):
    """Nothing beside what every service reads."""

    PREFIX: ClassVar[str] = "NOTIFICATIONS_"
