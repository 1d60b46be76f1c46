"""How often a member and a tenant may ask, by how much a route costs. Pure."""

import math
from dataclasses import astuple, dataclass
from typing import Literal

from shared.kit.core.rate_limits import RateLimit

RouteCost = Literal["read", "write", "heavy", "import"]
"""How much a route costs: a GET is a read and the others are writes unless they say otherwise."""
WINDOW_SECONDS = 10.0


@dataclass(frozen=True)
class RouteLimits:
    """Requests that are let through in ten seconds; `shared.kit.runtime.settings` explains each."""

    reads: int = 600
    writes: int = 30
    heavy: int = 20
    imports: int = 40
    tenant_reads: int = 10_000
    tenant_writes: int = 2_000
    tenant_heavy: int = 200
    tenant_imports: int = 40

    def scaled_by(self, factor: float) -> "RouteLimits":
        """Return limits that are so many times these."""
        return RouteLimits(*(math.ceil(number * factor) for number in astuple(self)))

    def limits_for(self, load: RouteCost) -> tuple[RateLimit, RateLimit]:
        """Return the limits of one member and of one tenant for routes of this load."""
        member, tenant = {
            "read": (self.reads, self.tenant_reads),
            "write": (self.writes, self.tenant_writes),
            "heavy": (self.heavy, self.tenant_heavy),
            "import": (self.imports, self.tenant_imports),
        }[load]
        return (
            RateLimit(f"{load}.member", member, WINDOW_SECONDS),
            RateLimit(f"{load}.tenant", tenant, WINDOW_SECONDS),
        )
