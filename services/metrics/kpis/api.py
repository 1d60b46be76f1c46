"""`/v1/kpis`: the figures, and `/v1/definitions`: what they mean."""

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
    """A figure. `status` is provisional, final or suppressed; `version` is the definition's."""

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
    """By period, then by KPI."""

    items: list[KpiRow]


class DefinitionShown(ApiModel):
    """What a KPI means."""

    id: str
    version: int
    unit: str
    meaning: str
    people: bool


class DefinitionList(ApiModel):
    """All of them."""

    items: list[DefinitionShown]


def routes(deps: KpisDeps) -> Routes:
    """Build the routes of this feature."""
    found = Routes("kpis")

    @found.get("/kpis", action="kpi.read", load="heavy")
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
            raise Invalid(field="space_id", reason="give a space or a structure, one of them")
        command = Measure(begin, end, grain, space_id, structure_id)
        figures = await measure(deps, caller, actor, command)
        return KpiRows(items=[KpiRow.model_validate(row, from_attributes=True) for row in figures])

    @found.get("/definitions", action="kpi.define")
    async def definitions() -> DefinitionList:
        return DefinitionList(items=[DefinitionShown(**asdict(d)) for d in DEFINITIONS.values()])

    return found
