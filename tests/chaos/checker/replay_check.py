"""I6 once more, from the log: every read model is what a replay makes of it."""

import asyncio
from itertools import chain

from deploy.local.stack import StackAddresses
from shared.kit.bus.kafka import KafkaBus
from shared.kit.tools.replay.rebuild import ReplayRequest
from tests.chaos.checker.state import CheckerState
from tests.chaos.violation import Violation

REPLAYED_SERVICES = ("metrics", "notifications", "community")


async def check_replay(addresses: StackAddresses, known: CheckerState) -> list[Violation]:
    """Build beside what is live, and compare: all three services at once."""
    found = await asyncio.gather(
        *(_replayed(addresses, known, service) for service in REPLAYED_SERVICES)
    )
    return list(chain.from_iterable(found))


async def _replayed(
    addresses: StackAddresses, known: CheckerState, service: str
) -> list[Violation]:
    bus = KafkaBus(addresses.cluster(), client_id=f"faults-replay-{service}")
    try:
        rebuilder = known.replay(service, addresses.database_url(service, "owner"), bus)
        report = await rebuilder.run(ReplayRequest(service, compare=True))
    finally:
        await bus.close()
    differ = [
        Violation(
            "I6",
            table.table,
            f"{service}, replayed: {table.differences} rows are not what the log makes:"
            f" {table.shown[0]}",
        )
        for table in report.tables
        if table.differences
    ]
    failed = [Violation("I6", service, f"the replay cannot apply {each}") for each in report.failed]
    return differ + failed
