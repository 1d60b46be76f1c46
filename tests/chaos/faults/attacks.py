"""Attacks: hostile bodies, forged events, sign-ins without Redis."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from urllib.parse import urlsplit

import httpx
import msgspec
from redis.asyncio import Redis

from deploy.local import valkey
from deploy.local.seed import PEOPLE, SLUG
from shared.contracts.event import Envelope, decode_envelope, encode, encode_data, partition_key
from shared.contracts.identity import Role, RoleGranted
from shared.contracts.ids import EventId, MemberId, TenantId
from tests.chaos.faults.records import random_tenant
from tests.chaos.finished_run import FOREIGN_SOURCE
from tests.chaos.objectives import LIVENESS_LATENCY, SIGN_IN_WITHOUT_REDIS
from tests.chaos.raw_kafka import Record, make_post, uuid7_at
from tests.chaos.recovery import measure_dead_lettering
from tests.chaos.run_context import RunContext

REQUEST_TIMEOUT_SECONDS = 30.0
POLL_INTERVAL_SECONDS = 0.1
INCOMPLETE_REQUESTS = 60
HOSTILE_TEXTS = ("! " * 30_000, "<b a=1>" * 8_500, "c*o*n*n*a*r*d " * 4_000, "> " * 29_000 + "x")
"""Bodies of the largest size that screening has to read."""
_ZEROS = b"[" + b"0," * 450_000 + b"0]"
_UNKNOWN = b"{" + b",".join(b'"u%d":0' % number for number in range(40_000)) + b"}"
_DEEP = b"[" * 400_000
HOSTILE_BODIES = {"zeros": _ZEROS, "unknown fields": _UNKNOWN, "brackets": _DEEP}
ATTACKED_PATHS = (
    ("identity", "/identity/v1/sessions"),
    ("identity", "/identity/v1/imports"),
    ("community", "/community/v1/imports"),
    ("community", "/community/v1/spaces/x/posts"),
    ("moderation", "/moderation/v1/cases/x/decision"),
)


async def hostile_bodies(context: RunContext, rng: Random) -> str:
    """Send bodies that are expensive to read, to routes and to screening, and measure liveness."""
    tenant = random_tenant(rng)
    posts = [_with_body(make_post(rng, tenant, timedelta()), text) for text in HOSTILE_TEXTS]
    context.expected_effects[tenant] = len(posts)
    async with httpx.AsyncClient(trust_env=False, timeout=REQUEST_TIMEOUT_SECONDS) as client:
        sent = asyncio.Event()
        watching = asyncio.create_task(_watch_health(context, client, sent))
        try:
            await context.raw_kafka.send(posts)
            answers = [await _send_hostile(context, client, rng) for _ in range(rng.randint(4, 8))]
            await _hold_incomplete_requests(context)
        finally:
            sent.set()
            await watching
    return f"{len(posts)} texts; answers {', '.join(answers)}; {INCOMPLETE_REQUESTS} half heads"


def _with_body(record: Record, text: str) -> Record:
    envelope = decode_envelope(record.value or b"")
    data = msgspec.json.decode(envelope.data)
    data["content"] = {"clear": {"body": text, "language": "fr"}}
    changed = msgspec.structs.replace(envelope, data=msgspec.Raw(msgspec.json.encode(data)))
    return Record(record.topic, record.key, encode(changed))


async def _send_hostile(context: RunContext, client: httpx.AsyncClient, rng: Random) -> str:
    kind, (service, path) = rng.choice(sorted(HOSTILE_BODIES)), rng.choice(ATTACKED_PATHS)
    try:
        response = await client.post(
            f"{context.platform.urls[service]}{path}",
            content=HOSTILE_BODIES[kind],
            headers={"content-type": "application/json"},
        )
    except httpx.HTTPError as error:  # the pod may be down by another fault, or cut us off
        return f"{kind} {type(error).__name__}"
    return f"{kind} {response.status_code}"


async def _hold_incomplete_requests(context: RunContext) -> None:
    """Open connections that never finish their head, for two seconds."""
    address = urlsplit(context.platform.urls["community"])
    writers = []
    for _ in range(INCOMPLETE_REQUESTS):
        with suppress(OSError):
            _, writer = await asyncio.open_connection(address.hostname, address.port)
            writer.write(b"POST /community/v1/imports HTTP/1.1\r\nHost: x\r\n")
            writers.append(writer)
    await asyncio.sleep(2)
    for writer in writers:
        writer.close()


async def _watch_health(
    context: RunContext, client: httpx.AsyncClient, sent: asyncio.Event
) -> None:
    """Measure the slowest answer of each service's liveness."""

    async def worst(service: str) -> None:
        slowest, began = 0.0, context.now()
        while not sent.is_set():
            start = time.monotonic()
            with suppress(httpx.HTTPError):  # a pod that is killed by another fault
                await client.get(f"{context.platform.urls[service]}/health/live")
                slowest = max(slowest, time.monotonic() - start)
            await asyncio.sleep(POLL_INTERVAL_SECONDS)
        context.measure(LIVENESS_LATENCY, service, began=began, number=slowest)

    await asyncio.gather(*(worst(service) for service in context.platform.urls))


