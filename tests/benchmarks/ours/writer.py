"""Writes facts at a rate, as requests do: a unit, its commit, and the relay of the same process.

`python -m tests.benchmarks.ours.writer '<task>'`: `options` holds rate, seconds, environment, the
relay's URL, and the file that gets the moment of every event's commit.
"""

import asyncio
import json
import time
from pathlib import Path

import msgspec
import uvloop

from shared.contracts.community import ContentRef, PostPublished
from shared.contracts.ids import ContentId, SpaceId, TenantId
from shared.kit.core.host import Host
from shared.kit.core.unit_of_work import Caller
from shared.kit.database.database import Database
from shared.kit.relay.relay import Relay
from shared.kit.runtime.garbage_collection import relax_garbage_collector
from shared.kit.runtime.runner import build_host
from tests.benchmarks.ours.reader import database_of
from tests.benchmarks.peers.protocol import Task, task
from tests.benchmarks.population import Member, members

UNITS = 500
"""A second at most: above that a unit holds several facts, as an import's or a batch's does."""


async def main(task: Task) -> None:
    host = build_host("community", task.options["environment"], task.kafka)
    relax_garbage_collector()
    database = database_of(host, task.database)
    stop = asyncio.Event()
    relay = Relay(
        "community", task.options["relay_url"], host.bus, database.outbox_changed, host.telemetry
    )
    relaying = asyncio.create_task(relay.run(stop))
    committed: dict[str, float] = {}
    people = list(members(1_000))
    rate = int(task.options["rate"])
    facts = max(1, rate // UNITS)
    units: set[asyncio.Task[None]] = set()
    began = due = time.time()
    for number in range(int(task.options["seconds"] * rate / facts)):
        await asyncio.sleep(max(0.0, due - time.time()))
        writing = _write(host, database, people[number % len(people)], facts, committed)
        running = asyncio.create_task(writing)
        units.add(running)
        running.add_done_callback(units.discard)
        due += facts / rate
    await asyncio.gather(*units)
    print(json.dumps({"count": len(committed), "seconds": time.time() - began}), flush=True)
    Path(task.options["file"]).write_text(json.dumps(committed))  # noqa: ASYNC240  at the end
    await asyncio.sleep(1)
    stop.set()
    await relaying
    await host.bus.close()
    await database.stop()


async def _write(
    host: Host, database: Database, who: Member, facts: int, committed: dict[str, float]
) -> None:
    tenant, ids = TenantId(who.tenant), []
    caller = Caller(tenant, None, correlation="bench")
    with host.telemetry.span("POST", "server"):
        async with database.unit(caller) as unit:
            for _ in range(facts):
                content = ContentId(host.new_id())
                example = PostPublished.example()
                ref = ContentRef(kind=example.ref.kind, id=content, root_id=content)
                space = SpaceId(who.space)
                ids.append(unit.record(msgspec.structs.replace(example, ref=ref, space_id=space)))
        now = time.time()
    committed.update((str(event_id), now) for event_id in ids)


if __name__ == "__main__":
    uvloop.run(main(task()))
