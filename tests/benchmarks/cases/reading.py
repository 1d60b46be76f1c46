"""`consume`, `effect` and `tracing`: all contenders read the same topic from its beginning."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.collector import collector
from tests.benchmarks.contest import Bench, Contender, Failed, Figures, contest, rate, task_for
from tests.benchmarks.peers.protocol import Task
from tests.benchmarks.records import addressed, posts
from tests.benchmarks.rows import Row
from tests.benchmarks.servers import Servers

RECORDS = 200_000
EFFECTS = 120_000
"""Of these, in the cases with an effect."""
OURS = "tests.benchmarks.ours.reader"
PEERS = "tests.benchmarks.peers"
UNDECODED = {"decode": False}
CONSUME = (
    Contender("Préau", OURS),
    Contender("Préau, undecoded", OURS, options=UNDECODED),
    Contender("aiokafka, by hand", f"{PEERS}.aiokafka_loop.peer"),
    Contender("aiokafka, by hand, undecoded", f"{PEERS}.aiokafka_loop.peer", options=UNDECODED),
    Contender("confluent-kafka, by hand", f"{PEERS}.confluent_loop.peer", "confluent_loop"),
    Contender(
        "confluent-kafka, by hand, undecoded",
        f"{PEERS}.confluent_loop.peer",
        "confluent_loop",
        options=UNDECODED,
    ),
    Contender("FastStream, its tutorial", f"{PEERS}.faststream_tutorial.peer", share=0.04),
    Contender("quixstreams", f"{PEERS}.quixstreams_app.peer", "quixstreams_app", share=0.7),
    Contender("sentry-arroyo, default", f"{PEERS}.arroyo_app.peer", "arroyo_app", share=0.2),
    Contender(
        "sentry-arroyo, tuned",
        f"{PEERS}.arroyo_app.peer",
        "arroyo_app",
        share=0.7,
        options={"tuned": True},
    ),
    Contender("edx-event-bus-kafka", f"{PEERS}.edx_event_bus.peer", "edx_event_bus", share=0.1),
)
EFFECT = (
    Contender("Préau", OURS, table="bench_counts"),
    Contender("Préau, batches of 2,000", OURS, batch=2000, table="bench_counts"),
    Contender(
        "Préau, five groups in one process",
        OURS,
        table="bench_counts",
        share=0.4,
        options={"groups": 5},
    ),
    Contender("aiokafka, by hand", f"{PEERS}.aiokafka_loop.peer", table="peer_counts"),
    Contender(
        "confluent-kafka, by hand",
        f"{PEERS}.confluent_loop.peer",
        "confluent_loop",
        table="peer_counts",
    ),
    Contender(
        "confluent-kafka, by hand, batches of 2,000",
        f"{PEERS}.confluent_loop.peer",
        "confluent_loop",
        batch=2000,
        table="peer_counts",
    ),
    Contender(
        "confluent-kafka, by hand, decoding in a thread",
        f"{PEERS}.confluent_loop.peer",
        "confluent_loop",
        table="peer_counts",
        options={"overlap": True},
    ),
    Contender(
        "FastStream, its tutorial",
        f"{PEERS}.faststream_tutorial.peer",
        share=0.02,
        batch=1,
        table="peer_counts",
    ),
)


async def consume(bench: Bench, servers: Servers) -> list[Row]:
    """Receive, decode, commit offsets; no effect."""
    number = bench.records(RECORDS)
    topic = await filled(servers, number, 0.1)

    async def measure(contender: Contender, python: str, log: Path) -> Figures:
        task = task_for(contender, servers.kafka, topic, number)
        return (await rate(contender, python, log, task, profile=bench.profile))[0]

    return await contest(bench, "consume", CONSUME, measure)


async def effect(bench: Bench, servers: Servers) -> list[Row]:
    """The same with one effect in PostgreSQL, deduplicated; ours also traced at 10 %."""
    return await _effects(bench, servers, "effect", EFFECT, 0.1)


async def tracing(bench: Bench, servers: Servers) -> list[Row]:
    """Ours, with the effect, when 0, 10 and 100 % of the events are traced."""
    rows = []
    for share in (0, 10, 100):
        contenders = (replace(EFFECT[0], who=f"Préau, {share} % traced"),)
        rows += await _effects(bench, servers, "tracing", contenders, share / 100)
    return rows


async def _effects(
    bench: Bench, servers: Servers, case: str, contenders: Sequence[Contender], traced: float
) -> list[Row]:
    number = bench.records(EFFECTS)
    topic = await filled(servers, number, traced)
    with collector() as sink:

        async def measure(contender: Contender, python: str, log: Path) -> Figures:
            await servers.fresh()
            is_preau = contender.table == "bench_counts"
            options = (
                {**contender.options, "environment": sink.environment}
                if is_preau
                else contender.options
            )
            url = servers.url("app") if is_preau else servers.plain()
            configured = replace(contender, url=url, options=options)
            task = task_for(configured, servers.kafka, topic, number)
            task = replace(task, count=task.count * contender.options.get("groups", 1))
            return await applied(bench, servers, configured, task, python, log)

        return await contest(bench, case, contenders, measure)


async def applied(
    bench: Bench, servers: Servers, contender: Contender, task: Task, python: str, log: Path
) -> Figures:
    """Measure one contender and count its effects; raises `Failed` when some are missing."""
    figures, event_count = await rate(contender, python, log, task, profile=bench.profile)
    effects = await servers.counted(contender.table or "")
    if effects != event_count:
        raise Failed(f"{event_count:,} events, {effects:,} effects")
    return figures


async def filled(servers: Servers, number: int, traced: float) -> str:
    """Return a topic that holds at least so many records; one is made when there is none."""
    topic = f"bench.posts.{int(traced * 100)}.{number}"
    enough = [
        name
        for name, size in servers.filled.items()
        if size >= number and name.startswith(topic.rpartition(".")[0] + ".")
    ]
    if enough:
        return enough[0]
    print(f"  writing {number:,} records to {topic}", flush=True)
    records = posts(number, traced=traced)
    await servers.fill(topic, list(addressed(records, topic)))
    servers.filled[topic] = number
    return topic
