"""No member gains more rights than granted: running services, and sequences of grants."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
import pytest_asyncio

from services.identity.features import Features, build_features
from services.identity.members.domain import LastAdministrator
from services.identity.members.handlers.add_member import AddMember, add_member
from services.identity.members.handlers.import_members import (
    ImportedMember,
    ImportMembers,
    import_members,
)
from services.identity.members.handlers.manage_access import check_may_invite
from services.identity.members.handlers.suspend_member import SuspendMember, suspend_member
from services.identity.roles.handlers.change_roles import GrantRole, grant_role, revoke_role
from services.identity.roles.store import IdentityRights
from services.identity.settings import IdentitySettings
from services.identity.structures.domain import StructureNotFound
from services.identity.structures.handlers.open_structure import OpenStructure, open_structure
from services.identity.tenants.handlers.open_tenant import OpenTenant, open_tenant
from shared.contracts.identity import Role
from shared.contracts.ids import MemberId, StructureId, TenantId
from shared.kit.core.clock import utc_now
from shared.kit.core.errors import Forbidden, PreauError
from shared.kit.core.policy import Actor
from shared.kit.core.unit_of_work import Caller
from shared.kit.runtime.assembly import open_database
from tests.support.platform_harness import PlatformHarness

pytestmark = pytest.mark.asyncio(loop_scope="session")
HOUR = timedelta(hours=1)
NAMES = ("Yaël", "Noé", "Chloé")


@dataclass
class Academy:
    """A separate tenant with a clock set by the test; Anne administers it permanently."""

    features: Features
    rights: IdentityRights
    tenant: TenantId
    root: StructureId
    school: StructureId
    anne: MemberId
    now: datetime

    def caller(self, member: MemberId | None) -> Caller:
        return Caller(self.tenant, member, "rights")

    async def actor(self, member: MemberId) -> Actor:
        actor = await self.rights.find_actor(self.tenant, member)
        assert actor is not None
        return actor

    async def add(self, name: str, structure_id: StructureId) -> MemberId:
        command = AddMember(name, f"{uuid4().hex}@exemple.fr", structure_id)
        anne = await self.actor(self.anne)
        member = await add_member(self.features.members, self.caller(self.anne), anne, command)
        return member.member_id

    async def grant(
        self,
        actor_id: MemberId,
        member_id: MemberId,
        role: Role,
        structure_id: StructureId,
        until: datetime | None = None,
    ) -> None:
        command = GrantRole(member_id, role, structure_id, until)
        await grant_role(
            self.features.roles, self.caller(actor_id), await self.actor(actor_id), command
        )

    async def revoke(
        self, actor_id: MemberId, member_id: MemberId, role: Role, structure_id: StructureId
    ) -> None:
        command = GrantRole(member_id, role, structure_id)
        await revoke_role(
            self.features.roles, self.caller(actor_id), await self.actor(actor_id), command
        )

    async def suspend(self, actor_id: MemberId, member_id: MemberId) -> None:
        command = SuspendMember(member_id, "repeated_insults")
        await suspend_member(
            self.features.members, self.caller(actor_id), await self.actor(actor_id), command
        )

    async def check_invite(self, actor_id: MemberId, member_id: MemberId) -> None:
        members, actor = self.features.members, await self.actor(actor_id)
        await check_may_invite(members, self.caller(actor_id), actor, member_id)


@pytest_asyncio.fixture(loop_scope="session")
async def academy(platform: PlatformHarness) -> AsyncIterator[Academy]:
    """Open a tenant on identity's database, with a clock set by the test."""
    academies: list[Academy] = []

    def clock() -> datetime:
        return academies[0].now if academies else utc_now()

    host = replace(platform.host, clock=clock)
    settings = IdentitySettings.from_environment(host.environment)
    database = open_database("identity", host, settings)
    features = build_features(host, settings, database)
    tenant = await open_tenant(
        features.tenants, OpenTenant(f"Académie {uuid4()}", "a@b.fr"), "rights"
    )
    anne, root = tenant.administrator.member_id, tenant.structure_id
    rights = IdentityRights(database, clock)
    academy = Academy(features, rights, tenant.tenant.tenant_id, root, root, anne, utc_now())
    academies.append(academy)
    command = OpenStructure("Collège Évariste-Galois", "school", root)
    actor = await academy.actor(anne)
    school = await open_structure(features.structures, academy.caller(anne), actor, command)
    academy.school = school.structure_id
    yield academy
    await database.stop()


