"""The first tenant: a small academy with a handful of people. Seeded once per data folder."""

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
class SeededTenant:
    """Whom the platform itself acts as, and how people sign in.

    `passwords` has one for each e-mail address, and none for the operator: nobody signs in as the
    operator, whose token the platform itself signs.
    """

    tenant: TenantId
    structure_id: StructureId
    operator: MemberId
    passwords: Mapping[str, str] = field(repr=False)

    def password_of(self, who: str) -> str:
        """Return the password of a person by the name before the `@`."""
        return self.passwords[f"{who}@{DOMAIN}"]


async def seed_first_tenant(features: Features, home: Path) -> SeededTenant:
    """Open the first tenant, or find again what was opened before."""
    seeded = read_seeded(home)
    if seeded is None:
        seeded = await _open(features)
    elif not seeded.passwords:
        seeded = await _replace_shared_password(features, seeded)
    else:
        return seeded
    _write(home, seeded)
    return seeded


def read_seeded(home: Path) -> SeededTenant | None:
    """Read what the first start left; without passwords where all people shared one, as once."""
    file = home / FIRST_TENANT
    if not file.exists():
        return None
    words = json.loads(file.read_text(encoding="utf-8"))
    return SeededTenant(
        TenantId(UUID(words["tenant"])),
        StructureId(UUID(words["structure_id"])),
        MemberId(UUID(words["operator"])),
        words.get("passwords", {}),
    )


def _write(home: Path, seeded: SeededTenant) -> None:
    words = {
        "tenant": str(seeded.tenant),
        "structure_id": str(seeded.structure_id),
        "operator": str(seeded.operator),
        "passwords": seeded.passwords,
    }
    write_private(home / FIRST_TENANT, json.dumps(words, indent=1) + "\n")


def _new_passwords() -> dict[str, str]:
    emails = (ADMINISTRATOR, *(person.email for person in PEOPLE))
    return {email: secrets.token_urlsafe(PASSWORD_BYTES) for email in emails}


async def _open(features: Features) -> SeededTenant:
    opened = await open_tenant(features.tenants, OpenTenant(NAME, ADMINISTRATOR), "first-tenant")
    tenant, root = opened.tenant.tenant_id, opened.structure_id
    passwords = _new_passwords()
    grants = (Grant(Role.ADMINISTRATOR, root), Grant(Role.OPERATOR, root))
    # The platform's own hand: nobody could grant the first operator otherwise.
    actor = Actor(tenant, MemberId(features.tenants.new_id()), root, grants=grants)
    caller = Caller(tenant, None, "first-tenant")
    administrator = opened.administrator.member_id
    await set_password(features, tenant, administrator, passwords[ADMINISTRATOR])
    school = OpenStructure("Collège Anne de Bretagne", "school", root)
    college = await open_structure(features.structures, caller, actor, school)
    operator = administrator
    for person in (*PEOPLE, OPERATOR):
        where = root if person is OPERATOR else college.structure_id
        command = AddMember(person.name, person.email, where, person.minor)
        member = await add_member(features.members, caller, actor, command)
        grant = GrantRole(member.member_id, person.role, where)
        await grant_role(features.roles, caller, actor, grant)
        if person is OPERATOR:
            operator = member.member_id
        else:
            await set_password(features, tenant, member.member_id, passwords[person.email])
    return SeededTenant(tenant, root, operator, passwords)


async def _replace_shared_password(features: Features, seeded: SeededTenant) -> SeededTenant:
    """Return each person of an older data folder a password of their own.

    The operator's is drawn and forgotten: the shared one must not open that account any more.
    """
    passwords = _new_passwords()
    unknown = secrets.token_urlsafe(PASSWORD_BYTES)
    caller = Caller(seeded.tenant, None, "first-tenant")
    for email, password in {**passwords, OPERATOR.email: unknown}.items():
        async with features.sessions.unit(caller) as unit:
            find = features.sessions.passwords.credentials.find_by_email
            credential = await find(unit, seeded.tenant, email)
        if credential is not None:
            await set_password(features, seeded.tenant, credential.member_id, password)
    return replace(seeded, passwords=passwords)


async def set_password(
    features: Features, tenant: TenantId, member_id: MemberId, password: str
) -> None:
    """Set a member's password with an invitation, as they would; their sessions end."""
    caller = Caller(tenant, None, "first-tenant")
    token = await invite_member(features.sessions, caller, InviteMember(tenant, member_id))
    await accept_invitation(features.sessions, token, password, "first-tenant")
