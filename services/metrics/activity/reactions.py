"""Count what happens, by its own time and its own place."""

from collections.abc import Sequence

from services.metrics.activity.domain import KINDS, Happening, fold
from services.metrics.activity.ports import ActivityDeps
from services.metrics.dimensions.domain import Space
from shared.contracts.community import (
    CommentPublished,
    ContentFlagged,
    ContentKind,
    PostPublished,
    SpaceOpened,
)
from shared.contracts.ids import SpaceId, TenantId
from shared.contracts.moderation import DecisionMade
from shared.kit.core.unit_of_work import Delivery, Unit

Counted = PostPublished | CommentPublished | ContentFlagged | DecisionMade


async def count_activity(
    deps: ActivityDeps, unit: Unit, deliveries: Sequence[Delivery[Counted]]
) -> None:
    """Add a batch to the counters; what happened in an unknown space waits for it."""
    happenings = [_happening(delivery) for delivery in deliveries]
    known = await _spaces(deps, unit, happenings)
    early = [each for each in happenings if (each.tenant, each.space_id) not in known]
    if early:
        await deps.activity.turn(unit, [(each.tenant, each.space_id) for each in early])
        known |= await _spaces(deps, unit, early)
        early = [each for each in early if (each.tenant, each.space_id) not in known]
    if early:
        await deps.activity.hold_back(unit, early)
    ready = [each for each in happenings if (each.tenant, each.space_id) in known]
    await deps.activity.add(unit, *fold(ready, known))
    pairs = list(zip(deliveries, happenings, strict=True))
    await deps.activity.ask(
        unit,
        [(h, str(d.fact.ref.id)) for d, h in pairs if _is(d, ContentKind.QUESTION)],
    )
    await deps.activity.answer(
        unit,
        [(h, str(d.fact.ref.root_id)) for d, h in pairs if _is(d, ContentKind.ANSWER)],
    )


async def count_what_waited(
    deps: ActivityDeps, unit: Unit, deliveries: Sequence[Delivery[SpaceOpened]]
) -> None:
    """Count what happened in a space before it was known."""
    for delivery in deliveries:
        fact = delivery.fact
        await deps.activity.turn(unit, [(delivery.tenant, fact.space_id)])
        waited = await deps.activity.release(unit, delivery.tenant, fact.space_id)
        space = Space(fact.space_id, fact.structure_id, fact.path, fact.time_zone)
        known = {(delivery.tenant, fact.space_id): space}
        await deps.activity.add(unit, *fold(waited, known))


def _happening(delivery: Delivery[Counted]) -> Happening:
    fact = delivery.fact
    what, author = "decisions", None
    if isinstance(fact, ContentFlagged):
        what = "flags"
    elif isinstance(fact, PostPublished | CommentPublished):
        what = KINDS[fact.ref.kind]
        author = fact.author.member_id if fact.author else None
    return Happening(delivery.tenant, fact.space_id, what, delivery.time, author)


def _is(delivery: Delivery[Counted], kind: ContentKind) -> bool:
    return isinstance(delivery.fact, PostPublished) and delivery.fact.ref.kind is kind


async def _spaces(
    deps: ActivityDeps, unit: Unit, happenings: Sequence[Happening]
) -> dict[tuple[TenantId, SpaceId], Space]:
    known = {}
    for tenant in {each.tenant for each in happenings}:
        ids = {each.space_id for each in happenings if each.tenant == tenant}
        found = await deps.dimensions.spaces(unit, tenant, sorted(ids))
        known.update({(tenant, space_id): space for space_id, space in found.items()})
    return known
