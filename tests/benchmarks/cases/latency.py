"""`latency`: from commit to receipt and effect in another process; from request to effect."""

import asyncio
import contextlib
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shared.contracts.catalogue import PUBLISHERS
from shared.kit.bus.kafka import Cluster, KafkaBus
from shared.kit.database.migrations import migrate
from shared.kit.runtime.runner import ensure_topics
from tests.benchmarks.cases.publishing import Entrance, requests_file
from tests.benchmarks.collector import collector
from tests.benchmarks.contest import (
    LOGS,
    Bench,
    Contender,
    Failed,
    Figures,
    contest,
    last_words,
    launch,
    started,
)
from tests.benchmarks.door import Door
from tests.benchmarks.ours.moments import WARM, percentiles
from tests.benchmarks.peers.protocol import Task
from tests.benchmarks.population import populate
from tests.benchmarks.records import spaces_opened
from tests.benchmarks.rows import Row
from tests.benchmarks.servers import Servers
from tests.benchmarks.serving import free_port, load, serving

NAMES = tuple(PUBLISHERS)
PEOPLE, WRITERS = 1_000, 200
"""Members, and those of them who write: in the warm-up, all of their tokens have been seen."""
SECONDS = 5.0
RATES = (100, 500, 1_000, 2_000)
EVENTS = tuple(
    Contender("Préau", "writer", options={"rate": rate, "says": f" at {rate:,}/s"})
    for rate in RATES
)
REQUESTS = (
    Contender(
        "Préau, one service, request to effect at 500/s",
        "tests.benchmarks.ours.platform",
        options={"names": "community", "reader": "", "rate": 500},
    ),
    Contender(
        "Préau, five services, request to effect at 100/s",
        "tests.benchmarks.ours.platform",
        options={"names": ",".join(NAMES), "reader": "metrics", "rate": 100},
    ),
)


async def latency(bench: Bench, servers: Servers) -> list[Row]:
    """Milliseconds, by rate."""
    admin = await servers.admin()
    try:
        await populate(admin, PEOPLE)
    finally:
        await admin.close()
    for name in NAMES:
        await migrate(name, servers.url("owner", name))
    bus = KafkaBus(Cluster(servers.kafka), client_id="bench-latency")
    await ensure_topics(bus)
    await bus.send(spaces_opened())
    await bus.close()
    door = Door()
    with collector(door.jwks()) as sink:
        entrance = Entrance(servers, sink, requests_file(door, WRITERS, PEOPLE))

        async def events(contender: Contender, python: str, log: Path) -> Figures:
            return await from_commit(bench, entrance, contender, python, log)

        async def requests(contender: Contender, python: str, log: Path) -> Figures:
            return await from_request(bench, entrance, contender, python, log)

        rows = []
        for rate in EVENTS:
            # A row's name is told by what was measured, so each rate is a contest of its own.
            named = replace(rate, who=f"Préau{rate.options['says']}")
            rows += await contest(bench, "latency", (named,), events)
        return _renamed(rows) + await contest(bench, "latency", REQUESTS, requests)


def _renamed(rows: list[Row]) -> list[Row]:
    """Say `commit to receipt at 1,000/s, p50` instead of `at 1,000/s, commit to receipt, p50`."""
    named = []
    for row in rows:
        head, _, rest = row.who.partition(" at ")
        rate, separator, quantity = rest.partition("/s, ")
        parts = quantity.split(", ")
        who = f"{head}, {parts[0]} at {rate}/s, {parts[-1]}" if separator else row.who
        named.append(_with_name(row, who))
    return named


def _with_name(row: Row, who: str) -> Row:
    return Row(**{**{name: getattr(row, name) for name in row.__struct_fields__}, "who": who})


