"""Identity's environment variables."""

from typing import ClassVar

from pydantic import Field

from services.identity.sessions.domain import GuessLimits
from shared.kit.runtime.settings import Settings


class IdentitySettings(Settings):
    """Identity's settings beyond those of every service."""

    PREFIX: ClassVar[str] = "IDENTITY_"

    signing_key: str = Field(
        description="the Ed25519 private key, as PEM, that signs access tokens", repr=False
    )
    guesses_of_address: int = Field(
        default=GuessLimits.address,
        ge=1,
        description="wrong passwords from one address in ten minutes before that address must wait",
    )
    guesses_of_address_day: int = Field(
        default=GuessLimits.address_day,
        ge=1,
        description="wrong passwords from one address in a day before that address must wait",
    )
    guesses_of_tenant: int = Field(
        default=GuessLimits.tenant,
        ge=1,
        description="wrong passwords in one tenant in ten minutes before unknown devices must wait",
    )
    guesses_of_platform: int = Field(
        default=GuessLimits.platform,
        ge=1,
        description="wrong passwords anywhere in ten minutes before unknown devices must wait",
    )

    def guess_limits(self) -> GuessLimits:
        """Return the limits of wrong passwords."""
        return GuessLimits(
            self.guesses_of_address,
            self.guesses_of_address_day,
            self.guesses_of_tenant,
            self.guesses_of_platform,
        )
