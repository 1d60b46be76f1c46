"""Everything that must be true of a run that has come to rest."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from deploy.local.stack import Addresses
from shared.contracts.catalogue import PUBLISHERS
from shared.kit.tools.reconcile.check import Checker
from shared.kit.tools.reconcile.log import KafkaLog, Log
from shared.kit.tools.reconcile.source import Source, declared
from tests.chaos.checking.conversations import check_conversations
from tests.chaos.checking.copies import check_copies
from tests.chaos.checking.figures import check_figures
from tests.chaos.checking.inboxes import check_inboxes
from tests.chaos.checking.journal_check import check_journal
from tests.chaos.checking.known import Known
from tests.chaos.checking.replayed import check_replayed
from tests.chaos.checking.tables import Places, Tables, tables
from tests.chaos.checking.told import Told
from tests.chaos.run import Run
from tests.chaos.violation import Violation

_WAITING = "SELECT count(*) AS n FROM parked WHERE state <> 'skipped'"
REST = 10.0
"""Seconds for what a caller that calls too early has left on its way."""


async def check(run: Run, known: Known) -> list[Violation]:
    """Check I1 to I10; give what is broken. What is live is only read."""
    log = KafkaLog(run.addresses.cluster())
    try:
        found, replayed = await asyncio.gather(
            check_all(log, run.addresses, run.journal, known),
            check_replayed(run.addresses, known),
        )
    finally:
        await log.close()
    return found + replayed


async def check_waiting(addresses: Addresses, known: Known) -> list[Violation]:
    """Look at what waits before an operator replays it: an order that was lost shows only now.

    Once what was overtaken has been applied too, every counter agrees again. Costs nothing when
    nothing waits.
    """
    async with tables(addresses) as waiting:
        counted = [await waiting.rows(name, _WAITING) for name in PUBLISHERS]
    if not any(rows[0]["n"] for rows in counted):
        return []
    log = KafkaLog(addresses.cluster())
    try:
        sources = _sources(addresses)
        report = await Checker(log, sources, known.book, watch=known.told.hear).check()
    finally:
        await log.close()
    return [
        Violation(each.invariant, each.key, each.text)
        for each in report.wrong
        if each.invariant in {"I4", "I5"}
    ]


def _sources(places: Places) -> list[Source]:
    return [
        declared(name, places.database(name, "owner"), places.database(name, "app"))
        for name in PUBLISHERS
    ]


async def check_all(log: Log, places: Places, journal: Path, known: Known) -> list[Violation]:
    """Check a platform that has this log and these databases; a missing journal is none."""
    told = known.told
    # What `preau reconcile` checks, with an ear on the log.
    report = await Checker(log, _sources(places), known.book, watch=told.hear).check(REST)
    found = [Violation(each.invariant, each.key, each.text) for each in report.wrong]
    found += told.violations
    async with tables(places) as open_tables:
        found += [each async for each in across(open_tables, told)]
        if await asyncio.to_thread(journal.exists):
            found += [each async for each in check_journal(journal, open_tables, told)]
    return found


async def across(open_tables: Tables, told: Told) -> AsyncIterator[Violation]:
    """What no service can check alone."""
    for checked in (
        check_copies(open_tables),
        check_figures(open_tables),
        check_conversations(open_tables, told),
        check_inboxes(open_tables, told),
    ):
        async for each in checked:
            yield each
