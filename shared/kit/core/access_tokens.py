"""Access tokens as every service sees them: what a valid one says, and who verifies it. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from shared.contracts.ids import MemberId, TenantId

ALGORITHMS = ("EdDSA",)
TYPE = "at+jwt"
LIFETIME = 600
"""Seconds. A suspension does not wait for it: it arrives as an event."""
LEEWAY = 5
"""Seconds that two machines' clocks may differ."""
TOKEN_OUTLIVED_AFTER = timedelta(seconds=LIFETIME + LEEWAY + 60)
"""How long a session's end is remembered: until its last access token has expired everywhere."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says: who, in which tenant, in which session. Nothing of rights."""

    member_id: MemberId
    tenant: TenantId
    session: str


class Verifier(Protocol):
    """Checks access tokens."""

    async def verify(self, token: str) -> Claims:
        """Give what the token says. Raises `Unauthorised`, or `Transient` without keys."""