async def from_commit(
    bench: Bench, entrance: Entrance, contender: Contender, python: str, log: Path
) -> Figures:
    """One process writes and relays, another reads; their clocks are the machine's."""
    servers = entrance.servers
    await _quiet(servers)
    written, read = LOGS / "latency-written.json", LOGS / "latency-read.json"
    environment = entrance.sink.environment
    task = Task(
        servers.kafka,
        "",
        "",
        0,
        0,
        servers.url("app"),
        options={"environment": environment, "file": str(read)},
    )
    words = [python, "-m", "tests.benchmarks.ours.noter", json.dumps(asdict(task))]
    seconds = WARM + SECONDS * min(1.0, max(bench.scale, 0.4))
    options = {
        "environment": environment,
        "relay_url": servers.url("relay"),
        "rate": contender.options["rate"],
        "seconds": seconds,
        "file": str(written),
    }
    async with started(words, log) as noter:
        assert noter.stdout is not None
        await asyncio.wait_for(noter.stdout.readline(), 60)
        argument = json.dumps(asdict(replace(task, options=options)))
        writer = log.with_suffix(".writer.log")
        written_report = await launch(
            python, "tests.benchmarks.ours.writer", argument, writer, profile=bench.profile
        )
    if written_report["seconds"] > seconds * 1.2:
        raise Failed(
            f"the writer reached only {written_report['count'] / written_report['seconds']:,.0f}/s"
        )
    return _joined(written, read)


def _joined(written: Path, read: Path) -> Figures:
    commits: dict[str, float] = json.loads(written.read_text())
    moments: dict[str, tuple[float, float]] = json.loads(read.read_text())
    first = min(commits.values())
    counted = [name for name, at in commits.items() if at >= first + WARM]
    missing = [name for name in counted if name not in moments]
    if missing:
        raise Failed(f"{len(missing):,} of {len(counted):,} events never came")
    figures: Figures = {}
    for index, words in enumerate(("commit to receipt", "commit to effect")):
        waits = [(moments[name][index] - commits[name]) * 1000 for name in counted]
        p50, p99 = percentiles(waits)
        figures[f", {words}, p50", "ms"] = p50
        figures[f", {words}, p99", "ms"] = p99
    return figures


async def from_request(
    bench: Bench, entrance: Entrance, contender: Contender, python: str, log: Path
) -> Figures:
    """Services in one process; a client of another sends requests at a rate."""
    await _quiet(entrance.servers)
    port = free_port()
    names, rate = contender.options["names"], contender.options["rate"]
    command = [python, "-m", contender.module, names, *filter(None, [contender.options["reader"]])]
    environment = entrance.environment(port, **_secrets(entrance.servers, names.split(",")))
    load_options = {
        "port": port,
        "requests": str(entrance.requests),
        "connections": 32,
        "warm": WARM,
        "seconds": SECONDS * min(1.0, max(bench.scale, 0.4)),
        "rate": rate,
        "stamped": True,
    }
    async with serving(command, environment, port, log, profile=bench.profile) as server:
        answered = await load(sys.executable, load_options, log.with_suffix(".client.log"))
        await asyncio.sleep(1)
        with contextlib.suppress(ProcessLookupError):
            server.terminate()
        assert server.stdout is not None
        lines = (await asyncio.wait_for(server.stdout.read(), 60)).decode().splitlines()
    reports = [line for line in lines if line.startswith("{")]
    if not reports:
        raise Failed(f"no moments: {last_words(log)}")
    report = json.loads(reports[-1])
    wanted_effects = answered["count"]
    if report["count"] < wanted_effects * 0.9:
        raise Failed(f"{report['count']:,} effects of {wanted_effects:,} requests")
    return {
        (", p50", "ms"): report["p50"] * 1000,
        (", p99", "ms"): report["p99"] * 1000,
        (", processor time a request", "ms"): report["worked"] / report["all"] * 1000,
        (", answered, p50", "ms"): answered["p50"] * 1000,
        (", answered, p99", "ms"): answered["p99"] * 1000,
    }


def _secrets(servers: Servers, names: list[str]) -> dict[str, str]:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    variables = {"PREAU_INSTANCE": "bench"}
    if "identity" in names:
        variables["IDENTITY_SIGNING_KEY"] = pem
    if "moderation" in names:
        variables["MODERATION_SEAL_KEY"] = Fernet.generate_key().decode()
    for name in names:
        variables[f"{name.upper()}_DATABASE_URL"] = servers.url("app", name)
        variables[f"{name.upper()}_RELAY_URL"] = servers.url("relay", name)
    return variables


async def _quiet(servers: Servers) -> None:
    """Empty what the run before filled; groups keep their places."""
    await servers.sql("TRUNCATE contents, bench_counts, idempotency, audit")
    await servers.checkpoint()