async def test_a_temporary_administrator_stays_temporary(academy: Academy) -> None:
    yael = await academy.add("Yaël", academy.school)
    noe = await academy.add("Noé", academy.school)
    end = academy.now + HOUR
    await academy.grant(academy.anne, yael, Role.ADMINISTRATOR, academy.school, end)
    for member_id, until in ((yael, None), (yael, end), (noe, None), (noe, end + HOUR)):
        with pytest.raises(Forbidden):
            await academy.grant(yael, member_id, Role.ADMINISTRATOR, academy.school, until)
    await academy.grant(yael, noe, Role.ADMINISTRATOR, academy.school, end)
    academy.now = end + HOUR
    for member in (yael, noe):
        assert (await academy.actor(member)).grants == ()


async def test_no_sequence_of_grants_outlasts_the_first_grant(academy: Academy) -> None:
    """Three members send random commands while one is administrator for an hour."""
    for seed in range(12):
        rng = random.Random(seed)
        start = academy.now
        members = [await academy.add(name, academy.school) for name in NAMES]
        end = start + HOUR
        await academy.grant(academy.anne, members[0], Role.ADMINISTRATOR, academy.root, end)
        for _ in range(25):
            actor_id, member_id = rng.choice(members), rng.choice([*members, academy.anne])
            role, structure_id = rng.choice(list(Role)), rng.choice([academy.root, academy.school])
            until = rng.choice([None, start + HOUR / 2, end, end + HOUR, end + 10 * HOUR])
            with suppress(PreauError):
                if rng.random() < 0.8:
                    await academy.grant(actor_id, member_id, role, structure_id, until)
                else:
                    await academy.revoke(actor_id, member_id, role, structure_id)
            academy.now += timedelta(minutes=2)
        academy.now = end + timedelta(seconds=1)
        for member in members:
            assert (await academy.actor(member)).grants == (), f"seed {seed}"
        anne = await academy.actor(academy.anne)
        assert anne.holds([Role.ADMINISTRATOR], within=[academy.root]), f"seed {seed}"


async def test_school_administrator_cannot_act_on_academy_members(academy: Academy) -> None:
    chief = await academy.add("Bérénice", academy.school)
    yael = await academy.add("Yaël", academy.school)
    await academy.grant(academy.anne, chief, Role.ADMINISTRATOR, academy.root)
    await academy.grant(academy.anne, yael, Role.ADMINISTRATOR, academy.school)
    await academy.grant(academy.anne, chief, Role.TEACHER, academy.school)
    refusals = (
        academy.suspend(yael, chief),
        academy.revoke(yael, chief, Role.ADMINISTRATOR, academy.root),
        academy.revoke(yael, chief, Role.TEACHER, academy.school),
        academy.grant(yael, chief, Role.TEACHER, academy.school, academy.now + HOUR),
    )
    for attempt in refusals:
        with pytest.raises(Forbidden):
            await attempt
    await academy.suspend(chief, yael)


async def test_the_last_administrator_cannot_leave_or_be_removed(academy: Academy) -> None:
    with pytest.raises(LastAdministrator):
        await academy.revoke(academy.anne, academy.anne, Role.ADMINISTRATOR, academy.root)
    yael = await academy.add("Yaël", academy.school)
    end = academy.now + HOUR
    await academy.grant(academy.anne, yael, Role.ADMINISTRATOR, academy.root, end)
    attempts = (
        academy.revoke(yael, academy.anne, Role.ADMINISTRATOR, academy.root),
        academy.grant(yael, academy.anne, Role.ADMINISTRATOR, academy.root, end),
        academy.suspend(yael, academy.anne),
    )
    for attempt in attempts:
        with pytest.raises(Forbidden):  # Yaël's role ends before Anne's
            await attempt
    await academy.grant(academy.anne, yael, Role.ADMINISTRATOR, academy.root)
    await academy.suspend(yael, academy.anne)
    with pytest.raises(LastAdministrator):  # Anne is suspended
        await academy.revoke(yael, yael, Role.ADMINISTRATOR, academy.root)


