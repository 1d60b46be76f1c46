"""I6 once more, from the log: every read model is what a replay makes of it."""

import asyncio
from itertools import chain

from deploy.local.stack import Addresses
from shared.kit.bus.kafka import KafkaBus
from shared.kit.tools.replay.rebuild import Wish
from tests.chaos.checking.known import Known
from tests.chaos.violation import Violation

REBUILT = ("metrics", "notifications", "community")


async def check_replayed(addresses: Addresses, known: Known) -> list[Violation]:
    """Build beside what is live, and compare: all three services at once."""
    found = await asyncio.gather(*(_replayed(addresses, known, service) for service in REBUILT))
    return list(chain.from_iterable(found))


async def _replayed(addresses: Addresses, known: Known, service: str) -> list[Violation]:
    bus = KafkaBus(addresses.cluster(), client_id=f"faults-replay-{service}")
    try:
        rebuilder = known.replay(service, addresses.database(service, "owner"), bus)
        report = await rebuilder.run(Wish(service, compare=True))
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
