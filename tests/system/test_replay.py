"""A reaction that fails on the real servers: parked with its key, dead, replayed once mended."""

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
from tests.system.bare import produce, sql
from tests.system.conftest import Platform
from tests.system.test_chain import agrees_with_a_stranger, status

pytestmark = [
    pytest.mark.system,
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.timeout(180),
]
SOURCE, OUTSIDE = "elsewhere", "post:7"
PATIENCE = 90.0


def _ask(platform: Platform, method: str, path: str, body: object = None) -> Any:
    token = platform.token_file.read_text(encoding="ascii")
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.request(method, platform.url + path, json=body, headers=headers, timeout=30)
    assert answer.is_success, answer.text
    return answer.json()


def _decision(
    tenant: TenantId, space: SpaceId, structure: StructureId, action: Action
) -> tuple[bytes, bytes]:
    """Decide on a content that is not there, as its key and its record."""
    content = ContentId(imported_id(tenant, SOURCE, "content", OUTSIDE))
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


def _states(platform: Platform, key: bytes) -> list[str]:
    letters = platform.json("dead-letters", "list", "--all")["dead_letters"]
    mine = [e for e in letters if e["group"] == "community" and e["key"] == key.decode()]
    return [each["state"] for each in sorted(mine, key=lambda each: int(each["offset"]))]


def _until(platform: Platform, key: bytes, wanted: list[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while (found := _states(platform, key)) != wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.3)


async def test_a_failed_event_is_parked_with_its_key_dies_and_is_replayed_in_order(
    platform: Platform,
) -> None:
    (row,) = await sql(platform.addresses, "identity", "SELECT tenant_id FROM tenants LIMIT 1")
    tenant = TenantId(row["tenant_id"])
    root = _ask(platform, "GET", "/identity/v1/structures")["items"][0]["structure_id"]
    new = {"name": "Cour à réparer 🔧", "structure_id": root}
    space = _ask(platform, "POST", "/community/v1/spaces", new)["space_id"]
    where = SpaceId(UUID(space)), StructureId(UUID(root))
    kafka = platform.addresses.kafka
    key, hide = _decision(tenant, *where, Action.HIDE)
    place = await produce(kafka, DecisionMade.TOPIC, key, hide)
    _until(platform, key, ["parked"])
    await produce(kafka, DecisionMade.TOPIC, *_decision(tenant, *where, Action.KEEP))
    _until(platform, key, ["parked", "parked"])
    _until(platform, key, ["dead", "parked"])
    await agrees_with_a_stranger(platform, status(platform))

    line = {
        "outside_id": OUTSIDE,
        "kind": "discussion",
        "title": "Retrouvé",
        "body": "Il était là.",
        "created_at": "2026-01-01T08:00:00+00:00",
    }
    chunk = {"space_id": space, "source": SOURCE, "lines": [line]}
    done = _ask(platform, "POST", "/community/v1/imports", chunk)
    assert done["lines"][0]["outcome"] == "created"
    replayed = platform.command("dead-letters", "replay", "community", str(place))
    assert replayed.returncode == 0, replayed.stderr
    _until(platform, key, [])

    content = imported_id(tenant, SOURCE, "content", OUTSIDE)
    (shown,) = _ask(platform, "GET", f"/community/v1/contents/{content}")["items"]
    # Kept changes nothing of what was not hidden first: both were applied, in order.
    assert (shown["standing"], shown["reason"]) == ("visible", "insult")
    await agrees_with_a_stranger(platform, status(platform))
