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
        client = RetryingClient(http, urls, journal)
        day = WorkloadRun(client, seed, PEOPLE_COUNT / rate, deadline)
        await day.run(seeded)


class WorkloadRun:
    """The people and when they ask."""

    def __init__(
        self, client: RetryingClient, seed: int, mean_pause_seconds: float, deadline: float
    ) -> None:
        self._client, self._seed, self._mean_pause_seconds, self._deadline = (
            client,
            seed,
            mean_pause_seconds,
            deadline,
        )
        self._setup = TenantSetup(client, deadline)

    async def run(self, seeded: SeededTenant) -> None:
        """Let the whole day pass; who could not begin in time does not come."""
        first_tenant = await _await_setup(self._setup.prepare_first_tenant(seeded))
        if first_tenant is None:
            return
        async with asyncio.TaskGroup() as people:
            people.create_task(self._run_people(first_tenant))
            people.create_task(self._run_second_tenant(first_tenant))

    async def _run_second_tenant(self, first_tenant: TenantState) -> None:
        second_tenant = await _await_setup(
            self._setup.open_second_tenant(first_tenant.people[OPERATOR_NAME], 2)
        )
        if second_tenant is None:
            return
        second_tenant.other_tenant, first_tenant.other_tenant = first_tenant, second_tenant
        await self._run_people(second_tenant)

    async def _run_people(self, tenant: TenantState) -> None:
        await run_for_each(self._run_person, tenant.people.values())

    async def _run_person(self, person: Person) -> None:
        """Start each planned action at its time, without waiting for earlier responses."""
        slots = asyncio.Semaphore(MAX_CONCURRENT_REQUESTS)
        due_time = time.monotonic()
        async with asyncio.TaskGroup() as requests:
            for action in plan_actions(
                self._seed, f"{person.tenant.label}/{person.name}", person.role
            ):
                due_time = max(
                    due_time + action.pause * self._mean_pause_seconds,
                    time.monotonic() - MAX_DELAY_SECONDS,
                )
                if due_time > self._deadline:
                    break
                await asyncio.sleep(due_time - time.monotonic())
                await slots.acquire()
                if time.monotonic() > self._deadline:
                    break
                task = requests.create_task(self.perform(person, action))
                task.add_done_callback(lambda _: slots.release())

    async def perform(self, person: Person, action: PlannedAction) -> None:
        """Perform an action; the person signs in first if their token has expired."""
        async with person.signing_in:
            if not person.signed_in:
                verb, request = build_request(person, "refresh", action.rng)
                await self._client.send(person, verb, request, action.rng)
        if person.signed_in:
            verb, request = build_request(person, action.verb, action.rng)
            await self._client.send(person, verb, request, action.rng)


async def _await_setup(setup: Coroutine[None, None, TenantState]) -> TenantState | None:
    tenant = None
    try:
        tenant = await setup
    except* SetupTimeoutError:
        pass  # the journal says what was asked, and how often
    return tenant
