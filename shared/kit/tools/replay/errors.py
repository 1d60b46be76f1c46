"""Why a replay stops; the message is for the operator who began it."""

from shared.kit.core.errors import PreauError


class ReplayError(PreauError):
    """It cannot be done; says why, and what to do next."""

    key = "replay"

    def __init__(self, message: str) -> None:
        super().__init__(message=message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class NothingToRebuild(ReplayError):
    """The service keeps no read model, or there is no such service."""


class ReplayRefused(ReplayError):
    """It would destroy something, or put a wrong table in the place of a right one."""


class CannotApply(ReplayError):
    """The shadow cannot be built: too much fails at once, or the servers do not answer."""


class OutboxNotSent(ReplayError):
    """Facts of the service's own wait in its outbox, and nobody sends them."""
