"""The first tenant: a small academy with a handful of people. Seeded once per data folder."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from services.identity.main import Features
from services.identity.members.handlers.join import AddMember, add_member
from services.identity.roles.handlers.change_roles import GrantRole, grant_role
from services.identity.sessions.handlers.invite import Invite, accept_invitation, invite
from services.identity.structures.handlers.open_structure import OpenStructure, open_structure
from services.identity.tenants.handlers.open_tenant import Opened, OpenTenant, open_tenant
from shared.contracts.identity import Role
from shared.contracts.ids import MemberId, StructureId, TenantId
from shared.kit.policy import Actor, Grant
from shared.kit.unit import Caller

NAME = "Académie de démonstration"
SLUG = "academie-de-demonstration"
DOMAIN = "demo.example"
FIRST_TENANT = "first-tenant.json"


@dataclass(frozen=True)
class Person:
    """Someone to sign in as."""

    name: str
    email: str
    role: Role
    minor: bool = False


PEOPLE = (
    Person("Zoé Le Goff", f"zoe@{DOMAIN}", Role.PUPIL, minor=True),
    Person("Malik N’Diaye", f"malik@{DOMAIN}", Role.PUPIL, minor=True),
    Person("Inès Åström", f"ines@{DOMAIN}", Role.PUPIL, minor=True),
    Person("Tom Œuvrard 🎸", f"tom@{DOMAIN}", Role.PUPIL, minor=True),
    Person("Hamid Benali", f"hamid@{DOMAIN}", Role.TEACHER),
    Person("Claire Kerbrat", f"claire@{DOMAIN}", Role.COMMUNITY_MANAGER),
    Person("Omar Çelik", f"omar@{DOMAIN}", Role.MODERATOR),
)
OPERATOR = Person("Opératrice", f"operator@{DOMAIN}", Role.OPERATOR)
ADMINISTRATOR = f"anne@{DOMAIN}"


@dataclass(frozen=True)
class Seeded:
    """Whom the platform itself acts as, and how people sign in."""

    tenant: TenantId
    structure_id: StructureId
    operator: MemberId
    password: str


async def seed(features: Features, home: Path) -> Seeded:
    """Open the first tenant, or find again what was opened before."""
    file = home / FIRST_TENANT
    if file.exists():
        said = json.loads(file.read_text(encoding="utf-8"))
        return Seeded(
            TenantId(UUID(said["tenant"])),
            StructureId(UUID(said["structure_id"])),
            MemberId(UUID(said["operator"])),
            said["password"],
        )
    password = secrets.token_urlsafe(12)
    opened = await open_tenant(features.tenants, OpenTenant(NAME, ADMINISTRATOR), "first-tenant")
    seeded = await _people(features, opened, password)
    text = json.dumps(
        {
            "tenant": str(seeded.tenant),
            "structure_id": str(seeded.structure_id),
            "operator": str(seeded.operator),
            "password": password,
        }
    )
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")
    return seeded


async def _people(features: Features, opened: Opened, password: str) -> Seeded:
    tenant, root = opened.tenant.tenant_id, opened.structure_id
    administrator = opened.administrator.member_id
    grants = (Grant(Role.ADMINISTRATOR, root), Grant(Role.OPERATOR, root))
    # The platform's own hand: nobody could grant the first operator otherwise.
    actor = Actor(tenant, MemberId(features.tenants.new_id()), root, grants=grants)
    caller = Caller(tenant, None, "first-tenant")
    await _set_password(features, tenant, administrator, password)
    college = await open_structure(
        features.structures,
        caller,
        actor,
        OpenStructure("Collège Anne de Bretagne", "school", root),
    )
    operator = administrator
    for person in (*PEOPLE, OPERATOR):
        where = root if person is OPERATOR else college.structure_id
        command = AddMember(person.name, person.email, where, person.minor)
        member = await add_member(features.members, caller, actor, command)
        grant = GrantRole(member.member_id, person.role, where)
        await grant_role(features.roles, caller, actor, grant)
        await _set_password(features, tenant, member.member_id, password)
        if person is OPERATOR:
            operator = member.member_id
    return Seeded(tenant, root, operator, password)


async def _set_password(
    features: Features, tenant: TenantId, member_id: MemberId, password: str
) -> None:
    caller = Caller(tenant, None, "first-tenant")
    token = await invite(features.sessions, caller, Invite(tenant, member_id))
    await accept_invitation(features.sessions, token, password, "first-tenant")
