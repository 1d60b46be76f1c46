"""Create the first tenant, a small academy with eight people, once per data folder."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

from deploy.local.home import write_private
from services.identity.features import Features
from services.identity.members.handlers.add_member import AddMember, add_member
from services.identity.roles.handlers.change_roles import GrantRole, grant_role
from services.identity.sessions.handlers.invite import (
    InviteMember,
    accept_invitation,
    invite_member,
)
from services.identity.structures.handlers.open_structure import OpenStructure, open_structure
from services.identity.tenants.handlers.open_tenant import OpenTenant, open_tenant
from shared.contracts.identity import Role
from shared.contracts.ids import MemberId, StructureId, TenantId
from shared.kit.core.policy import Actor, Grant
from shared.kit.core.unit_of_work import Caller

NAME = "Académie de démonstration"
SLUG = "academie-de-demonstration"
DOMAIN = "demo.example"
FIRST_TENANT = "first-tenant.json"
PASSWORD_BYTES = 12


@dataclass(frozen=True)
class Person:
    """A person of the first tenant."""

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
class SeededTenant:
    """The first tenant, its operator, and the passwords by e-mail address.

    The operator has no password: the platform itself signs the operator's token.
    """

    tenant: TenantId
    structure_id: StructureId
    operator: MemberId
    passwords: Mapping[str, str] = field(repr=False)

    def password_of(self, user: str) -> str:
        """Return the password of a person by the part of the address before `@`."""
        return self.passwords[f"{user}@{DOMAIN}"]


async def seed_first_tenant(features: Features, home: Path) -> SeededTenant:
    """Create the first tenant, or return the one that exists."""
    seeded = read_seeded(home)
    if seeded is None:
        seeded = await _create_tenant(features)
    elif not seeded.passwords:
        seeded = await _replace_shared_password(features, seeded)
    else:
        return seeded
    _write(home, seeded)
    return seeded


def read_seeded(home: Path) -> SeededTenant | None:
    """Read the stored tenant; without passwords if an older version stored it."""
    file = home / FIRST_TENANT
    if not file.exists():
        return None
    content = json.loads(file.read_text(encoding="utf-8"))
    return SeededTenant(
        TenantId(UUID(content["tenant"])),
        StructureId(UUID(content["structure_id"])),
        MemberId(UUID(content["operator"])),
        content.get("passwords", {}),
    )


def _write(home: Path, seeded: SeededTenant) -> None:
    content = {
        "tenant": str(seeded.tenant),
        "structure_id": str(seeded.structure_id),
        "operator": str(seeded.operator),
        "passwords": seeded.passwords,
    }
    write_private(home / FIRST_TENANT, json.dumps(content, indent=1) + "\n")


def _new_passwords() -> dict[str, str]:
    emails = (ADMINISTRATOR, *(person.email for person in PEOPLE))
    return {email: secrets.token_urlsafe(PASSWORD_BYTES) for email in emails}


async def _create_tenant(features: Features) -> SeededTenant:
    result = await open_tenant(features.tenants, OpenTenant(NAME, ADMINISTRATOR), "first-tenant")
    tenant, root = result.tenant.tenant_id, result.structure_id
    passwords = _new_passwords()
    grants = (Grant(Role.ADMINISTRATOR, root), Grant(Role.OPERATOR, root))
    # An actor that the platform makes up: no member could grant the first operator role.
    actor = Actor(tenant, MemberId(features.tenants.new_id()), root, grants=grants)
    caller = Caller(tenant, None, "first-tenant")
    administrator = result.administrator.member_id
    await set_password(features, tenant, administrator, passwords[ADMINISTRATOR])
    school = OpenStructure("Collège Anne de Bretagne", "school", root)
    college = await open_structure(features.structures, caller, actor, school)
    operator = administrator
    for person in (*PEOPLE, OPERATOR):
        structure_id = root if person is OPERATOR else college.structure_id
        command = AddMember(person.name, person.email, structure_id, person.minor)
        member = await add_member(features.members, caller, actor, command)
        grant = GrantRole(member.member_id, person.role, structure_id)
        await grant_role(features.roles, caller, actor, grant)
        if person is OPERATOR:
            operator = member.member_id
        else:
            await set_password(features, tenant, member.member_id, passwords[person.email])
    return SeededTenant(tenant, root, operator, passwords)


async def _replace_shared_password(features: Features, seeded: SeededTenant) -> SeededTenant:
    """Set a separate password for each person of an older data folder.

    The operator gets a random password that is not stored: the shared one must not work any more.
    """
    passwords = _new_passwords()
    random_password = secrets.token_urlsafe(PASSWORD_BYTES)
    caller = Caller(seeded.tenant, None, "first-tenant")
    for email, password in {**passwords, OPERATOR.email: random_password}.items():
        async with features.sessions.unit(caller) as unit:
            find = features.sessions.passwords.credentials.find_by_email
            credential = await find(unit, seeded.tenant, email)
        if credential is not None:
            await set_password(features, seeded.tenant, credential.member_id, password)
    return replace(seeded, passwords=passwords)


async def set_password(
    features: Features, tenant: TenantId, member_id: MemberId, password: str
) -> None:
    """Set a member's password through an invitation; the member's sessions end."""
    caller = Caller(tenant, None, "first-tenant")
    token = await invite_member(features.sessions, caller, InviteMember(tenant, member_id))
    await accept_invitation(features.sessions, token, password, "first-tenant")
