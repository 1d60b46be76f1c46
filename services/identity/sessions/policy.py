"""Rate limits of guesses at secrets: waits grow, nothing is locked (figures: ADR 0058). Pure."""

from services.identity.sessions.domain import Device, Guess, GuessLimits
from shared.contracts.ids import MemberId, TenantId
from shared.kit.core.rate_limits import Charge, RateLimit
from shared.kit.text.characters import mail_address_key

GROWING_WAIT_LIMITS = (
    RateLimit("guess.half_minute", 5, 30),
    RateLimit("guess.two_minutes", 8, 120),
    RateLimit("guess.ten_minutes", 12, 600),
    RateLimit("guess.hour", 16, 3_600),
)
"""Wrong secrets of a person from an address, or of a device: waits of 30 seconds to an hour."""
PERSON_LIMITS = (
    RateLimit("guess.person.hour", 30, 3_600),
    RateLimit("guess.person.day", 100, 86_400),
)
"""Wrong secrets per person from all client addresses together."""
TOKEN_LIMIT = RateLimit("guess.tokens", 1_000, 600)
"""Invalid refresh tokens and invitations per client address."""


def charge_unknown_device(limits: GuessLimits, tenant: str, email: str, address: str) -> Guess:
    """Charge a sign-in from a device that this person has not used.

    `tenant` and `email` count as they were written, whether or not they exist.
    """
    slug = tenant.strip().casefold()
    person = f"{slug}\n{mail_address_key(email)}"
    return Guess(
        own=tuple(Charge(limit, f"{person}\n{address}") for limit in GROWING_WAIT_LIMITS),
        shared=(
            *(Charge(limit, person) for limit in PERSON_LIMITS),
            Charge(RateLimit("guess.address", limits.address, 600), address),
            Charge(RateLimit("guess.address.day", limits.address_day, 86_400), address),
            Charge(RateLimit("guess.tenant", limits.tenant, 600), slug),
            Charge(RateLimit("guess.platform", limits.platform, 600), ""),
        ),
    )


def charge_known_device(device: Device) -> Guess:
    """Charge a sign-in to the device alone, when the person has signed in with it before."""
    return Guess(
        own=tuple(Charge(limit, f"device\n{device.device_id}") for limit in GROWING_WAIT_LIMITS)
    )


def charge_member(tenant: TenantId, member_id: MemberId) -> Guess:
    """Charge a signed-in member's attempt to enter the password again, such as for changing it."""
    return Guess(
        own=tuple(Charge(limit, f"member\n{tenant}\n{member_id}") for limit in GROWING_WAIT_LIMITS)
    )


def charge_token(kind: str, address: str) -> Guess:
    """Charge a refresh token or an invitation (`kind`): too long to guess, but cheap to send."""
    return Guess(shared=(Charge(TOKEN_LIMIT, f"{kind}\n{address}"),))
