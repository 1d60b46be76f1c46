"""Access tokens as every service sees them: what a valid one says, and who verifies it. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from shared.contracts.ids import MemberId, TenantId

ALGORITHMS = ("EdDSA",)
TOKEN_TYPE = "at+jwt"  # noqa: S105  a type, no secret
LIFETIME_SECONDS = 600
"""Seconds. A suspension does not wait for it: it arrives as an event."""
CLOCK_LEEWAY_SECONDS = 5
"""Seconds that two machines' clocks may differ."""
ENDED_SESSION_RETENTION = timedelta(seconds=LIFETIME_SECONDS + CLOCK_LEEWAY_SECONDS + 60)
"""How long a session's end is remembered: until its last access token has expired everywhere."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says: who, in which tenant, in which session. Nothing of rights."""

    member_id: MemberId
    tenant: TenantId
    session: str


class TokenVerifier(Protocol):
    """Checks access tokens."""

    async def verify(self, token: str) -> Claims:
        """Return what the token says. Raises `Unauthorised`, or `Transient` without keys."""
