"""Measure the KPIs of a space, or of a structure and those below it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from services.metrics.dimensions.domain import Space, SpaceNotKnown
from services.metrics.kpis.domain import (
    Grain,
    KpiResult,
    compute_kpis,
    must_mask,
    split_into_periods,
)
from services.metrics.kpis.policy import may_measure, may_see_unmasked
from services.metrics.kpis.ports import KpisDeps
from shared.contracts.ids import SpaceId, StructureId
from shared.kit.core.policy import Actor, require_allowed
from shared.kit.core.unit_of_work import Caller, Unit


@dataclass(frozen=True)
class Measure:
    """Command: measure from a day to before another; give either a space or a structure."""

    begin: date
    end: date
    grain: Grain
    space_id: SpaceId | None = None
    structure_id: StructureId | None = None


async def measure(
    deps: KpisDeps, caller: Caller, actor: Actor, command: Measure
) -> list[KpiResult]:
    """Compute every KPI. Raises `SpaceNotKnown`, `BadPeriod` or `Forbidden`."""
    periods = split_into_periods(command.begin, command.end, command.grain)
    async with deps.unit(caller) as unit:
        spaces = await _find_spaces(deps, unit, caller, command)
        for space in spaces:
            require_allowed(may_measure(actor, space))
        ids = [space.space_id for space in spaces]
        enrolled, minors = await deps.dimensions.count_enrolled(unit, caller.tenant, ids)
        is_exempt = all(may_see_unmasked(actor, space) for space in spaces)
        must_be_masked = must_mask(enrolled, minors)
        if must_be_masked and is_exempt:
            _audit_unmasked(unit, caller, command)
        activity = await deps.activity_records.read(
            unit, caller.tenant, spaces, command.begin, command.end
        )
    # In a thread: ten thousand members over thirty years take a second of CPU time.
    return await asyncio.to_thread(
        compute_kpis,
        activity,
        periods,
        command.grain,
        time_zone=spaces[0].time_zone,
        now=deps.clock(),
        masked=must_be_masked and not is_exempt,
    )


def _audit_unmasked(unit: Unit, caller: Caller, command: Measure) -> None:
    """Write an audit row for reading unmasked values about few people."""
    subject = command.space_id or command.structure_id or caller.tenant
    days = {"begin": command.begin.isoformat(), "end": command.end.isoformat()}
    unit.audit(caller, "figures.read_unmasked", subject, **days)


async def _find_spaces(
    deps: KpisDeps, unit: Unit, caller: Caller, command: Measure
) -> Sequence[Space]:
    spaces: Sequence[Space] = ()
    if command.space_id is not None:
        spaces_by_id = await deps.dimensions.find_spaces(unit, caller.tenant, [command.space_id])
        spaces = list(spaces_by_id.values())
    elif command.structure_id is not None:
        spaces = await deps.dimensions.list_spaces_below(unit, caller.tenant, command.structure_id)
    if not spaces:
        raise SpaceNotKnown(space_id=command.space_id, structure_id=command.structure_id)
    return spaces
