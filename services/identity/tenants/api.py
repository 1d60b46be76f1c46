"""`/v1/tenants`: opening a tenant."""

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
    """A tenant's administrator who has never set a password."""

    tenant_id: TenantId
    member_id: MemberId


class AdministratorInvited(Administrator):
    """The new invitation: those made before hold no longer."""

    invitation: str


def routes(deps: TenantsDeps, sessions: SessionsDeps) -> Routes:
    """Build the routes of this feature."""
    found = Routes("tenants")

    @found.post(
        "/tenants",
        action="tenant.open",
        access="operator",
        status_code=201,
        secret_fields=("invitation",),
    )
    async def open_one(who: OperatorDep, caller: CallerDep, new: NewTenant) -> OpenedTenant:
        command = OpenTenant(**new.model_dump(), opened_by=who.member_id)
        opened = await open_tenant(deps, command, caller.correlation)
        # On the platform's behalf: the operator is no member of the new tenant.
        tenant_id, member = opened.tenant.tenant_id, opened.administrator
        platform = Caller(tenant_id, None, caller.correlation)
        token = await invite_member(sessions, platform, InviteMember(tenant_id, member.member_id))
        return _shown(opened, token)

    @found.post(
        "/tenants/invitations",
        action="tenant.invite",
        access="operator",
        status_code=201,
        secret_fields=("invitation",),
    )
    async def invite_anew(
        _: OperatorDep, caller: CallerDep, who: Administrator
    ) -> AdministratorInvited:
        command = InviteAdministrator(who.tenant_id, who.member_id)
        token = await invite_administrator(deps, sessions, caller, command)
        return AdministratorInvited(**who.model_dump(), invitation=token)

    return found


def _shown(opened: OpenTenantResult, invitation: str) -> OpenedTenant:
    return OpenedTenant(
        tenant_id=opened.tenant.tenant_id,
        slug=opened.tenant.slug,
        structure_id=opened.structure_id,
        administrator_id=opened.administrator.member_id,
        invitation=invitation,
    )
