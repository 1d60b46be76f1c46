"""`/v1/tenants`: open a tenant, invite its administrator."""

from pydantic import Field

from services.identity.sessions.handlers.invite import InviteMember, invite_member
from services.identity.sessions.ports import SessionsDeps
from services.identity.tenants.domain import MAX_NAME_CHARACTERS
from services.identity.tenants.handlers.invite_administrator import (
    InviteAdministrator,
    invite_administrator,
)
from services.identity.tenants.handlers.open_tenant import OpenTenant, OpenTenantResult, open_tenant
from services.identity.tenants.ports import TenantsDeps
from shared.contracts.ids import MemberId, StructureId, TenantId
from shared.kit.core.unit_of_work import Caller
from shared.kit.web.context import CallerDep, OperatorDep
from shared.kit.web.cursors import ApiModel
from shared.kit.web.fields import SingleLineName
from shared.kit.web.routes import Routes


class NewTenant(ApiModel):
    """A tenant to open."""

    name: SingleLineName = Field(
        min_length=1, max_length=MAX_NAME_CHARACTERS, examples=["Académie de Rennes"]
    )
    admin: str = Field(max_length=1000, examples=["anne.le-gall@ac-rennes.example"])
    kind: SingleLineName = Field(default="academy", max_length=40)
    time_zone: str = Field(default="Europe/Paris", max_length=60)
    locale: str = Field(default="fr", pattern="^(fr|en)$")


class OpenedTenant(ApiModel):
    """The tenant, and the one-time invitation of its first administrator."""

    tenant_id: TenantId
    slug: str
    structure_id: StructureId
    administrator_id: MemberId
    invitation: str


class Administrator(ApiModel):
    """An administrator of a tenant without a password so far."""

    tenant_id: TenantId
    member_id: MemberId


class AdministratorInvited(Administrator):
    """The new invitation; earlier invitations become invalid."""

    invitation: str


def routes(deps: TenantsDeps, sessions: SessionsDeps) -> Routes:
    """Build the routes of tenants."""
    router = Routes("tenants")

    @router.post(
        "/tenants",
        action="tenant.open",
        access="operator",
        status_code=201,
        secret_fields=("invitation",),
    )
    async def open_one(operator: OperatorDep, caller: CallerDep, new: NewTenant) -> OpenedTenant:
        command = OpenTenant(**new.model_dump(), opened_by=operator.member_id)
        result = await open_tenant(deps, command, caller.correlation)
        # No member as caller: the operator is not a member of the new tenant.
        tenant_id, member = result.tenant.tenant_id, result.administrator
        platform = Caller(tenant_id, None, caller.correlation)
        token = await invite_member(sessions, platform, InviteMember(tenant_id, member.member_id))
        return _to_response(result, token)

    @router.post(
        "/tenants/invitations",
        action="tenant.invite",
        access="operator",
        status_code=201,
        secret_fields=("invitation",),
    )
    async def invite_anew(
        _: OperatorDep, caller: CallerDep, administrator: Administrator
    ) -> AdministratorInvited:
        command = InviteAdministrator(administrator.tenant_id, administrator.member_id)
        token = await invite_administrator(deps, sessions, caller, command)
        return AdministratorInvited(**administrator.model_dump(), invitation=token)

    return router


def _to_response(result: OpenTenantResult, invitation: str) -> OpenedTenant:
    return OpenedTenant(
        tenant_id=result.tenant.tenant_id,
        slug=result.tenant.slug,
        structure_id=result.structure_id,
        administrator_id=result.administrator.member_id,
        invitation=invitation,
    )
