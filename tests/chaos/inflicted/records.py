"""Records that nobody expected: poison, repetitions, odd times, newer versions, a flood."""

from datetime import timedelta
from random import Random
from uuid import UUID

from shared.contracts.event import decode_envelope
from shared.contracts.ids import TenantId
from tests.chaos.foreign import TOPICS, Record, conversations, post
from tests.chaos.scene import Scene
from tests.chaos.watching import buried

GARBAGE = 2_000_000
EACH = 4
"""Posts in a conversation of a flood: enough to come in the wrong order."""


async def poison(scene: Scene, draw: Random) -> str:
    """Write what no group can read: it is dead at once, named by its place, and nothing stops."""
    kinds = [draw.choice(sorted(POISONS)) for _ in range(draw.randint(1, 4))]
    records = [POISONS[kind](draw) for kind in kinds]
    places = await scene.foreign.send(records)
    scene.expected_dead.update(places)
    scene.watch(buried(scene, places))
    told = (f"{kind} at {t}/{p}/{o}" for kind, (t, p, o) in zip(kinds, places, strict=True))
    return ", ".join(told)


def _bad_json(draw: Random) -> Record:
    return Record(draw.choice(TOPICS), b"clef", b'{"id": "1", "type": ')


def _nothing(draw: Random) -> Record:
    return Record(draw.choice(TOPICS), b"clef", None)


def _nul(draw: Random) -> Record:
    written = post(draw, tenant_of(draw), timedelta())
    value = (written.value or b"").replace(b'"data":{', b'"data":{"nul":"\\u0000",')
    return Record(written.topic, written.key, value)


def _garbage(draw: Random) -> Record:
    return Record(draw.choice(TOPICS), draw.randbytes(12), draw.randbytes(GARBAGE))


def _wrong_tenant(draw: Random) -> Record:
    written = post(draw, tenant_of(draw), timedelta())
    value = written.value or b""
    other = str(tenant_of(draw)).encode()
    mine = str(decode_envelope(value).tenant).encode()
    return Record(written.topic, written.key, value.replace(mine, other, 1))


POISONS = {
    "bad JSON": _bad_json,
    "no value": _nothing,
    "a NUL": _nul,
    "2 MB of garbage": _garbage,
    "another tenant's key": _wrong_tenant,
}


async def duplicates(scene: Scene, draw: Random) -> str:
    """Write records again that are in the log, byte for byte, as a relay that died does."""
    repeated: list[Record] = []
    for _ in range(draw.randint(1, 4)):
        repeated += await scene.foreign.some(draw, draw.randint(10, 200))
    # What is poison stays poison: only what has an envelope is an event.
    events = [each for each in repeated if _is_event(each)]
    await scene.foreign.send(events)
    return f"{len(events)} records again"


def _is_event(record: Record) -> bool:
    try:
        envelope = decode_envelope(record.value or b"")
    except Exception:  # noqa: BLE001  poison has many shapes
        return False
    return envelope.partitionkey.startswith(f"{envelope.tenant}:")


async def odd_times(scene: Scene, draw: Random) -> str:
    """Write posts seven days late, or of the future, out of order across their keys."""
    tenant, number = tenant_of(draw), draw.randint(20, 200)
    days = draw.choice((-7, -8, -29, 2, 9, 40))
    offsets = [timedelta(days=days, seconds=draw.uniform(-3600, 3600)) for _ in range(number)]
    await scene.foreign.send([post(draw, tenant, offset) for offset in offsets])
    scene.effects[tenant] = number
    return f"{number} posts of {days:+d} days"


async def newer_version(scene: Scene, draw: Random) -> str:
    """Write records of a version that this build does not know, among those that it does."""
    tenant, number = tenant_of(draw), draw.randint(20, 100)
    records = [post(draw, tenant, timedelta(), version=1 + n % 2) for n in range(2 * number)]
    await scene.foreign.send(records)
    scene.effects[tenant] = number
    return f"{number} posts in version 1, {number} in version 2"


async def flood(scene: Scene, draw: Random) -> str:
    """Write thousands of posts and answers at once, a tenth of them twice in a row."""
    tenant, answered = tenant_of(draw), draw.randint(300, 1000)
    records = conversations(draw, tenant, answered, EACH)
    number = len(records)
    doubled = [each for n, each in enumerate(records) for _ in range(2 if n % 10 == 0 else 1)]
    await scene.foreign.send(doubled)
    scene.effects[tenant] = number
    return f"{number} posts in {answered} conversations, every tenth twice in a row"


def tenant_of(draw: Random) -> TenantId:
    """Draw a tenant that nobody knows."""
    return TenantId(UUID(int=draw.getrandbits(128), version=4))
