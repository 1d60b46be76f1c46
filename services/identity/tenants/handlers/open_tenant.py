"""Open a tenant with its root structure and its first administrator."""

from dataclasses import dataclass

from services.identity.members.domain import Member, make_handle, parse_address
from services.identity.structures.domain import Structure, check_time_zone
from services.identity.tenants.domain import SlugTaken, Tenant, make_slug
from services.identity.tenants.ports import TenantsDeps
from shared.contracts.event import Sealed
from shared.contracts.identity import (
    MemberJoined,
    PersonDetails,
    Role,
    RoleGranted,
    StructureOpened,
    TenantOpened,
)
from shared.contracts.ids import MemberId, StructureId, TenantId
from shared.kit.core.unit_of_work import Caller, Unit


@dataclass(frozen=True)
class OpenTenant:
    """Open a tenant with this name; `admin` is the mail address of its first administrator.

    `opened_by` is the requesting operator; None for the platform itself.
    """

    name: str
    admin: str
    kind: str = "academy"
    time_zone: str = "Europe/Paris"
    locale: str = "fr"
    opened_by: MemberId | None = None


@dataclass(frozen=True)
class OpenTenantResult:
    """The new tenant, its root structure and its first administrator."""

    tenant: Tenant
    structure_id: StructureId
    administrator: Member


async def open_tenant(deps: TenantsDeps, command: OpenTenant, correlation: str) -> OpenTenantResult:
    """Open a tenant. Raises `SlugTaken`, `UnknownTimeZone` and `AddressInvalid`."""
    email = parse_address(command.admin)
    tenant_id = TenantId(deps.new_id())
    tenant = Tenant(
        tenant_id,
        command.name,
        make_slug(command.name, tenant_id),
        check_time_zone(command.time_zone),
        command.locale,
    )
    # The audit row belongs to the new tenant, so its members may read it; one unit writes all rows.
    caller = Caller(tenant.tenant_id, command.opened_by, correlation)
    async with deps.unit(caller) as unit:
        if not await deps.tenants.add(unit, tenant):
            raise SlugTaken(slug=tenant.slug)
        unit.record(
            TenantOpened(
                tenant_id=tenant.tenant_id,
                name=tenant.name,
                slug=tenant.slug,
                time_zone=tenant.time_zone,
                locale=tenant.locale,
            )
        )
        structure = await _open_root(deps, unit, tenant, command.kind)
        member = await _add_administrator(deps, unit, tenant, structure, email)
    return OpenTenantResult(tenant, structure.structure_id, member)


async def _open_root(deps: TenantsDeps, unit: Unit, tenant: Tenant, kind: str) -> Structure:
    structure = Structure(
        tenant.tenant_id, StructureId(deps.new_id()), kind, tenant.name, tenant.time_zone
    )
    await deps.structures.add(unit, structure)
    unit.record(
        StructureOpened(
            structure_id=structure.structure_id,
            kind=kind,
            name=tenant.name,
            time_zone=tenant.time_zone,
        )
    )
    return structure


async def _add_administrator(
    deps: TenantsDeps, unit: Unit, tenant: Tenant, structure: Structure, email: str
) -> Member:
    member_id = MemberId(deps.new_id())
    name = email.partition("@")[0]
    member = Member(
        tenant_id=tenant.tenant_id,
        member_id=member_id,
        display_name=name,
        handle=make_handle(name, member_id),
        email=email,
        structure_id=structure.structure_id,
        joined_at=unit.now,
    )
    await deps.members.add(unit, [member])
    details = PersonDetails(display_name=name, handle=member.handle, email=email)
    unit.record(
        MemberJoined(
            member_id=member_id,
            person=Sealed(clear=details),
            structure_id=structure.structure_id,
        )
    )
    await deps.roles.grant(
        unit, tenant.tenant_id, member_id, Role.ADMINISTRATOR, structure.structure_id
    )
    unit.record(
        RoleGranted(
            member_id=member_id, role=Role.ADMINISTRATOR, structure_id=structure.structure_id
        )
    )
    return member