async def forged_record(context: RunContext, rng: Random) -> str:
    """Write role grants that identity did not publish."""
    tenant = context.platform.seeded.tenant
    records = [_forged(rng, tenant) for _ in range(rng.randint(1, 3))]
    places = await context.raw_kafka.send(records)
    context.expected_dead_letters.update(places)
    context.measure_in_background(measure_dead_lettering(context, places))
    return f"{len(records)} grants of the operator's role"


def _forged(rng: Random, tenant: TenantId) -> Record:
    """Forge a grant to a member that does not exist, so that no real event has its key."""
    moment = datetime.now(UTC)
    structure = RoleGranted.example().structure_id
    member = MemberId(uuid7_at(moment, rng))
    fact = RoleGranted(member_id=member, role=Role.OPERATOR, structure_id=structure)
    envelope = Envelope(
        id=EventId(uuid7_at(moment, rng)),
        type=RoleGranted.wire_type(),
        source=FOREIGN_SOURCE,
        subject=str(member),
        time=moment,
        tenant=tenant,
        partitionkey=partition_key(tenant, fact),
        sequence=f"{rng.choice((1, 2, 10**6)):010d}",
        recordedtime=moment,
        correlationid="contrefaçon",
        data=encode_data(fact),
    )
    return Record(RoleGranted.TOPIC, envelope.partitionkey.encode(), encode(envelope))


async def redis_away_at_sign_in(context: RunContext, rng: Random) -> str:
    """Redis is gone for some seconds, while people sign in."""
    async with context.lock_of("redis"):
        await context.platform.servers.stop_part("redis", signal.SIGKILL)
        try:
            number = await _people_sign_in(context, rng)
        finally:
            await context.platform.servers.start_part("redis")
    return f"away while {number} people signed in"


async def redis_full(context: RunContext, rng: Random) -> str:
    """Redis rejects writes, as if it were filled with keys of the rate limiter."""
    addresses = context.platform.addresses
    port = urlsplit(addresses.redis).port or 0
    async with context.lock_of("redis"):
        admin = Redis.from_url(valkey.url(port, addresses.passwords, valkey.ADMIN))
        # Nothing is thrown away for a new key, and there is room for none.
        await admin.config_set("maxmemory-policy", "noeviction")
        await admin.config_set("maxmemory", "1")
        try:
            number = await _people_sign_in(context, rng)
        finally:
            await admin.config_set("maxmemory", valkey.MAX_MEMORY)
            await admin.config_set("maxmemory-policy", "volatile-ttl")
            await admin.aclose()
    return f"full while {number} people signed in"


async def _people_sign_in(context: RunContext, rng: Random) -> int:
    """Let people of the first tenant sign in one by one, and measure how long each takes."""
    people = rng.sample(PEOPLE, 3)
    url = f"{context.platform.urls['identity']}/identity/v1/sessions"
    async with httpx.AsyncClient(trust_env=False, timeout=REQUEST_TIMEOUT_SECONDS) as client:
        for person in people:
            began = context.now()
            body = {
                "tenant": SLUG,
                "email": person.email,
                "password": context.platform.seeded.passwords[person.email],
            }
            ended = await _until_signed_in(context, partial(client.post, url, json=body))
            context.measure(SIGN_IN_WITHOUT_REDIS, "identity", began=began, ended=ended)
    return len(people)


async def _until_signed_in(
    context: RunContext, ask: Callable[[], Awaitable[httpx.Response]]
) -> float | None:
    deadline = context.now() + SIGN_IN_WITHOUT_REDIS.violation_limit
    while context.now() < deadline:
        with suppress(httpx.HTTPError):
            if (await ask()).status_code == httpx.codes.CREATED:
                return context.now()
        await asyncio.sleep(POLL_INTERVAL_SECONDS)
    return None
