"""`growth`: effect and publish with more and more members, and ten events in the past for each."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.cases.publishing import Entrance, published, requests_file
from tests.benchmarks.cases.reading import applied, filled
from tests.benchmarks.collector import collector
from tests.benchmarks.contest import Bench, Contender, Figures, contest, task_for
from tests.benchmarks.door import Door
from tests.benchmarks.population import populate, remember
from tests.benchmarks.rows import Row
from tests.benchmarks.servers import Servers

MEMBERS = (10_000, 100_000, 1_000_000)
PAST = 10
"""Events in the inbox for each member; a post and its head in the outbox's history too."""
EVENTS = 60_000
PEOPLE = 5_000
"""Who publish: so many of all, spread evenly."""
OURS = "tests.benchmarks.ours.reader"
_EMPTY = "TRUNCATE bench_counts, positions, parked, outbox"


async def growth(bench: Bench, servers: Servers) -> list[Row]:
    """Events and requests a second, by number of members."""
    rows: list[Row] = []
    number = bench.records(EVENTS)
    topic = await filled(servers, number, 0.1)
    door = Door()
    with collector(door.jwks()) as sink:
        for members in (max(1_000, int(count * min(1.0, bench.scale))) for count in MEMBERS):
            await _grow(servers, members)
            entrance = Entrance(servers, sink, requests_file(door, PEOPLE, members))

            async def effect(
                contender: Contender, python: str, log: Path, entrance: Entrance = entrance
            ) -> Figures:
                await servers.sql(_EMPTY)
                await servers.checkpoint()
                options = {"environment": entrance.sink.environment}
                contender_here = replace(contender, url=servers.url("app"), options=options)
                task = task_for(contender_here, servers.kafka, topic, number)
                return _main(await applied(bench, servers, contender_here, task, python, log))

            async def publish(
                contender: Contender, python: str, log: Path, entrance: Entrance = entrance
            ) -> Figures:
                figures = await published(bench, entrance, contender, python, log, empty=False)
                return {name: figures[name] for name in (("", "requests/s"), (", p99", "ms"))}

            size = f"{members:,} members, {members * PAST:,} events"
            reader = Contender(f"Préau, effect, {size}", OURS, table="bench_counts")
            server = Contender(f"Préau, publish, {size}", "shared.kit.runtime")
            rows += await contest(bench, "growth", (reader,), effect)
            rows += await contest(bench, "growth", (server,), publish)
    return rows


def _main(figures: Figures) -> Figures:
    return {name: value for name, value in figures.items() if not name[0]}


async def _grow(servers: Servers, members: int) -> None:
    began = time.monotonic()
    await servers.fresh()
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    admin = await servers.admin()
    try:
        await populate(admin, members, posts=members)
        await remember(admin, members * PAST, int(midnight.timestamp() * 1000))
        await admin.execute("ANALYZE")
    finally:
        await admin.close()
    await servers.checkpoint()
    took = time.monotonic() - began
    print(f"  {members:,} members, {members * PAST:,} events: made in {took:.0f} s", flush=True)
