"""Port to the dimensions for other features."""

from collections.abc import Sequence
from typing import Protocol

from services.metrics.dimensions.domain import Space
from shared.contracts.ids import SpaceId, StructureId, TenantId
from shared.kit.core.unit_of_work import Unit


class Dimensions(Protocol):
    """Spaces and their enrolled members."""

    async def find_spaces(
        self, unit: Unit, tenant: TenantId, ids: Sequence[SpaceId]
    ) -> dict[SpaceId, Space]:
        """Return the known ones of these spaces."""

    async def list_spaces_below(
        self, unit: Unit, tenant: TenantId, structure: StructureId
    ) -> Sequence[Space]:
        """List the spaces of a structure and of all below it."""

    async def count_enrolled(
        self, unit: Unit, tenant: TenantId, ids: Sequence[SpaceId]
    ) -> tuple[int, int]:
        """Return how many members are enrolled in any of these spaces, and how many are minors."""
