"""`/v1/roles`: grant and revoke."""

from fastapi import Response

from services.identity.roles.handlers.change_roles import GrantRole, grant_role, revoke_role
from services.identity.roles.ports import RolesDeps
from shared.contracts.identity import Role
from shared.contracts.ids import MemberId, StructureId
from shared.kit.web.context import ActorDep, CallerDep
from shared.kit.web.cursors import ApiModel
from shared.kit.web.fields import UtcDatetime
from shared.kit.web.routes import Routes


class RoleChange(ApiModel):
    """A role of a member in a structure and all structures below it."""

    member_id: MemberId
    role: Role
    structure_id: StructureId
    until: UtcDatetime | None = None


def routes(deps: RolesDeps) -> Routes:
    """Build the routes of roles."""
    router = Routes("roles")

    @router.post("/roles", action="role.grant", status_code=204)
    async def grant(caller: CallerDep, actor: ActorDep, change: RoleChange) -> Response:
        await grant_role(deps, caller, actor, GrantRole(**change.model_dump()))
        return Response(status_code=204)

    @router.post("/roles/revoke", action="role.revoke", status_code=204)
    async def revoke(caller: CallerDep, actor: ActorDep, change: RoleChange) -> Response:
        await revoke_role(deps, caller, actor, GrantRole(**change.model_dump()))
        return Response(status_code=204)

    return router
