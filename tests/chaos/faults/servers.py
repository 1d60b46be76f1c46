"""Faults of the servers and of the way to them."""

import asyncio
import os
import signal
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from redis.asyncio import Redis

from deploy.local import postgres, valkey
from deploy.local.choices import ServerName
from tests.chaos.objectives import POSTGRES_RESTARTED
from tests.chaos.run_context import RunContext
from tests.chaos.servers import has_ended

PAGE_BYTES = 4096
CRASH_SIGNAL, SHUTDOWN_SIGNAL, IMMEDIATE_SIGNAL = signal.SIGKILL, signal.SIGTERM, signal.SIGQUIT


async def restart_broker(context: RunContext, rng: Random) -> str:
    """The broker is killed, or stopped in order, and comes back with its data."""
    return await _restart(context, rng, "kafka", (CRASH_SIGNAL, SHUTDOWN_SIGNAL), down=2.0)


async def crash_postgres(context: RunContext, rng: Random) -> str:
    """Crash PostgreSQL under load (`pg_ctl stop -m immediate`, or kill -9)."""
    return await _restart(context, rng, "postgres", (CRASH_SIGNAL, IMMEDIATE_SIGNAL), down=3.0)


async def crash_redis(context: RunContext, rng: Random) -> str:
    """Redis is killed and comes back empty."""
    return await _restart(context, rng, "redis", (CRASH_SIGNAL,), down=3.0)


async def flush_redis(context: RunContext, rng: Random) -> str:
    """Delete all keys of Redis (FLUSHALL)."""
    addresses = context.platform.addresses
    port = urlsplit(addresses.redis).port or 0
    async with context.lock_of("redis"):
        admin = Redis.from_url(valkey.url(port, addresses.passwords, valkey.ADMIN))
        await admin.flushall()
        await admin.aclose()
    return "FLUSHALL"


async def _restart(
    context: RunContext,
    rng: Random,
    part: ServerName,
    ways: tuple[signal.Signals, ...],
    down: float,
) -> str:
    way, seconds = rng.choice(ways), rng.uniform(0, down)
    async with context.lock_of(part):
        await context.platform.servers.stop_part(part, way)
        await asyncio.sleep(seconds)
        began = context.now()
        await context.platform.servers.start_part(part)
        if part == "postgres":
            context.measure(POSTGRES_RESTARTED, part, began=began, ended=context.now())
    return f"{part} by {way.name}, away for {seconds:.1f} s"


async def cut_broker(context: RunContext, rng: Random) -> str:
    """The way to the broker is cut, or swallows everything, for a while."""
    return await _cut_broker(context, rng, rng.uniform(3, 15))


async def cut_broker_for_a_minute(context: RunContext, rng: Random) -> str:
    """The same for a minute."""
    return await _cut_broker(context, rng, 60)


async def _cut_broker(context: RunContext, rng: Random, seconds: float) -> str:
    mode = rng.choice(("refuse", "hang"))
    async with context.lock_of("wire"):
        await context.platform.broker_proxy.set_mode(mode)
        try:
            await asyncio.sleep(seconds)
        finally:
            await context.platform.broker_proxy.set_mode("clear")
    return f"{mode} for {seconds:.0f} s"


async def fill_disk(context: RunContext, rng: Random) -> str:
    """PostgreSQL's disk is full for a while."""
    seconds = rng.uniform(2, 8)
    if not context.platform.disk_is_small:
        return "SKIPPED: no private mount here (unshare -m needs its rights)"
    data_folder = postgres.data_folder(context.platform.home)
    async with context.lock_of("postgres"):
        await asyncio.to_thread(_fill, data_folder / "ballast")
        try:
            await asyncio.sleep(seconds)
        finally:
            (data_folder / "ballast").unlink()
        servers = context.platform.servers
        server_stopped = has_ended(servers._servers["postgres"])
        if server_stopped:
            await servers.start_part("postgres")
    return f"for {seconds:.0f} s" + ("; the server had stopped" if server_stopped else "")


def _fill(ballast: Path) -> None:
    """Write until nothing fits any more, in ever smaller pieces."""
    piece = 1 << 26
    with ballast.open("wb", buffering=0) as file:
        while piece >= PAGE_BYTES:
            try:
                os.posix_fallocate(file.fileno(), file.tell(), piece)
                file.seek(piece, os.SEEK_CUR)
            except OSError:
                piece //= 2
