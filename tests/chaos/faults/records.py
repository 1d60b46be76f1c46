"""Unexpected records: poison, repetitions, odd times, newer versions, a flood."""

from datetime import timedelta
from random import Random
from uuid import UUID

from shared.contracts.event import decode_envelope
from shared.contracts.ids import TenantId
from tests.chaos.raw_kafka import TOPICS, Record, make_conversations, make_post
from tests.chaos.recovery import measure_dead_lettering
from tests.chaos.run_context import RunContext

GARBAGE_BYTES = 2_000_000
POSTS_PER_CONVERSATION = 4
"""Posts in a conversation of a flood: enough to come in the wrong order."""


async def send_poison(context: RunContext, rng: Random) -> str:
    """Write what no group can read: it is dead at once, named by its place, and nothing stops."""
    kinds = [rng.choice(sorted(POISON_KINDS)) for _ in range(rng.randint(1, 4))]
    records = [POISON_KINDS[kind](rng) for kind in kinds]
    places = await context.raw_kafka.send(records)
    context.expected_dead_letters.update(places)
    context.measure_in_background(measure_dead_lettering(context, places))
    descriptions = (f"{kind} at {t}/{p}/{o}" for kind, (t, p, o) in zip(kinds, places, strict=True))
    return ", ".join(descriptions)


def _malformed_json(rng: Random) -> Record:
    return Record(rng.choice(TOPICS), b"clef", b'{"id": "1", "type": ')


def _null_value(rng: Random) -> Record:
    return Record(rng.choice(TOPICS), b"clef", None)


def _nul_character(rng: Random) -> Record:
    written = make_post(rng, random_tenant(rng), timedelta())
    value = (written.value or b"").replace(b'"data":{', b'"data":{"nul":"\\u0000",')
    return Record(written.topic, written.key, value)


def _garbage(rng: Random) -> Record:
    return Record(rng.choice(TOPICS), rng.randbytes(12), rng.randbytes(GARBAGE_BYTES))


def _wrong_tenant(rng: Random) -> Record:
    written = make_post(rng, random_tenant(rng), timedelta())
    value = written.value or b""
    other_tenant = str(random_tenant(rng)).encode()
    own_tenant = str(decode_envelope(value).tenant).encode()
    return Record(written.topic, written.key, value.replace(own_tenant, other_tenant, 1))


POISON_KINDS = {
    "bad JSON": _malformed_json,
    "no value": _null_value,
    "a NUL": _nul_character,
    "2 MB of garbage": _garbage,
    "another tenant's key": _wrong_tenant,
}


async def send_duplicates(context: RunContext, rng: Random) -> str:
    """Write records of the log again, byte for byte, as a relay does that was killed in time."""
    repeated: list[Record] = []
    for _ in range(rng.randint(1, 4)):
        repeated += await context.raw_kafka.read_slice(rng, rng.randint(10, 200))
    # What is poison stays poison: only what has an envelope is an event.
    events = [record for record in repeated if _is_event(record)]
    await context.raw_kafka.send(events)
    return f"{len(events)} records again"


def _is_event(record: Record) -> bool:
    try:
        envelope = decode_envelope(record.value or b"")
    except Exception:  # noqa: BLE001  poison has many shapes
        return False
    return envelope.partitionkey.startswith(f"{envelope.tenant}:")


async def send_odd_times(context: RunContext, rng: Random) -> str:
    """Write posts seven days late, or of the future, out of order across their keys."""
    tenant, number = random_tenant(rng), rng.randint(20, 200)
    days = rng.choice((-7, -8, -29, 2, 9, 40))
    offsets = [timedelta(days=days, seconds=rng.uniform(-3600, 3600)) for _ in range(number)]
    await context.raw_kafka.send([make_post(rng, tenant, offset) for offset in offsets])
    context.expected_effects[tenant] = number
    return f"{number} posts of {days:+d} days"


async def send_newer_version(context: RunContext, rng: Random) -> str:
    """Write records of an unknown newer version between records of the present one."""
    tenant, number = random_tenant(rng), rng.randint(20, 100)
    records = [make_post(rng, tenant, timedelta(), version=1 + n % 2) for n in range(2 * number)]
    await context.raw_kafka.send(records)
    context.expected_effects[tenant] = number
    return f"{number} posts in version 1, {number} in version 2"


async def send_flood(context: RunContext, rng: Random) -> str:
    """Write thousands of posts and answers at once, a tenth of them twice in a row."""
    tenant, answered = random_tenant(rng), rng.randint(300, 1000)
    records = make_conversations(rng, tenant, answered, POSTS_PER_CONVERSATION)
    number = len(records)
    doubled = [record for n, record in enumerate(records) for _ in range(2 if n % 10 == 0 else 1)]
    await context.raw_kafka.send(doubled)
    context.expected_effects[tenant] = number
    return f"{number} posts in {answered} conversations, every tenth twice in a row"


def random_tenant(rng: Random) -> TenantId:
    """Draw the id of a tenant that does not exist."""
    return TenantId(UUID(int=rng.getrandbits(128), version=4))
