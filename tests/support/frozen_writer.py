"""A writer that is stopped while it sends many rows: `python -m tests.support.frozen_writer URL`.

It holds the advisory lock 4711 in its transaction, prints a line, and stops itself: PostgreSQL has
some of its rows and waits for the rest.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator

import asyncpg

from shared.kit.database.database import SESSION_SETTINGS

ADVISORY_LOCK_ID = 4711


def generate_rows() -> Iterator[tuple[str]]:
    for number in range(20_000):
        if number == 15_000:
            print("stopped", flush=True)
            os.kill(os.getpid(), signal.SIGSTOP)
        yield (f"{number}:" + "é" * 100,)


async def main(url: str) -> None:
    connection = await asyncpg.connect(url, server_settings=SESSION_SETTINGS)
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", ADVISORY_LOCK_ID)
        await connection.executemany("SELECT length($1::text)", generate_rows())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
