"""Request limits per member and per tenant, by the cost of a route. Pure."""

import math
from dataclasses import astuple, dataclass
from typing import Literal

from shared.kit.core.rate_limits import RateLimit

RouteCost = Literal["read", "write", "heavy", "import"]
"""The cost of a route; by default a GET is a read and any other method is a write."""
WINDOW_SECONDS = 10.0


@dataclass(frozen=True)
class RouteLimits:
    """Requests allowed in ten seconds; `shared.kit.runtime.settings` explains each."""

    reads: int = 600
    writes: int = 30
    heavy: int = 20
    imports: int = 40
    tenant_reads: int = 10_000
    tenant_writes: int = 2_000
    tenant_heavy: int = 200
    tenant_imports: int = 40

    def scaled_by(self, factor: float) -> "RouteLimits":
        """Return these limits multiplied by `factor`, rounded up."""
        return RouteLimits(*(math.ceil(number * factor) for number in astuple(self)))

    def limits_for(self, cost: RouteCost) -> tuple[RateLimit, RateLimit]:
        """Return the limits of a member and of a tenant for routes of this cost."""
        member, tenant = {
            "read": (self.reads, self.tenant_reads),
            "write": (self.writes, self.tenant_writes),
            "heavy": (self.heavy, self.tenant_heavy),
            "import": (self.imports, self.tenant_imports),
        }[cost]
        return (
            RateLimit(f"{cost}.member", member, WINDOW_SECONDS),
            RateLimit(f"{cost}.tenant", tenant, WINDOW_SECONDS),
        )
