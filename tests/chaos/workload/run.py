"""The random workload: people of several tenants, through the public API."""

import asyncio
import time
from collections.abc import Coroutine, Mapping

from deploy.local.seed import Seeded
from tests.chaos.workload.acts.everything import turn_into_request
from tests.chaos.workload.asker import Asker
from tests.chaos.workload.client import Http
from tests.chaos.workload.journal import Journal
from tests.chaos.workload.opening import CAST, DESK, LateError, Opening, everybody
from tests.chaos.workload.plan import Intention, plan
from tests.chaos.workload.world import Person, World

AT_ONCE = 6
"""Requests that one person has under way at most."""
LATEST = 2.0
"""Seconds after which what could not be asked in time is given up."""
PEOPLE = len(CAST) + 2 + len(CAST) + 1
"""Of the first tenant with its administrator and operator, of the second with its administrator."""


async def run(
    urls: Mapping[str, str],
    seeded: Seeded,
    seed: int,
    journal: Journal,
    seconds: float,
    rate: float,
) -> None:
    """Let people ask `rate` operations a second for `seconds`, and journal each as it ends.

    `urls` gives each service's base URL; it is looked up at every request, so that a service may
    move. The same seed asks for the same operations in the same order, person by person; answers
    decide ids. A service that is down is journalled, never raised; what is raised is an ok answer
    that is not what the API promises. The second tenant is opened first, which takes a second or
    two of the time. Returns when the last answer, or its time-out, has come: at most ten seconds
    late.
    """
    deadline = time.monotonic() + seconds
    async with Http() as http:
        asker = Asker(http, urls, journal)
        day = Day(asker, seed, PEOPLE / rate, deadline)
        await day.pass_by(seeded)


class Day:
    """The people and when they ask."""

    def __init__(self, asker: Asker, seed: int, pause: float, deadline: float) -> None:
        self._asker, self._seed, self._pause, self._deadline = asker, seed, pause, deadline
        self._opening = Opening(asker, deadline)

    async def pass_by(self, seeded: Seeded) -> None:
        """Let the whole day pass; who could not begin in time does not come."""
        academy = await _in_time(self._opening.academy(seeded))
        if academy is None:
            return
        async with asyncio.TaskGroup() as day:
            day.create_task(self._people_of(academy))
            day.create_task(self._neighbours(academy))

    async def _neighbours(self, academy: World) -> None:
        lycee = await _in_time(self._opening.lycee(academy.people[DESK], 2))
        if lycee is None:
            return
        lycee.neighbour, academy.neighbour = academy, lycee
        await self._people_of(lycee)

    async def _people_of(self, world: World) -> None:
        await everybody(self._live, world.people.values())

    async def _live(self, person: Person) -> None:
        """Ask for what is planned, at its time, whether or not the answers before have come."""
        free = asyncio.Semaphore(AT_ONCE)
        due = time.monotonic()
        async with asyncio.TaskGroup() as under_way:
            for wish in plan(self._seed, f"{person.world.label}/{person.name}", person.role):
                due = max(due + wish.pause * self._pause, time.monotonic() - LATEST)
                if due > self._deadline:
                    break
                await asyncio.sleep(due - time.monotonic())
                await free.acquire()
                if time.monotonic() > self._deadline:
                    break
                task = under_way.create_task(self.act(person, wish))
                task.add_done_callback(lambda _: free.release())

    async def act(self, person: Person, wish: Intention) -> None:
        """Do what is wished; who is not signed in signs in first."""
        async with person.signing_in:
            if not person.signed_in:
                verb, request = turn_into_request(person, "refresh", wish.draw)
                await self._asker.ask(person, verb, request, wish.draw)
        if person.signed_in:
            verb, request = turn_into_request(person, wish.verb, wish.draw)
            await self._asker.ask(person, verb, request, wish.draw)


async def _in_time(opening: Coroutine[None, None, World]) -> World | None:
    world = None
    try:
        world = await opening
    except* LateError:
        pass  # the journal says what was asked, and how often
    return world