async def test_one_of_two_administrators_may_leave(academy: Academy) -> None:
    yael = await academy.add("Yaël", academy.school)
    await academy.grant(academy.anne, yael, Role.ADMINISTRATOR, academy.root)
    await academy.revoke(academy.anne, academy.anne, Role.ADMINISTRATOR, academy.root)


async def test_temporary_administrator_gains_no_permanent_role(academy: Academy) -> None:
    """An accepted invitation sets the password, and so gives access to all roles of the member."""
    end = academy.now + HOUR
    yael = await academy.add("Yaël", academy.school)
    noe = await academy.add("Noé", academy.school)
    await academy.grant(academy.anne, yael, Role.ADMINISTRATOR, academy.root, end)
    await academy.check_invite(yael, noe)
    await academy.grant(academy.anne, noe, Role.MODERATOR, academy.school)
    with pytest.raises(Forbidden):
        await academy.check_invite(yael, noe)
    await academy.grant(academy.anne, noe, Role.MODERATOR, academy.school, end)
    await academy.check_invite(yael, noe)
    await academy.grant(academy.anne, noe, Role.ADMINISTRATOR, academy.school)
    for attempt in (academy.check_invite(yael, noe), academy.suspend(yael, noe)):
        with pytest.raises(Forbidden):
            await attempt
    await academy.check_invite(academy.anne, noe)


async def test_concurrent_mutual_removal_leaves_one_administrator(
    academy: Academy,
) -> None:
    for name in NAMES:
        second_administrator = await academy.add(name, academy.school)
        await academy.grant(academy.anne, second_administrator, Role.ADMINISTRATOR, academy.root)
        pairs = ((academy.anne, second_administrator), (second_administrator, academy.anne))
        # Both requests are authorised before either changes a role.
        actors = [await academy.actor(actor_id) for actor_id, _ in pairs]
        outcomes = await asyncio.gather(
            *(
                revoke_role(
                    academy.features.roles,
                    academy.caller(actor_id),
                    actor,
                    GrantRole(member_id, Role.ADMINISTRATOR, academy.root),
                )
                for (actor_id, member_id), actor in zip(pairs, actors, strict=True)
            ),
            return_exceptions=True,
        )
        refusals = [outcome for outcome in outcomes if outcome is not None]
        assert [type(refusal) for refusal in refusals] == [LastAdministrator]
        if outcomes[1] is None:
            academy.anne = second_administrator


async def test_members_are_imported_only_into_permitted_structures(academy: Academy) -> None:
    yael = await academy.add("Yaël", academy.school)
    await academy.grant(academy.anne, yael, Role.ADMINISTRATOR, academy.school)
    lines = [
        ImportedMember("1", "Zoé", academy.now - HOUR),
        ImportedMember("2", "Robot", academy.now - HOUR, system=True),
    ]

    async def import_lines(
        actor_id: MemberId, structure_id: StructureId | None, source: str
    ) -> list[tuple[str, str | None]]:
        command = ImportMembers(source, structure_id, lines)
        actor = await academy.actor(actor_id)
        return await import_members(
            academy.features.members, academy.caller(actor_id), actor, command
        )

    for structure_id in (None, academy.root):
        with pytest.raises(Forbidden):
            await import_lines(yael, structure_id, "ancien-forum")
    with pytest.raises(StructureNotFound):
        await import_lines(yael, StructureId(uuid4()), "ancien-forum")
    outcomes = await import_lines(yael, academy.school, "ancien-forum")
    assert [outcome for outcome, _ in outcomes] == ["created", "refused"]
    assert "system accounts" in str(outcomes[1][1])
    assert [outcome for outcome, _ in await import_lines(academy.anne, None, "annuaire")] == [
        "created",
        "created",
    ]
