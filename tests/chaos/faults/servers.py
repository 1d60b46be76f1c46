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


async def restart_broker(scene: RunContext, draw: Random) -> str:
    """The broker is killed, or stopped in order, and comes back with its data."""
    return await _restart(scene, draw, "kafka", (CRASH_SIGNAL, SHUTDOWN_SIGNAL), down=2.0)


async def crash_postgres(scene: RunContext, draw: Random) -> str:
    """PostgreSQL dies in the middle of everything (`pg_ctl stop -m immediate`, or kill -9)."""
    return await _restart(scene, draw, "postgres", (CRASH_SIGNAL, IMMEDIATE_SIGNAL), down=3.0)


async def crash_redis(scene: RunContext, draw: Random) -> str:
    """Redis is killed and comes back empty."""
    return await _restart(scene, draw, "redis", (CRASH_SIGNAL,), down=3.0)


async def flush_redis(scene: RunContext, draw: Random) -> str:
    """Somebody says FLUSHALL."""
    addresses = scene.platform.addresses
    port = urlsplit(addresses.redis).port or 0
    async with scene.lock_of("redis"):
        admin = Redis.from_url(valkey.url(port, addresses.passwords, valkey.ADMIN))
        await admin.flushall()
        await admin.aclose()
    return "FLUSHALL"


async def _restart(
    scene: RunContext, draw: Random, part: ServerName, ways: tuple[signal.Signals, ...], down: float
) -> str:
    way, seconds = draw.choice(ways), draw.uniform(0, down)
    async with scene.lock_of(part):
        await scene.platform.servers.stop_part(part, way)
        await asyncio.sleep(seconds)
        began = scene.now()
        await scene.platform.servers.start_part(part)
        if part == "postgres":
            scene.measure(POSTGRES_RESTARTED, part, began=began, ended=scene.now())
    return f"{part} by {way.name}, away for {seconds:.1f} s"


async def cut_broker(scene: RunContext, draw: Random) -> str:
    """The way to the broker is cut, or swallows everything, for a while."""
    return await _cut(scene, draw, draw.uniform(3, 15))


async def cut_broker_for_a_minute(scene: RunContext, draw: Random) -> str:
    """The same for a minute."""
    return await _cut(scene, draw, 60)


async def _cut(scene: RunContext, draw: Random, seconds: float) -> str:
    weather = draw.choice(("refuse", "hang"))
    async with scene.lock_of("wire"):
        await scene.platform.broker_proxy.set_mode(weather)
        try:
            await asyncio.sleep(seconds)
        finally:
            await scene.platform.broker_proxy.set_mode("clear")
    return f"{weather} for {seconds:.0f} s"


async def fill_disk(scene: RunContext, draw: Random) -> str:
    """PostgreSQL's disk is full for a while."""
    seconds = draw.uniform(2, 8)
    if not scene.platform.disk_is_small:
        return "SKIPPED: no private mount here (unshare -m needs its rights)"
    place = postgres.data_folder(scene.platform.home)
    async with scene.lock_of("postgres"):
        await asyncio.to_thread(_fill, place / "ballast")
        try:
            await asyncio.sleep(seconds)
        finally:
            (place / "ballast").unlink()
        servers = scene.platform.servers
        fell = has_ended(servers._servers["postgres"])
        if fell:
            await servers.start_part("postgres")
    return f"for {seconds:.0f} s" + ("; the server had stopped" if fell else "")


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
