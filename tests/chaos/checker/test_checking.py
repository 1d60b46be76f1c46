"""The checker of the chaos tests: no violation on a sample day, one for each corruption."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from deploy.local.stack import StackAddresses
from shared.contracts.catalogue import TOPICS
from shared.kit.tools.reconcile.log_index import LogIndex
from shared.kit.tools.reconcile.log_indexer import index_log
from tests.chaos.checker.check import check_across_services, check_all
from tests.chaos.checker.corruptions import BROKEN, JOURNALS, OWN, Change, Line
from tests.chaos.checker.journal_check import check_journal
from tests.chaos.checker.log_facts import LogFacts
from tests.chaos.checker.sample_day import (
    PREFIX,
    MemoryLog,
    PrefixedAddresses,
    SampleDay,
    rewrite_journal,
)
from tests.chaos.checker.state import CheckerState
from tests.chaos.checker.tables import connect_tables
from tests.chaos.violation import Violation
from tests.chaos.workload.journal import Journal
from tests.support.platform_harness import PlatformHarness, start_platform

# They take long, and run where the real servers are tested.
pytestmark = [
    pytest.mark.system,
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.asyncio(loop_scope="module"),
]


@dataclass(frozen=True)
class SampleRun:
    """A day that is over."""

    day: SampleDay
    addresses: PrefixedAddresses
    folder: Path

    log_facts: LogFacts

    async def check(self) -> list[Violation]:
        log = MemoryLog(self.day.world.bus)
        state = CheckerState()
        try:
            return await check_all(log, self.addresses, self.day.journal.path, state)
        finally:
            state.close()

    async def check_across_services(self) -> list[Violation]:
        async with connect_tables(self.addresses) as open_tables:
            return [
                violation async for violation in check_across_services(open_tables, self.log_facts)
            ]

    async def check_changed_journal(self, change: Change) -> list[Violation]:
        path = rewrite_journal(self.day.journal.path, self.folder / "changed", change)
        async with connect_tables(self.addresses) as open_tables:
            return [
                violation async for violation in check_journal(path, open_tables, self.log_facts)
            ]

    async def sql(self, service: str, statement: str) -> str:
        connection = await asyncpg.connect(
            self.addresses.database_url(service, "owner").replace("+asyncpg", "")
        )
        try:
            tenant = str(self.day.world.seeded.tenant)
            await connection.execute("SELECT set_config('app.tenants', $1, false)", tenant)
            status: str = await connection.execute(statement)
            return status
        finally:
            await connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sample_run(
    postgres_addresses: StackAddresses, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[SampleRun]:
    folder = tmp_path_factory.mktemp("journée")
    async with start_platform(postgres_addresses, folder, PREFIX) as world:
        for name in ("zoe", "hamid", "malik", "ines", "tom", "claire", "omar", "operator", "anne"):
            await world.request_ok(name, "GET", "/identity/v1/structures")
        day = SampleDay(world, Journal(folder / "journal.ndjson", "essai"))
        await day.play()
        yield SampleRun(
            day, PrefixedAddresses(postgres_addresses), folder, await _read_log_facts(world)
        )
        day.journal.close()


async def _read_log_facts(world: PlatformHarness) -> LogFacts:
    log_facts = LogFacts()
    with LogIndex() as book:
        await index_log(MemoryLog(world.bus), book, TOPICS, log_facts.apply)
    return log_facts


@pytest.fixture(autouse=True)
def _unhindered(socket_enabled: None) -> None:
    """Let a fixture of the whole module open its connections."""


async def test_sample_day_has_no_violation(sample_run: SampleRun) -> None:
    assert await sample_run.check() == []


@pytest.mark.parametrize("name", BROKEN)
async def test_corrupted_table_is_a_violation(sample_run: SampleRun, name: str) -> None:
    service, corruption, repair, invariant, text = BROKEN[name]
    assert await sample_run.sql(service, corruption) != "UPDATE 0"
    try:
        violations = await sample_run.check_across_services()
    finally:
        await sample_run.sql(service, repair or corruption)

    assert any(
        violation.invariant == invariant and text in violation.text for violation in violations
    ), violations


@pytest.mark.parametrize("name", JOURNALS)
async def test_changed_journal_is_a_violation(sample_run: SampleRun, name: str) -> None:
    change, text = JOURNALS[name]

    violations = await sample_run.check_changed_journal(change)

    assert any(
        violation.invariant == "I1" and text in violation.text for violation in violations
    ), violations


async def test_requests_without_response_allow_both_outcomes(sample_run: SampleRun) -> None:
    def unsure(line: Line) -> Line | None:
        if line["verb"].startswith("wrong_"):
            return line
        return {**line, "outcome": "maybe", "status": None, "answer": "no answer"}

    assert await sample_run.check_changed_journal(unsure) == []


async def test_corruption_within_one_service_is_a_violation(sample_run: SampleRun) -> None:
    """The last one: it breaks the whole world, and mends nothing."""
    for service, statement, _ in OWN:
        assert (await sample_run.sql(service, statement)).rpartition(" ")[2] != "0", statement

    texts = [violation.text for violation in await sample_run.check()]

    missed = [name for _, _, name in OWN if not any(name in text for text in texts)]
    assert not missed, texts
