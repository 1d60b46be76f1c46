"""Check all invariants of a run once the platform is idle."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from deploy.local.stack import StackAddresses
from shared.contracts.catalogue import PUBLISHERS
from shared.kit.tools.reconcile.check import Checker
from shared.kit.tools.reconcile.log import KafkaLog, Log
from shared.kit.tools.reconcile.source import Source, source_of_service
from tests.chaos.checker.conversations import check_conversations
from tests.chaos.checker.copies import check_copies
from tests.chaos.checker.figures import check_figures
from tests.chaos.checker.inboxes import check_inboxes
from tests.chaos.checker.journal_check import check_journal
from tests.chaos.checker.log_facts import LogFacts
from tests.chaos.checker.replay_check import check_replay
from tests.chaos.checker.state import CheckerState
from tests.chaos.checker.tables import DatabaseAddresses, Tables, connect_tables
from tests.chaos.finished_run import FinishedRun
from tests.chaos.violation import Violation

_WAITING = "SELECT count(*) AS n FROM parked WHERE state <> 'skipped'"
SETTLE_SECONDS = 10.0
"""Seconds for what a caller that calls too early has left on its way."""


async def check_run(run: FinishedRun, state: CheckerState) -> list[Violation]:
    """Check I1 to I10 and return the violations; the platform's data are only read."""
    log = KafkaLog(run.addresses.cluster())
    try:
        violations, replayed = await asyncio.gather(
            check_all(log, run.addresses, run.journal, state),
            check_replay(run.addresses, state),
        )
    finally:
        await log.close()
    return violations + replayed


async def check_pending(addresses: StackAddresses, state: CheckerState) -> list[Violation]:
    """Look at what waits before an operator replays it: an order that was lost shows only now.

    Once what was overtaken has been applied too, every counter agrees again. Costs nothing when
    nothing waits.
    """
    async with connect_tables(addresses) as open_tables:
        counted = [await open_tables.rows(name, _WAITING) for name in PUBLISHERS]
    if not any(rows[0]["n"] for rows in counted):
        return []
    log = KafkaLog(addresses.cluster())
    try:
        sources = _sources(addresses)
        report = await Checker(log, sources, state.book, on_new_event=state.log_facts.apply).check()
    finally:
        await log.close()
    return [
        Violation(violation.invariant, violation.key, violation.text)
        for violation in report.wrong
        if violation.invariant in {"I4", "I5"}
    ]


def _sources(addresses: DatabaseAddresses) -> list[Source]:
    return [
        source_of_service(
            name, addresses.database_url(name, "owner"), addresses.database_url(name, "app")
        )
        for name in PUBLISHERS
    ]


async def check_all(
    log: Log, addresses: DatabaseAddresses, journal: Path, state: CheckerState
) -> list[Violation]:
    """Check a platform that has this log and these databases; a missing journal is none."""
    log_facts = state.log_facts
    # What `preau reconcile` checks, with an ear on the log.
    report = await Checker(
        log, _sources(addresses), state.book, on_new_event=log_facts.apply
    ).check(SETTLE_SECONDS)
    violations = [
        Violation(violation.invariant, violation.key, violation.text) for violation in report.wrong
    ]
    violations += log_facts.violations
    async with connect_tables(addresses) as open_tables:
        violations += [
            violation async for violation in check_across_services(open_tables, log_facts)
        ]
        if await asyncio.to_thread(journal.exists):
            violations += [
                violation async for violation in check_journal(journal, open_tables, log_facts)
            ]
    return violations


async def check_across_services(
    open_tables: Tables, log_facts: LogFacts
) -> AsyncIterator[Violation]:
    """What no service can check alone."""
    for checked in (
        check_copies(open_tables),
        check_figures(open_tables),
        check_conversations(open_tables, log_facts),
        check_inboxes(open_tables, log_facts),
    ):
        async for violation in checked:
            yield violation
