"""I6 once more, from the log: every read model is what a replay makes of it."""

import asyncio
from itertools import chain

from deploy.local.stack import StackAddresses
from shared.kit.bus.kafka import KafkaBus
from shared.kit.tools.replay.rebuild import ReplayRequest
from tests.chaos.checker.state import CheckerState
from tests.chaos.violation import Violation

REPLAYED_SERVICES = ("metrics", "notifications", "community")


async def check_replay(addresses: StackAddresses, state: CheckerState) -> list[Violation]:
    """Replay the log of all three services into shadow schemas, concurrently, and compare."""
    violations = await asyncio.gather(
        *(_compare_with_replay(addresses, state, service) for service in REPLAYED_SERVICES)
    )
    return list(chain.from_iterable(violations))


async def _compare_with_replay(
    addresses: StackAddresses, state: CheckerState, service: str
) -> list[Violation]:
    bus = KafkaBus(addresses.cluster(), client_id=f"faults-replay-{service}")
    try:
        rebuilder = state.replay(service, addresses.database_url(service, "owner"), bus)
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
    failed = [
        Violation("I6", service, f"the replay cannot apply {event}") for event in report.failed
    ]
    return differ + failed
