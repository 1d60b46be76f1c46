"""Records that nobody expected: poison, repetitions, odd times, newer versions, a flood."""

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


async def send_poison(scene: RunContext, draw: Random) -> str:
    """Write what no group can read: it is dead at once, named by its place, and nothing stops."""
    kinds = [draw.choice(sorted(POISON_KINDS)) for _ in range(draw.randint(1, 4))]
    records = [POISON_KINDS[kind](draw) for kind in kinds]
    places = await scene.raw_kafka.send(records)
    scene.expected_dead_letters.update(places)
    scene.measure_in_background(measure_dead_lettering(scene, places))
    told = (f"{kind} at {t}/{p}/{o}" for kind, (t, p, o) in zip(kinds, places, strict=True))
    return ", ".join(told)


def _bad_json(draw: Random) -> Record:
    return Record(draw.choice(TOPICS), b"clef", b'{"id": "1", "type": ')


def _nothing(draw: Random) -> Record:
    return Record(draw.choice(TOPICS), b"clef", None)


def _nul(draw: Random) -> Record:
    written = make_post(draw, random_tenant(draw), timedelta())
    value = (written.value or b"").replace(b'"data":{', b'"data":{"nul":"\\u0000",')
    return Record(written.topic, written.key, value)


def _garbage(draw: Random) -> Record:
    return Record(draw.choice(TOPICS), draw.randbytes(12), draw.randbytes(GARBAGE_BYTES))


def _wrong_tenant(draw: Random) -> Record:
    written = make_post(draw, random_tenant(draw), timedelta())
    value = written.value or b""
    other = str(random_tenant(draw)).encode()
    mine = str(decode_envelope(value).tenant).encode()
    return Record(written.topic, written.key, value.replace(mine, other, 1))


POISON_KINDS = {
    "bad JSON": _bad_json,
    "no value": _nothing,
    "a NUL": _nul,
    "2 MB of garbage": _garbage,
    "another tenant's key": _wrong_tenant,
}


async def send_duplicates(scene: RunContext, draw: Random) -> str:
    """Write records again that are in the log, byte for byte, as a relay that died does."""
    repeated: list[Record] = []
    for _ in range(draw.randint(1, 4)):
        repeated += await scene.raw_kafka.read_slice(draw, draw.randint(10, 200))
    # What is poison stays poison: only what has an envelope is an event.
    events = [each for each in repeated if _is_event(each)]
    await scene.raw_kafka.send(events)
    return f"{len(events)} records again"


def _is_event(record: Record) -> bool:
    try:
        envelope = decode_envelope(record.value or b"")
    except Exception:  # noqa: BLE001  poison has many shapes
        return False
    return envelope.partitionkey.startswith(f"{envelope.tenant}:")


async def send_odd_times(scene: RunContext, draw: Random) -> str:
    """Write posts seven days late, or of the future, out of order across their keys."""
    tenant, number = random_tenant(draw), draw.randint(20, 200)
    days = draw.choice((-7, -8, -29, 2, 9, 40))
    offsets = [timedelta(days=days, seconds=draw.uniform(-3600, 3600)) for _ in range(number)]
    await scene.raw_kafka.send([make_post(draw, tenant, offset) for offset in offsets])
    scene.expected_effects[tenant] = number
    return f"{number} posts of {days:+d} days"


async def send_newer_version(scene: RunContext, draw: Random) -> str:
    """Write records of a version that this build does not know, among those that it does."""
    tenant, number = random_tenant(draw), draw.randint(20, 100)
    records = [make_post(draw, tenant, timedelta(), version=1 + n % 2) for n in range(2 * number)]
    await scene.raw_kafka.send(records)
    scene.expected_effects[tenant] = number
    return f"{number} posts in version 1, {number} in version 2"


async def send_flood(scene: RunContext, draw: Random) -> str:
    """Write thousands of posts and answers at once, a tenth of them twice in a row."""
    tenant, answered = random_tenant(draw), draw.randint(300, 1000)
    records = make_conversations(draw, tenant, answered, POSTS_PER_CONVERSATION)
    number = len(records)
    doubled = [each for n, each in enumerate(records) for _ in range(2 if n % 10 == 0 else 1)]
    await scene.raw_kafka.send(doubled)
    scene.expected_effects[tenant] = number
    return f"{number} posts in {answered} conversations, every tenth twice in a row"


def random_tenant(draw: Random) -> TenantId:
    """Draw a tenant that nobody knows."""
    return TenantId(UUID(int=draw.getrandbits(128), version=4))
