"""`publish`: 32 connections publish posts, one worker; the real service against FastAPI + ORM."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.collector import Sink, collector
from tests.benchmarks.contest import Bench, Contender, Figures, contest
from tests.benchmarks.door import Door
from tests.benchmarks.environments import REPOSITORY
from tests.benchmarks.population import members, populate
from tests.benchmarks.rows import Row
from tests.benchmarks.servers import Servers
from tests.benchmarks.serving import free_port, load, processor_time, serving

PEOPLE = 1_000
CONNECTIONS = 32
SECONDS, WARM = 3.0, 1.0
PEER = "tests.benchmarks.peers.fastapi_orm.peer"
WHO = (
    Contender("Préau", "shared.kit.runtime"),
    Contender(
        "Préau, each with an idempotency key", "shared.kit.runtime", options={"idempotent": True}
    ),
    Contender("FastAPI + SQLAlchemy ORM", PEER),
)
_EMPTY = """
    TRUNCATE contents, outbox, heads, idempotency, audit, peer_posts, peer_outbox
"""
_EMPTY_OUTBOX = "TRUNCATE outbox"


@dataclass(frozen=True)
class Entrance:
    """What servers and clients need to know of each other."""

    servers: Servers
    sink: Sink
    requests: Path

    def environment(self, port: int, **more: str) -> dict[str, str]:
        """Return community's settings."""
        return {
            "PREAU_KAFKA": self.servers.kafka,
            "PREAU_PORT": str(port),
            "PREAU_LOG_LEVEL": "warning",
            "PREAU_JWKS_URL": self.sink.jwks_url,
            "PREAU_TRACE_SAMPLE": "0.1",
            # Counted like any request, and never refused: few people publish all of it.
            "PREAU_LIMIT_FACTOR": "1000000",
            "COMMUNITY_DATABASE_URL": self.servers.url("app"),
            "COMMUNITY_RELAY_URL": self.servers.url("relay"),
            **self.sink.environment,
            **more,
        }


def requests_file(door: Door, people: int, among: int | None = None) -> Path:
    """Write the paths and tokens that a client takes in turns: so many, spread over all."""
    path = REPOSITORY / "build" / "bench-requests.json"
    chosen = list(members(people, among or people))
    path.write_text(json.dumps(door.requests(chosen)))
    path.chmod(0o600)
    return path


async def publish(bench: Bench, servers: Servers) -> list[Row]:
    """Requests a second, and how long they take."""
    admin = await servers.admin()
    try:
        await populate(admin, PEOPLE)
    finally:
        await admin.close()
    door = Door()
    with collector(door.jwks()) as sink:
        entrance = Entrance(servers, sink, requests_file(door, PEOPLE))

        async def measure(contender: Contender, python: str, log: Path) -> Figures:
            return await published(bench, entrance, contender, python, log)

        return await contest(bench, "publish", WHO, measure)


async def published(
    bench: Bench,
    entrance: Entrance,
    contender: Contender,
    python: str,
    log: Path,
    *,
    empty: bool = True,
) -> Figures:
    """Measure one server under load; its tables are emptied first unless `empty` is False."""
    await entrance.servers.sql(_EMPTY if empty else _EMPTY_OUTBOX)
    await entrance.servers.checkpoint()
    port = free_port()
    load_options: Mapping[str, object] = {
        "port": port,
        "requests": str(entrance.requests),
        "connections": CONNECTIONS,
        "warm": WARM,
        "seconds": max(1.0, SECONDS * min(bench.scale, 1.0)),
        "idempotent": bool(contender.options.get("idempotent")),
    }
    if contender.module == PEER:
        command = [python, "-m", PEER, str(port), entrance.servers.plain()]
        environment: dict[str, str] = {}
    else:
        command = [python, "-m", contender.module, "community", "--role", "api"]
        environment = entrance.environment(port)
    async with serving(command, environment, port, log, profile=bench.profile) as server:
        before = processor_time(server)
        answered = await load(sys.executable, load_options, log.with_suffix(".client.log"))
        after = processor_time(server)
    figures = {
        ("", "requests/s"): answered["count"] / answered["seconds"],
        (", p50", "ms"): answered["p50"] * 1000,
        (", p99", "ms"): answered["p99"] * 1000,
        (", refused", "%"): answered["refused"],
        (", the client's share of a core", "%"): answered["client_cpu"] * 100,
    }
    return figures | _taken(before, after, answered)


def _taken(before: float | None, after: float | None, answered: Mapping[str, Any]) -> Figures:
    """Return what a request took of a processor; the load lasts longer than its measured part."""
    if before is None or after is None or not answered["count"]:
        return {}
    share = answered["seconds"] / (answered["seconds"] + WARM)
    seconds = (after - before) * share / answered["count"]
    return {(", processor time a request", "µs"): seconds * 1_000_000}
