"""Identity's environment variables."""

from typing import ClassVar

from pydantic import Field

from shared.kit.settings import Settings


class IdentitySettings(Settings):
    """What identity reads beside what every service reads."""

    PREFIX: ClassVar[str] = "IDENTITY_"

    signing_key: str = Field(
        description="the Ed25519 private key, as PEM, that signs access tokens", repr=False
    )
