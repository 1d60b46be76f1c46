"""Everything that must be true of a run that has come to rest."""

from collections.abc import AsyncIterator

from shared.contracts.catalogue import PUBLISHERS
from shared.kit.reconcile.check import Checker
from shared.kit.reconcile.log import KafkaLog
from shared.kit.reconcile.source import declared
from tests.system.faults.checking.conversations import check_conversations
from tests.system.faults.checking.copies import check_copies
from tests.system.faults.checking.figures import check_figures
from tests.system.faults.checking.inboxes import check_inboxes
from tests.system.faults.checking.journal_check import check_journal
from tests.system.faults.checking.tables import Tables, tables
from tests.system.faults.checking.told import Told
from tests.system.faults.run import Run
from tests.system.faults.violation import Violation

REST = 10.0
"""Seconds for what a caller that calls too early has left on its way."""


async def check(run: Run) -> list[Violation]:
    """Check I1 to I10; give what is broken. Reads only."""
    told = Told()
    found = [Violation(*each) for each in await _reconciled(run, told)]
    found += told.violations
    open_tables = await tables(run.addresses)
    async for each in _across(open_tables, told):
        found.append(each)
    if run.journal.exists():
        found += [each async for each in check_journal(run.journal, open_tables, told)]
    return found


async def _reconciled(run: Run, told: Told) -> list[tuple[str, str, str]]:
    """What `preau reconcile` checks, with an ear on the log."""
    log = KafkaLog(run.addresses.kafka)
    place = run.addresses.database
    sources = [declared(name, place(name, "owner"), place(name, "app")) for name in PUBLISHERS]
    try:
        report = await Checker(log, sources, watch=told.hear).check(REST)
    finally:
        await log.close()
    return [(each.invariant, each.key, each.text) for each in report.wrong]


async def _across(open_tables: Tables, told: Told) -> AsyncIterator[Violation]:
    """What no service can check alone."""
    for checked in (
        check_copies(open_tables),
        check_figures(open_tables),
        check_conversations(open_tables, told),
        check_inboxes(open_tables, told),
    ):
        async for each in checked:
            yield each
