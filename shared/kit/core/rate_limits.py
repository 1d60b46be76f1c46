"""What a limiter promises, and the values that it takes and gives. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `most` charges for one key within any `seconds` in a row.

    `name` is part of the key under which it is counted: two limits have two names.
    """

    name: str
    max_charges: int
    window_seconds: float


@dataclass(frozen=True, slots=True)
class Charge:
    """One more for this key, such as an address, under this limit."""

    limit: RateLimit
    key: str


@dataclass(frozen=True, slots=True)
class RateLimitDecision:
    """Whether the charges were counted; if not, which limit is full and for how many seconds."""

    full_limit: RateLimit | None = None
    wait_seconds: float = 0.0

    @property
    def allowed(self) -> bool:
        """True when every charge was counted."""
        return self.full_limit is None

    @property
    def retry_after(self) -> int:
        """Whole seconds after which the limit has room again, at least one."""
        return max(1, math.ceil(self.wait_seconds))


ALLOWED = RateLimitDecision()


class RateLimiter(Protocol):
    """Counts charges in sliding windows, atomically.

    Of N calls of `take` at once over a limit of M, exactly M are allowed. A refused call counts
    nothing, so that waiting as long as it says is enough if nothing else is charged meanwhile.
    """

    async def take(self, ticket: str, charges: Sequence[Charge]) -> RateLimitDecision:
        """Count one for each charge, or nothing when one of the limits is full.

        `ticket` names this call for `give_back`; two calls have two tickets.
        """

    async def refund(self, ticket: str, charges: Sequence[Charge]) -> None:
        """Undo what `take` counted under this ticket; without effect for an unknown one."""

    async def reset(self, charges: Sequence[Charge]) -> None:
        """Set the counts of these keys to zero, whoever was counted there."""
