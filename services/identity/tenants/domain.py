"""Tenants, their names and slugs."""

from dataclasses import dataclass

from services.identity.members.domain import to_ascii_words
from shared.contracts.ids import TenantId
from shared.kit.core.errors import Conflict

MAX_NAME_CHARACTERS = 200


class SlugTaken(Conflict):
    """Another tenant has this slug."""

    key = "slug_taken"


class PasswordAlreadySet(Conflict):
    """The administrator has set a password; another administrator can send a new invitation."""

    key = "has_password"


@dataclass(frozen=True, slots=True)
class Tenant:
    """A contracting academy, university or enterprise."""

    tenant_id: TenantId
    name: str
    slug: str
    time_zone: str
    locale: str


def make_slug(name: str, tenant_id: TenantId) -> str:
    """Build a slug from a name: `Académie de Rennes` gives `academie-de-rennes`.

    A name without Latin letters or digits, such as `京都大学`, gets the end of the tenant's id.
    """
    return to_ascii_words(name, "-")[:60].strip("-") or f"tenant-{tenant_id.hex[-8:]}"
