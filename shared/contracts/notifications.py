"""Facts that notifications publishes: none per delivered notification, only per read one."""

from typing import ClassVar, Self

from shared.contracts import example_data
from shared.contracts.event import Fact
from shared.contracts.ids import MemberId, NotificationId


class NotificationRead(Fact, frozen=True, kw_only=True):
    """A member read a notification in their inbox."""

    WIRE: ClassVar = "notifications.notification.read"
    TOPIC: ClassVar = "notifications.notification"
    KEY: ClassVar = "recipient_id"
    SUBJECT: ClassVar = "notification_id"

    notification_id: NotificationId
    recipient_id: MemberId
    category: str

    @classmethod
    def example(cls) -> Self:
        return cls(
            notification_id=example_data.NOTIFICATION,
            recipient_id=example_data.ZOE,
            category="answer_to_mine",
        )


PUBLISHES: tuple[type[Fact], ...] = (NotificationRead,)
