"""What a tenant is, and which names it may have."""

import re
import unicodedata
from dataclasses import dataclass
from zoneinfo import available_timezones

from shared.contracts.ids import TenantId
from shared.kit.errors import Conflict, Invalid, NotFound

LONGEST_NAME = 200


class TenantNotFound(NotFound):
    """No tenant has this slug."""

    key = "tenant_not_found"


class SlugTaken(Conflict):
    """Another tenant has this slug."""

    key = "slug_taken"


class UnknownTimeZone(Invalid):
    """The time zone is not one of the IANA database."""

    key = "unknown_time_zone"


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


def check_time_zone(name: str) -> str:
    """Give the zone back. Raises `UnknownTimeZone`."""
    if name not in available_timezones():
        raise UnknownTimeZone(time_zone=name)
    return name
