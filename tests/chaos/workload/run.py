"""The random workload: people of several tenants, through the public API."""

import asyncio
import time
from collections.abc import Coroutine, Mapping

from deploy.local.seed import SeededTenant
from tests.chaos.workload.actions.all_actions import build_request
from tests.chaos.workload.http_client import HttpClient
from tests.chaos.workload.journal import Journal
from tests.chaos.workload.plan import PlannedAction, plan_actions
from tests.chaos.workload.retrying_client import RetryingClient
from tests.chaos.workload.setup import (
    MEMBER_ROLES,
    OPERATOR_NAME,
    SetupTimeoutError,
    TenantSetup,
    run_for_each,
)
from tests.chaos.workload.tenant_state import Person, TenantState

MAX_CONCURRENT_REQUESTS = 6
"""Requests that one person has under way at most."""
MAX_DELAY_SECONDS = 2.0
"""Seconds after which what could not be asked in time is given up."""
PEOPLE_COUNT = len(MEMBER_ROLES) + 2 + len(MEMBER_ROLES) + 1
"""Of the first tenant with its administrator and operator, of the second with its administrator."""


async def run_workload(
    urls: Mapping[str, str],
    seeded: SeededTenant,
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
    async with HttpClient() as http:
        asker = RetryingClient(http, urls, journal)
        day = WorkloadRun(asker, seed, PEOPLE_COUNT / rate, deadline)
        await day.run(seeded)


class WorkloadRun:
    """The people and when they ask."""

    def __init__(self, asker: RetryingClient, seed: int, pause: float, deadline: float) -> None:
        self._asker, self._seed, self._pause, self._deadline = asker, seed, pause, deadline
        self._opening = TenantSetup(asker, deadline)

    async def run(self, seeded: SeededTenant) -> None:
        """Let the whole day pass; who could not begin in time does not come."""
        academy = await _in_time(self._opening.prepare_first_tenant(seeded))
        if academy is None:
            return
        async with asyncio.TaskGroup() as day:
            day.create_task(self._people_of(academy))
            day.create_task(self._neighbours(academy))

    async def _neighbours(self, academy: TenantState) -> None:
        lycee = await _in_time(self._opening.open_second_tenant(academy.people[OPERATOR_NAME], 2))
        if lycee is None:
            return
        lycee.other_tenant, academy.other_tenant = academy, lycee
        await self._people_of(lycee)

    async def _people_of(self, world: TenantState) -> None:
        await run_for_each(self._live, world.people.values())

    async def _live(self, person: Person) -> None:
        """Ask for what is planned, at its time, whether or not the answers before have come."""
        free = asyncio.Semaphore(MAX_CONCURRENT_REQUESTS)
        due = time.monotonic()
        async with asyncio.TaskGroup() as under_way:
            for wish in plan_actions(
                self._seed, f"{person.tenant.label}/{person.name}", person.role
            ):
                due = max(due + wish.pause * self._pause, time.monotonic() - MAX_DELAY_SECONDS)
                if due > self._deadline:
                    break
                await asyncio.sleep(due - time.monotonic())
                await free.acquire()
                if time.monotonic() > self._deadline:
                    break
                task = under_way.create_task(self.perform(person, wish))
                task.add_done_callback(lambda _: free.release())

    async def perform(self, person: Person, wish: PlannedAction) -> None:
        """Do what is wished; who is not signed in signs in first."""
        async with person.signing_in:
            if not person.signed_in:
                verb, request = build_request(person, "refresh", wish.rng)
                await self._asker.send(person, verb, request, wish.rng)
        if person.signed_in:
            verb, request = build_request(person, wish.verb, wish.rng)
            await self._asker.send(person, verb, request, wish.rng)


async def _in_time(opening: Coroutine[None, None, TenantState]) -> TenantState | None:
    world = None
    try:
        world = await opening
    except* SetupTimeoutError:
        pass  # the journal says what was asked, and how often
    return world
