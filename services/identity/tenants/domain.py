"""What a tenant is, and which names it may have."""

import re
import unicodedata
from dataclasses import dataclass

from shared.contracts.ids import TenantId
from shared.kit.errors import Conflict

LONGEST_NAME = 200


class SlugTaken(Conflict):
    """Another tenant has this slug."""

    key = "slug_taken"


@dataclass(frozen=True, slots=True)
class Tenant:
    """One contracting academy, university or enterprise."""

    tenant_id: TenantId
    name: str
    slug: str
    time_zone: str
    locale: str


def slug_of(name: str) -> str:
    """Make a slug of a name: `Académie de Rennes` gives `academie-de-rennes`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60]
