"""List the spaces that someone may see."""

from services.community.spaces.domain import Space
from services.community.spaces.policy import may_see
from services.community.spaces.ports import SpacesDeps
from shared.kit.policy import Actor, Allowed
from shared.kit.unit import Caller


async def list_spaces(
    deps: SpacesDeps, caller: Caller, actor: Actor, name: str | None = None
) -> list[Space]:
    """List them by name, or find the one of this name."""
    async with deps.unit(caller) as unit:
        return [
            space
            for space in await deps.spaces.list_all(unit, caller.tenant, name)
            if isinstance(
                may_see(actor, space, await deps.spaces.standing(unit, space, actor.member_id)),
                Allowed,
            )
        ]
