"""Services in one process, as `shared.kit.runtime` runs them, that also note every effect's moment.

`python -m tests.benchmarks.ours.platform <names> [<reader>]`: what is measured is the group of
the service `reader`, or a group of the benchmark's own with one effect. Ended by SIGTERM, it prints
the time from each request (its correlation id is when it was due) to its committed effect.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence

import uvloop

from shared.kit.core.bus import IncomingRecord, Partition
from shared.kit.core.host import Host
from shared.kit.inbox import report
from shared.kit.runtime import runner as run
from shared.kit.runtime.http_server import start_http_servers
from shared.kit.runtime.listen_settings import ListenSettings
from shared.kit.runtime.runner import RunningService, build_host, run_services
from shared.kit.runtime.service import Service
from tests.benchmarks.ours.moments import WARM, Timed, percentiles, read_from_now
from tests.benchmarks.ours.reader import database_of


async def main(names: list[str], reader: str) -> None:
    stop = asyncio.Event()
    for received in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(received, stop.set)
    kafka = os.environ["PREAU_KAFKA"]
    timed: list[Timed] = []
    if reader:
        _time_own(reader, timed)
    async with run_services(names, os.environ, kafka) as running:
        host = build_host("community", os.environ, kafka)
        database = database_of(host, os.environ["COMMUNITY_DATABASE_URL"])
        if not reader:
            timed.append(await read_from_now(host, database))
        await _caught_up(running)
        serving = await start_http_servers(running, ListenSettings.from_environment(os.environ))
        since, began = time.time(), time.process_time()
        await stop.wait()
        worked = time.process_time() - began
        await serving.stop()
        await host.bus.close()
        await database.stop()
    _report(timed, since, worked)


def _time_own(reader: str, timed: list[Timed]) -> None:
    """Let the runner read through a consumer that notes moments; nothing else differs."""
    plain = run.build_service

    def build(name: str, host: Host) -> Service:
        service = plain(name, host)
        consumer = service.consumer
        if name == reader and consumer is not None:
            timed.append(Timed(consumer))
            apply = consumer.handle

            async def handle(batch: Sequence[IncomingRecord]) -> Mapping[Partition, int]:
                return await timed[0].note(batch, apply)

            consumer.handle = handle  # type: ignore[method-assign]
        return service

    run.build_service = build


async def _caught_up(running: Sequence[RunningService]) -> None:
    """Wait until no consumer group has lag from the contender before."""
    for consumer in [service.service.consumer for service in running if service.service.consumer]:
        while (await report.count_outcomes(consumer, consumer.bus)).lag:  # noqa: ASYNC110  a broker's
            await asyncio.sleep(0.1)


def _report(timed: list[Timed], since: float, worked: float) -> None:
    timed_effects = [
        (float(correlation), done)
        for group in timed
        for _, correlation, _, done in group.moments()
        if correlation.replace(".", "", 1).isdigit() and float(correlation) >= since
    ]
    first = min((due for due, _ in timed_effects), default=0.0)
    waits = [done - due for due, done in timed_effects if due >= first + WARM]
    p50, p99 = percentiles(waits) if waits else (0.0, 0.0)
    report = {
        "count": len(waits),
        "all": len(timed_effects),
        "p50": p50,
        "p99": p99,
        "worked": worked,
    }
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1].split(","), sys.argv[2] if len(sys.argv) > 2 else ""))
