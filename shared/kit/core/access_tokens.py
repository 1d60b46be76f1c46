"""Access tokens: the claims of a valid one, and the port that verifies them. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from shared.contracts.ids import MemberId, TenantId

ALGORITHMS = ("EdDSA",)
TOKEN_TYPE = "at+jwt"  # noqa: S105  the type of a token, not a token
LIFETIME_SECONDS = 600
"""A suspension takes effect earlier: it arrives as an event."""
CLOCK_LEEWAY_SECONDS = 5
"""The clocks of two machines may differ by this much."""
ENDED_SESSION_RETENTION = timedelta(seconds=LIFETIME_SECONDS + CLOCK_LEEWAY_SECONDS + 60)
"""How long an ended session is stored: until its last access token has expired everywhere."""


@dataclass(frozen=True, slots=True)
class Claims:
    """The member, tenant and session of a valid token. It contains no roles or permissions."""

    member_id: MemberId
    tenant: TenantId
    session: str


class TokenVerifier(Protocol):
    """Verifies access tokens."""

    async def verify(self, token: str) -> Claims:
        """Return the claims of a token.

        Raises `Unauthorised` for an invalid token, and `Transient` when the public keys are not
        available.
        """
