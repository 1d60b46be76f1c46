"""The port of the rate limiter, and its values. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `max_charges` charges for one key within any `window_seconds`.

    `name` is part of the key under which charges are counted: two limits have two names.
    """

    name: str
    max_charges: int
    window_seconds: float


@dataclass(frozen=True, slots=True)
class Charge:
    """One charge for a key, such as a client address, under a limit."""

    limit: RateLimit
    key: str


@dataclass(frozen=True, slots=True)
class RateLimitDecision:
    """Whether the charges were counted; if not, the limit that is full and the seconds to wait."""

    full_limit: RateLimit | None = None
    wait_seconds: float = 0.0

    @property
    def allowed(self) -> bool:
        """True when every charge was counted."""
        return self.full_limit is None

    @property
    def retry_after(self) -> int:
        """Whole seconds until the limit accepts a charge again, at least one."""
        return max(1, math.ceil(self.wait_seconds))


ALLOWED = RateLimitDecision()


class RateLimiter(Protocol):
    """Counts charges in sliding windows, atomically.

    Of N concurrent calls of `take` with a limit of M, exactly M are allowed. A rejected call counts
    nothing, so a client that waits `retry_after` is accepted if no other charge is counted.
    """

    async def take(self, ticket: str, charges: Sequence[Charge]) -> RateLimitDecision:
        """Count each charge once, or nothing when one of the limits is full.

        `ticket` identifies this call for `refund`; two calls use two tickets.
        """

    async def refund(self, ticket: str, charges: Sequence[Charge]) -> None:
        """Undo the charges that `take` counted for this ticket; no effect for an unknown ticket."""

    async def reset(self, charges: Sequence[Charge]) -> None:
        """Set the counts of these keys to zero, including those of other tickets."""
