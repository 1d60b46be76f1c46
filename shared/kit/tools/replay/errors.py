"""Reasons why a replay stops; the message is for the operator who started it."""

from shared.kit.core.errors import PreauError


class ReplayError(PreauError):
    """The replay cannot be done; the message says why and what to do next."""

    key = "replay"

    def __init__(self, message: str) -> None:
        super().__init__(message=message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class NothingToRebuild(ReplayError):
    """The service has no read model, or there is no such service."""


class ReplayRefused(ReplayError):
    """The replay would destroy data, or swap in a wrong table."""


class CannotApply(ReplayError):
    """The shadow cannot be built: too many events fail, or a server does not answer."""


class OutboxNotSent(ReplayError):
    """Events of the service are in its outbox and are not sent in time."""
