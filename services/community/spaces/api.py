"""`/v1/spaces`."""

from fastapi import Response
from pydantic import Field

from services.community.spaces.domain import Space
from services.community.spaces.handlers.join_space import join_space, leave_space
from services.community.spaces.handlers.list_spaces import find_space, list_spaces
from services.community.spaces.handlers.open_space import OpenSpace, open_space
from services.community.spaces.ports import SpacesDeps
from shared.contracts.community import Joining, Visibility
from shared.contracts.ids import SpaceId, StructureId
from shared.kit.core.errors import Invalid
from shared.kit.text.characters import is_time_zone
from shared.kit.web.context import ActorDep, CallerDep
from shared.kit.web.cursors import MAX_PAGE_ITEMS, ApiModel, PageLimit, decode, encode
from shared.kit.web.fields import SingleLineName
from shared.kit.web.routes import Routes


class NewSpace(ApiModel):
    """A space to open; `time_zone` defaults to that of its structure."""

    name: SingleLineName = Field(min_length=1, max_length=200, examples=["Entraide en français"])
    structure_id: StructureId
    visibility: Visibility = Visibility.STRUCTURE
    joining: Joining = Joining.OPEN
    time_zone: str | None = Field(default=None, max_length=60)


class SpaceShown(ApiModel):
    """A space."""

    space_id: SpaceId
    name: str
    visibility: Visibility
    joining: Joining
    structure_id: StructureId
    time_zone: str


class SpaceList(ApiModel):
    """The spaces that the caller may see, by name, and the cursor of the next page."""

    items: list[SpaceShown]
    next: str | None = None


def _to_response(space: Space) -> SpaceShown:
    return SpaceShown(
        space_id=space.space_id,
        name=space.name,
        visibility=space.visibility,
        joining=space.joining,
        structure_id=space.structure_id,
        time_zone=space.time_zone,
    )


def routes(deps: SpacesDeps) -> Routes:
    """Build the routes of spaces."""
    router = Routes("spaces")

    @router.get("/spaces", action="space.list")
    async def list_all(
        caller: CallerDep,
        actor: ActorDep,
        name: str | None = None,
        limit: PageLimit = MAX_PAGE_ITEMS,
        cursor: str | None = None,
    ) -> SpaceList:
        after_name = str(decode(cursor, str)[0]) if cursor else None
        if name is not None:
            named = await find_space(deps, caller, actor, name)
            return SpaceList(items=[_to_response(space) for space in named])
        spaces, last = await list_spaces(deps, caller, actor, after_name, limit)
        next_cursor = encode(last) if last is not None else None
        return SpaceList(items=[_to_response(space) for space in spaces], next=next_cursor)

    @router.post("/spaces", action="space.open", status_code=201)
    async def open_one(caller: CallerDep, actor: ActorDep, new: NewSpace) -> SpaceShown:
        if new.time_zone is not None and not is_time_zone(new.time_zone):
            raise Invalid(field="time_zone", value=new.time_zone)
        return _to_response(await open_space(deps, caller, actor, OpenSpace(**new.model_dump())))

    @router.post("/spaces/{space_id}/members", action="space.join")
    async def join(caller: CallerDep, actor: ActorDep, space_id: SpaceId) -> SpaceShown:
        return _to_response(await join_space(deps, caller, actor, space_id))

    @router.delete("/spaces/{space_id}/members", action="space.leave", status_code=204)
    async def leave(caller: CallerDep, actor: ActorDep, space_id: SpaceId) -> Response:
        await leave_space(deps, caller, actor, space_id)
        return Response(status_code=204)

    return router
