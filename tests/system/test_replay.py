"""A reaction that fails on the real servers: parked with its key, dead, replayed once mended."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from uuid_utils.compat import uuid7

from shared.contracts.community import ContentKind, ContentRef
from shared.contracts.event import Envelope, encode, encode_data, partition_key
from shared.contracts.ids import (
    ContentId,
    DecisionId,
    EventId,
    SpaceId,
    StructureId,
    TenantId,
    imported_id,
)
from shared.contracts.moderation import Action, DecidedBy, DecisionMade
from tests.support.plain_clients import fetch_as_owner, produce
from tests.system.conftest import Platform
from tests.system.test_chain import assert_counts_match, status

pytestmark = [
    pytest.mark.system,
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.timeout(180),
]
SOURCE, OUTSIDE = "elsewhere", "post:7"
ALIKE = ("post:8", "post:9")
PATIENCE = 90.0


def _ask(platform: Platform, method: str, path: str, body: object = None) -> Any:
    token = platform.token_file.read_text(encoding="ascii")
    headers = {"Authorization": f"Bearer {token}"}
    response = httpx.request(method, platform.url + path, json=body, headers=headers, timeout=30)
    assert response.is_success, response.text
    return response.json()


def _decision(
    tenant: TenantId,
    space: SpaceId,
    structure: StructureId,
    action: Action,
    outside: str = OUTSIDE,
) -> tuple[bytes, bytes]:
    """Decide on a content that is not there, as its key and its record."""
    content = ContentId(imported_id(tenant, SOURCE, "content", outside))
    fact = DecisionMade(
        ref=ContentRef(kind=ContentKind.DISCUSSION, id=content, root_id=content),
        space_id=space,
        structure_id=structure,
        decision_id=DecisionId(uuid7()),
        action=action,
        policy="insult",
        reason="insult",
        decided_by=DecidedBy.MEMBER,
    )
    now = datetime.now(UTC)
    key = partition_key(tenant, fact)
    envelope = Envelope(
        id=EventId(uuid7()),
        type=fact.wire_type(),
        source="/elsewhere",
        subject=str(fact.decision_id),
        time=now,
        tenant=tenant,
        partitionkey=key,
        sequence="0000000001",
        recordedtime=now,
        correlationid="ailleurs",
        data=encode_data(fact),
    )
    return key.encode(), encode(envelope)


async def _states(platform: Platform, key: bytes) -> list[str]:
    query = 'SELECT state FROM parked WHERE key = $1 ORDER BY "offset"'
    rows = await fetch_as_owner(platform.addresses, "community", query, key.decode())
    return [row["state"] for row in rows]


async def _wait_for_states(platform: Platform, key: bytes, expected_states: list[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while (states := await _states(platform, key)) != expected_states:
        assert time.monotonic() < deadline, states
        await asyncio.sleep(0.3)


def _import(platform: Platform, space: str, outside: str) -> None:
    """Mend the data that the events met: let there be what they are about."""
    line = {
        "outside_id": outside,
        "kind": "discussion",
        "title": "Retrouvé",
        "body": "Il était là.",
        "created_at": "2026-01-01T08:00:00+00:00",
    }
    chunk = {"space_id": space, "source": SOURCE, "lines": [line]}
    done = _ask(platform, "POST", "/community/v1/imports", chunk)
    assert done["lines"][0]["outcome"] == "created"


def _standing(platform: Platform, tenant: TenantId, outside: str) -> tuple[str, str]:
    path = _path(tenant, outside)
    (shown,) = _ask(platform, "GET", path)["items"]
    return shown["standing"], shown["reason"]


def _is_visible(platform: Platform, tenant: TenantId, outside: str) -> bool:
    token = platform.token_file.read_text(encoding="ascii")
    headers = {"Authorization": f"Bearer {token}"}
    response = httpx.get(platform.url + _path(tenant, outside), headers=headers, timeout=30)
    assert response.status_code in (200, 404), response.text
    return response.is_success


def _path(tenant: TenantId, outside: str) -> str:
    return f"/community/v1/contents/{imported_id(tenant, SOURCE, 'content', outside)}"


def _typed(platform: Platform, *words: str) -> str:
    done = platform.command("dead-letters", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_failed_events_are_parked_with_their_keys_die_and_are_replayed_in_order(
    platform: Platform,
) -> None:
    (row,) = await fetch_as_owner(
        platform.addresses, "identity", "SELECT tenant_id FROM tenants LIMIT 1"
    )
    tenant = TenantId(row["tenant_id"])
    root = _ask(platform, "GET", "/identity/v1/structures")["items"][0]["structure_id"]
    new = {"name": "Cour à réparer 🔧", "structure_id": root}
    space = _ask(platform, "POST", "/community/v1/spaces", new)["space_id"]
    where = SpaceId(UUID(space)), StructureId(UUID(root))
    kafka = platform.addresses.cluster()
    key, hide = _decision(tenant, *where, Action.HIDE)
    position = await produce(kafka, DecisionMade.TOPIC, key, hide)
    alike = [_decision(tenant, *where, Action.HIDE, outside) for outside in ALIKE]
    for record in alike:
        await produce(kafka, DecisionMade.TOPIC, *record)
    await _wait_for_states(platform, key, ["parked"])
    await produce(kafka, DecisionMade.TOPIC, *_decision(tenant, *where, Action.KEEP))
    await _wait_for_states(platform, key, ["parked", "parked"])
    await _wait_for_states(platform, key, ["dead", "parked"])
    await assert_counts_match(platform, status(platform))

    _import(platform, space, OUTSIDE)
    _typed(platform, "replay", "community", str(position))
    await _wait_for_states(platform, key, [])
    # Kept changes nothing of what was not hidden first: both were applied, in order.
    assert _standing(platform, tenant, OUTSIDE) == ("visible", "insult")

    await _replay_by_cause(platform, tenant, space, [failed for failed, _ in alike])
    await assert_counts_match(platform, status(platform))


async def _replay_by_cause(
    platform: Platform, tenant: TenantId, space: str, keys: list[bytes]
) -> None:
    for key in keys:
        await _wait_for_states(platform, key, ["dead"])
    counted = platform.json("dead-letters", "list", "--by-cause", "--group", "community")
    (cause,) = [key for key in counted["causes"] if key["letters"] == len(keys)]
    assert cause["type"] == DecisionMade.wire_type()
    assert cause["cause"] in _typed(platform, "show", "community", cause["example"])
    for outside in ALIKE:
        _import(platform, space, outside)
    dry = _typed(platform, "replay", "--cause", cause["cause"], "--dry-run")
    assert dry.splitlines()[-1] == "would replay: 2"
    assert [await _states(platform, key) for key in keys] == [["dead"], ["dead"]]
    assert all(_is_visible(platform, tenant, outside) for outside in ALIKE)
    _typed(platform, "replay", "--cause", cause["cause"])
    for key in keys:
        await _wait_for_states(platform, key, [])
    assert not any(_is_visible(platform, tenant, outside) for outside in ALIKE)
