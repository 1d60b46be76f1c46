"""Another process's reader: applies the one effect, and notes the moments of every event.

`python -m tests.benchmarks.ours.noter '<task>'`; says that it is ready, and ends by SIGTERM, when
it writes the moments to the file that `options` names.
"""

import asyncio
import json
import signal
from pathlib import Path

import uvloop

from shared.kit.runtime.garbage_collection import relax_garbage_collector
from shared.kit.runtime.runner import build_host
from tests.benchmarks.ours.moments import read_from_now
from tests.benchmarks.ours.reader import database_of
from tests.benchmarks.peers.protocol import Task, task


async def main(task: Task) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    host = build_host("community", task.options["environment"], task.kafka)
    relax_garbage_collector()
    database = database_of(host, task.database)
    timed = await read_from_now(host, database)
    print(json.dumps({"ready": True}), flush=True)
    await stop.wait()
    await host.bus.close()
    await database.stop()
    moments = {name: (came, done) for name, _, came, done in timed.moments()}
    Path(task.options["file"]).write_text(json.dumps(moments))  # noqa: ASYNC240  at the end
    print(json.dumps({"count": len(moments)}), flush=True)


if __name__ == "__main__":
    uvloop.run(main(task()))
