"""I6 once more, from the log: every read model is what a replay makes of it."""

from collections.abc import AsyncIterator

from deploy.local.stack import Addresses
from shared.kit.bus.kafka import KafkaBus
from shared.kit.replay.rebuild import Rebuilder, Wish
from tests.system.faults.violation import Violation

REBUILT = ("metrics", "notifications", "community")


async def check_replayed(addresses: Addresses) -> AsyncIterator[Violation]:
    """Rebuild beside what is live, compare, and tear down again."""
    bus = KafkaBus(addresses.kafka, client_id="faults-replay")
    try:
        for service in REBUILT:
            rebuilder = Rebuilder(addresses.database(service, "owner"), bus, {})
            report = await rebuilder.run(Wish(service, compare=True))
            await rebuilder.drop("shadow")
            for table in report.tables:
                if table.differences:
                    said = f"{table.differences} rows are not what the log makes: {table.shown[0]}"
                    yield Violation("I6", table.table, f"{service}, replayed: {said}")
            for each in report.failed:
                yield Violation("I6", service, f"the replay cannot apply {each}")
    finally:
        await bus.close()
