"""Setup of the workload: tenants, signed-in people, the spaces of all members."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from random import Random

import msgspec

from deploy.local.seed import ADMINISTRATOR, DOMAIN, OPERATOR, PEOPLE, SLUG, SeededTenant
from shared.contracts.identity import Role
from tests.chaos.workload.actions import managing, sessions
from tests.chaos.workload.journal import Outcome
from tests.chaos.workload.request import Request, get
from tests.chaos.workload.retrying_client import RequestResult, RetryingClient, can_have_key
from tests.chaos.workload.tenant_state import Person, TenantState

FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS = 0.25, 2.0
"""Seconds until a failed request is sent again; doubled each time up to the second value."""
SUSPENDED_NAME = "tom"
ADMIN_NAME, OPERATOR_NAME = "anne", "operator"
PASSWORD = "un mot de passe très long ☂️"
BASE_SPACES = (("public", "La grande cour 🌞"), ("structure", "Salle d’étude"))
MEMBER_ROLES = tuple((person.email.partition("@")[0], person.role) for person in PEOPLE)


class SetupTimeoutError(Exception):
    """The day was over before it could begin."""


class Structure(msgspec.Struct):
    """A structure of the tree."""

    structure_id: str
    kind: str


class Tree(msgspec.Struct):
    """All of them, the root first."""

    items: list[Structure]


class OpenedTenant(msgspec.Struct):
    """A tenant that was opened."""

    slug: str
    structure_id: str
    invitation: str


class Invited(msgspec.Struct):
    """The response to an added member or an opened structure."""

    member_id: str = ""
    invitation: str = ""
    structure_id: str = ""


@dataclass(frozen=True)
class TenantSetup:
    """Opens what a run needs, however often it must ask, until `deadline`."""

    client: RetryingClient
    deadline: float

    async def prepare_first_tenant(self, seeded: SeededTenant) -> TenantState:
        """The first tenant, which is there: its people, signed in. Raises `SetupTimeoutError`."""
        run = self.client.journal.run
        tenant = TenantState(
            run,
            "academy",
            SLUG,
            PASSWORD,
            str(seeded.tenant),
            str(seeded.structure_id),
            passwords={**seeded.passwords, OPERATOR.email: PASSWORD},
        )
        people = [*MEMBER_ROLES, (ADMIN_NAME, Role.ADMINISTRATOR), (OPERATOR_NAME, Role.OPERATOR)]
        emails = {ADMIN_NAME: ADMINISTRATOR, OPERATOR_NAME: OPERATOR.email}
        for name, role in people:
            email = emails.get(name, f"{name}@{DOMAIN}")
            tenant.people[name] = Person(tenant, name, email, role)
        await run_for_each(self.sign_in, tenant.people.values())
        result = await self.send_until_ok(
            tenant.people[ADMIN_NAME], "list_structures", get("identity", "/structures")
        )
        tree = msgspec.json.decode(result.body, type=Tree).items
        tenant.school = next(
            structure.structure_id for structure in tree if structure.kind == "school"
        )
        await self._spaces(tenant)
        return tenant

    async def open_second_tenant(self, operator: Person, number: int) -> TenantState:
        """Open another tenant, as the operator. Raises `SetupTimeoutError`."""
        tenant = TenantState(self.client.journal.run, f"lycee-{number}", password=PASSWORD)
        email = f"anne.{number}@lycee.example"
        body = {"name": f"Lycée {number} {tenant.run} de l’Été 🌻", "admin": email}
        request = Request("identity", "POST", "/tenants", body)
        result = await self.send_until_ok(operator, "open_tenant", request)
        opened_tenant = msgspec.json.decode(result.body, type=OpenedTenant)
        tenant.slug, tenant.root = opened_tenant.slug, opened_tenant.structure_id
        admin = tenant.people[ADMIN_NAME] = Person(tenant, ADMIN_NAME, email, Role.ADMINISTRATOR)
        await self._come(admin, opened_tenant.invitation)
        body = {"name": "Lycée Zoë-Œuvrard", "kind": "school", "parent_id": tenant.root}
        request = Request("identity", "POST", "/structures", body)
        result = await self.send_until_ok(admin, "open_structure", request)
        tenant.school = msgspec.json.decode(result.body, type=Invited).structure_id
        for name, role in MEMBER_ROLES:
            tenant.people[name] = Person(tenant, name, f"{name}@lycee.example", role)
        await run_for_each(self._invite, [tenant.people[name] for name, _ in MEMBER_ROLES])
        # Of this tenant only: the first one's people must be able to sign in at the next run.
        tenant.suspendable.append(tenant.people[SUSPENDED_NAME].member_id)
        await self._spaces(tenant)
        return tenant

    async def sign_in(self, person: Person) -> None:
        """Sign someone in."""
        await self.send_until_ok(person, "sign_in", sessions.sign_in(person, Random()))

    async def send_until_ok(
        self, person: Person, verb: str, request: Request, done_problem: str = ""
    ) -> RequestResult:
        """Ask until it is done; the problem `done` says that it was. Raises `SetupTimeoutError`."""
        key, delay_seconds = self._key(request), FIRST_RETRY_SECONDS
        while time.monotonic() < self.deadline:
            result = await self.client.send_once(person, verb, request, key)
            if result.outcome is Outcome.OK or (done_problem and result.problem == done_problem):
                return result
            if result.outcome is Outcome.FAILED:
                key = self._key(request)
            if result.status == 401 and request.token is None:
                await self.sign_in(person)
            await asyncio.sleep(delay_seconds)
            delay_seconds = min(delay_seconds * 2, MAX_RETRY_SECONDS)
        raise SetupTimeoutError(verb)

    def _key(self, request: Request) -> str | None:
        journal = self.client.journal
        return f"{journal.run}/{journal.next_number()}" if can_have_key(request) else None

    async def _invite(self, person: Person) -> None:
        tenant = person.tenant
        admin = tenant.people[ADMIN_NAME]
        body = {
            "display_name": f"{person.name.capitalize()} Œuvrard-N’Diaye 🎸",
            "email": person.email,
            "structure_id": tenant.school,
            "minor": person.role is Role.PUPIL,
        }
        result = await self.send_until_ok(
            admin, "add_member", Request("identity", "POST", "/members", body)
        )
        added = msgspec.json.decode(result.body, type=Invited)
        body = {
            "member_id": added.member_id,
            "role": person.role.value,
            "structure_id": tenant.school,
        }
        await self.send_until_ok(admin, "grant", Request("identity", "POST", "/roles", body))
        await self._come(person, added.invitation)

    async def _come(self, person: Person, invitation: str) -> None:
        request = sessions.accept_invitation(person, invitation)
        await self.send_until_ok(
            person, "accept_invitation", request, done_problem="invitation_used"
        )
        await self.sign_in(person)

    async def _spaces(self, tenant: TenantState) -> None:
        opener = next(p for p in tenant.people.values() if p.role is Role.COMMUNITY_MANAGER)
        await asyncio.sleep(
            FIRST_RETRY_SECONDS
        )  # until the facts of who may open one have gone round
        for visibility, name in BASE_SPACES:
            full = f"{name} {tenant.run}"
            request = managing.open_named_space(opener, full, visibility, "open", base=True)
            await self.send_until_ok(opener, "open_space", request)
        await run_for_each(self._join, tenant.people.values())

    async def _join(self, person: Person) -> None:
        for space in person.tenant.base_spaces:
            await self.send_until_ok(person, "join", managing.join_space(person, space))


async def run_for_each(
    action: Callable[[Person], Awaitable[None]], people: Iterable[Person]
) -> None:
    """Run an action for all people concurrently. Raises an ExceptionGroup."""
    async with asyncio.TaskGroup() as group:
        for person in people:
            group.create_task(_one(action, person))


async def _one(does: Callable[[Person], Awaitable[None]], person: Person) -> None:
    await does(person)
