"""Before the day: tenants, their people signed in, the spaces that everybody is in."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from random import Random

import msgspec

from deploy.local.seed import ADMINISTRATOR, DOMAIN, OPERATOR, PEOPLE, SLUG, Seeded
from shared.contracts.identity import Role
from tests.chaos.workload.acts import managing, sessions
from tests.chaos.workload.asker import Asker, Heard, can_have_key
from tests.chaos.workload.journal import Outcome
from tests.chaos.workload.request import Request, get
from tests.chaos.workload.world import Person, World

WAIT, LONGEST_WAIT = 0.25, 2.0
"""Seconds until what was refused, or not heard, is asked again; the second time it is longer."""
TROUBLESOME = "tom"
ADMIN, DESK = "anne", "operator"
PASSWORD = "un mot de passe très long ☂️"
BASE = (("public", "La grande cour 🌞"), ("structure", "Salle d’étude"))
CAST = tuple((person.email.partition("@")[0], person.role) for person in PEOPLE)


class LateError(Exception):
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
    """A member who was added, or a structure that was opened."""

    member_id: str = ""
    invitation: str = ""
    structure_id: str = ""


@dataclass(frozen=True)
class Opening:
    """Opens what a run needs, however often it must ask, until `deadline`."""

    asker: Asker
    deadline: float

    async def academy(self, seeded: Seeded) -> World:
        """The first tenant, which is there: its people, signed in. Raises `LateError`."""
        run = self.asker.journal.run
        world = World(
            run,
            "academy",
            SLUG,
            PASSWORD,
            str(seeded.tenant),
            str(seeded.structure_id),
            passwords={**seeded.passwords, OPERATOR.email: PASSWORD},
        )
        people = [*CAST, (ADMIN, Role.ADMINISTRATOR), (DESK, Role.OPERATOR)]
        emails = {ADMIN: ADMINISTRATOR, DESK: OPERATOR.email}
        for name, role in people:
            email = emails.get(name, f"{name}@{DOMAIN}")
            world.people[name] = Person(world, name, email, role)
        await everybody(self.sign_in, world.people.values())
        heard = await self.insist(
            world.people[ADMIN], "list_structures", get("identity", "/structures")
        )
        tree = msgspec.json.decode(heard.body, type=Tree).items
        world.school = next(each.structure_id for each in tree if each.kind == "school")
        await self._spaces(world)
        return world

    async def lycee(self, operator: Person, number: int) -> World:
        """Open another tenant, as the operator. Raises `LateError`."""
        world = World(self.asker.journal.run, f"lycee-{number}", password=PASSWORD)
        email = f"anne.{number}@lycee.example"
        body = {"name": f"Lycée {number} {world.run} de l’Été 🌻", "admin": email}
        request = Request("identity", "POST", "/tenants", body)
        heard = await self.insist(operator, "open_tenant", request)
        opened = msgspec.json.decode(heard.body, type=OpenedTenant)
        world.slug, world.root = opened.slug, opened.structure_id
        admin = world.people[ADMIN] = Person(world, ADMIN, email, Role.ADMINISTRATOR)
        await self._come(admin, opened.invitation)
        body = {"name": "Lycée Zoë-Œuvrard", "kind": "school", "parent_id": world.root}
        request = Request("identity", "POST", "/structures", body)
        heard = await self.insist(admin, "open_structure", request)
        world.school = msgspec.json.decode(heard.body, type=Invited).structure_id
        for name, role in CAST:
            world.people[name] = Person(world, name, f"{name}@lycee.example", role)
        await everybody(self._invite, [world.people[name] for name, _ in CAST])
        # Of this tenant only: the first one's people must be able to sign in at the next run.
        world.suspensible.append(world.people[TROUBLESOME].member_id)
        await self._spaces(world)
        return world

    async def sign_in(self, person: Person) -> None:
        """Sign someone in."""
        await self.insist(person, "sign_in", sessions.sign_in(person, Random()))

    async def insist(self, person: Person, verb: str, request: Request, done: str = "") -> Heard:
        """Ask until it is done; the problem `done` says that it was. Raises `LateError`."""
        key, wait = self._key(request), WAIT
        while time.monotonic() < self.deadline:
            heard = await self.asker.attempt(person, verb, request, key)
            if heard.outcome is Outcome.OK or (done and heard.problem == done):
                return heard
            if heard.outcome is Outcome.FAILED:
                key = self._key(request)
            if heard.status == 401 and request.token is None:
                await self.sign_in(person)
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)
        raise LateError(verb)

    def _key(self, request: Request) -> str | None:
        journal = self.asker.journal
        return f"{journal.run}/{journal.number()}" if can_have_key(request) else None

    async def _invite(self, person: Person) -> None:
        world = person.world
        admin = world.people[ADMIN]
        body = {
            "display_name": f"{person.name.capitalize()} Œuvrard-N’Diaye 🎸",
            "email": person.email,
            "structure_id": world.school,
            "minor": person.role is Role.PUPIL,
        }
        heard = await self.insist(
            admin, "add_member", Request("identity", "POST", "/members", body)
        )
        added = msgspec.json.decode(heard.body, type=Invited)
        body = {
            "member_id": added.member_id,
            "role": person.role.value,
            "structure_id": world.school,
        }
        await self.insist(admin, "grant", Request("identity", "POST", "/roles", body))
        await self._come(person, added.invitation)

    async def _come(self, person: Person, invitation: str) -> None:
        request = sessions.accept_invitation(person, invitation)
        await self.insist(person, "accept_invitation", request, done="invitation_used")
        await self.sign_in(person)

    async def _spaces(self, world: World) -> None:
        opener = next(p for p in world.people.values() if p.role is Role.COMMUNITY_MANAGER)
        await asyncio.sleep(WAIT)  # until the facts of who may open one have gone round
        for visibility, name in BASE:
            full = f"{name} {world.run}"
            request = managing.space_named(opener, full, visibility, "open", base=True)
            await self.insist(opener, "open_space", request)
        await everybody(self._join, world.people.values())

    async def _join(self, person: Person) -> None:
        for space in person.world.base:
            await self.insist(person, "join", managing.joining(person, space))


async def everybody(does: Callable[[Person], Awaitable[None]], people: Iterable[Person]) -> None:
    """Let everybody do something, at once. Raises a group of what they raised."""
    async with asyncio.TaskGroup() as group:
        for person in people:
            group.create_task(_one(does, person))


async def _one(does: Callable[[Person], Awaitable[None]], person: Person) -> None:
    await does(person)
