"""Routes of `/v1/kpis` (values) and `/v1/definitions` (their meaning)."""

from dataclasses import asdict
from datetime import date
from typing import Annotated

from fastapi import Query

from services.metrics.kpis.domain import DEFINITIONS, Grain
from services.metrics.kpis.handlers.measure import Measure, measure
from services.metrics.kpis.ports import KpisDeps
from shared.contracts.ids import SpaceId, StructureId
from shared.kit.core.errors import Invalid
from shared.kit.web.context import ActorDep, CallerDep
from shared.kit.web.cursors import ApiModel
from shared.kit.web.routes import Routes


class KpiRow(ApiModel):
    """Value of a KPI. `status` is provisional, final or suppressed; `version` the definition's."""

    kpi: str
    grain: Grain
    period: str
    value: float | int | None
    numerator: float | int | None
    denominator: float | int | None
    n: int | None
    status: str
    version: int


class KpiRows(ApiModel):
    """Values by period, then by KPI."""

    items: list[KpiRow]


class DefinitionShown(ApiModel):
    """Definition of a KPI."""

    id: str
    version: int
    unit: str
    meaning: str
    people: bool


class DefinitionList(ApiModel):
    """All definitions."""

    items: list[DefinitionShown]


def routes(deps: KpisDeps) -> Routes:
    """Build the routes of this feature."""
    routes = Routes("kpis")

    @routes.get("/kpis", action="kpi.read", cost="heavy")
    async def read(  # noqa: PLR0913, PLR0917  the query's own parameters
        caller: CallerDep,
        actor: ActorDep,
        begin: Annotated[date, Query(alias="from", description="the first day")],
        end: Annotated[date, Query(alias="to", description="the day after the last")],
        grain: Grain = Grain.MONTH,
        space_id: SpaceId | None = None,
        structure_id: StructureId | None = None,
    ) -> KpiRows:
        if (space_id is None) == (structure_id is None):
            raise Invalid(field="space_id", reason="give either a space or a structure")
        command = Measure(begin, end, grain, space_id, structure_id)
        results = await measure(deps, caller, actor, command)
        return KpiRows(items=[KpiRow.model_validate(row, from_attributes=True) for row in results])

    @routes.get("/definitions", action="kpi.define")
    async def definitions() -> DefinitionList:
        return DefinitionList(
            items=[DefinitionShown(**asdict(definition)) for definition in DEFINITIONS.values()]
        )

    return routes
