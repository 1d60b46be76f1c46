"""Tenants do not see each other: through events, and in the tables themselves."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from shared.contracts.ids import TenantId
from shared.kit.core.bus import IncomingRecord, Partition
from tests.support.platform_harness import PlatformHarness

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]
TOPIC = "community.post"
READERS = ("moderation", "notifications", "metrics")
_TABLES = sa.text("""
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
    WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relrowsecurity
""")


async def _record_of(world: PlatformHarness, content: str) -> IncomingRecord:
    """Find the record in which a content was published."""
    for partition, end in (await world.bus.get_log_bounds([TOPIC])).end.items():
        for record in await world.bus.fetch(partition, 0, end):
            if record.value and content.encode() in record.value:
                return record
    raise AssertionError(content)


async def _counts(world: PlatformHarness, group: str) -> dict[str, int]:
    status = await world.request_ok("operator", "GET", f"/{group}/v1/operating/status")
    found: dict[str, int] = status["groups"][group]
    return found


async def _forge(
    world: PlatformHarness, record: IncomingRecord, tenant: TenantId, key: bytes
) -> None:
    value = msgspec.json.decode(record.value or b"")
    value |= {"tenant": str(tenant), "id": str(world.features.tenants.new_id())}
    value["partitionkey"] = key.decode()
    world.bus.append(record.partition, key, msgspec.json.encode(value), headers=record.headers)
    await world.wait_until_idle()


async def test_a_record_under_another_tenants_key_is_a_dead_letter(world: PlatformHarness) -> None:
    space = await world.open_space("zoe")
    post = await world.publish_post("zoe", space, "À nous seuls. 🔒")
    await world.wait_until_idle()
    record = await _record_of(world, post)
    before = {group: await _counts(world, group) for group in READERS}
    assert record.key is not None
    await _forge(world, record, world.other_tenant, record.key)
    for group in READERS:
        now = await _counts(world, group)
        assert now["dead_lettered"] == before[group]["dead_lettered"] + 1, group
        assert now["applied"] == before[group]["applied"], group
        assert now["lag"] == 0, group
    letters = (await world.request_ok("operator", "GET", "/metrics/v1/operating/dead-letters"))[
        "items"
    ]
    assert "tenant_mismatch" in letters[-1]["cause"]


async def test_a_record_of_another_tenant_touches_nothing_of_ours(world: PlatformHarness) -> None:
    """Whoever may write to the topic can lie about one tenant, and only ever to that tenant."""
    space = await world.open_space("zoe")
    post = await world.publish_post("zoe", space, "À nous seuls. 🔒")
    await world.wait_until_idle()
    record = await _record_of(world, post)
    foreign = f"{world.other_tenant}:{post}".encode()
    before = await _rows(world, world.seeded.tenant)
    await _forge(world, record, world.other_tenant, foreign)
    assert await _rows(world, world.seeded.tenant) == before
    assert (await world.request("ulla", "GET", f"/community/v1/contents/{post}")).status_code == 404


async def test_unreadable_records_are_dead_letters_and_the_rest_goes_on(
    world: PlatformHarness,
) -> None:
    space = await world.open_space("zoe", "hamid")
    before = await _counts(world, "metrics")
    for value in (b"", b"{", b"\xff\xfe", b'{"specversion": "1.0"}', b"[" * 100_000, None):
        world.bus.append(Partition(TOPIC, 0), b"nobody", value)
    post = await world.publish_post("zoe", space, "La vie continue.", "question")
    answer = await world.publish_reply("hamid", post, "En effet.", "answers")
    await world.wait_for_notification("zoe", "answer_to_mine", answer)
    await world.wait_until_idle()
    now = await _counts(world, "metrics")
    assert now["dead_lettered"] == before["dead_lettered"] + 6
    assert now["lag"] == now["parked"] == 0


async def test_a_newer_version_of_a_fact_is_ignored(world: PlatformHarness) -> None:
    space = await world.open_space("zoe")
    post = await world.publish_post("zoe", space, "Demain, peut-être.")
    await world.wait_until_idle()
    record, before = await _record_of(world, post), await _counts(world, "metrics")
    newer = {"type": "community.post.published.v99", "data": {"unknown": "é"}}
    value = msgspec.json.decode(record.value or b"") | newer
    world.bus.append(record.partition, record.key, msgspec.json.encode(value))
    await world.wait_until_idle()
    changed = {"ignored": before["ignored"] + 1, "published": before["published"] + 1}
    assert await _counts(world, "metrics") == before | changed


async def _rows(world: PlatformHarness, tenant: TenantId) -> dict[str, int]:
    """Count what a unit of this tenant sees in every table that belongs to tenants."""
    found = {}
    for name, running in world.services.items():
        database = running.service.database
        for table in await database.execute_once(_TABLES):
            count = sa.text(f"SELECT count(*) FROM {table.relname}")
            (row,) = await database.execute_once(count, [tenant])
            found[f"{name}.{table.relname}"] = int(row[0])
    return found


async def test_a_unit_sees_the_rows_of_its_tenant_and_no_others(world: PlatformHarness) -> None:
    space = await world.open_space("zoe", "hamid")
    await world.publish_post("zoe", space, "À nous seuls. 🔒")
    await world.wait_until_idle()
    ours, nobodys = await _rows(world, world.seeded.tenant), await _rows(world, _nobody())
    assert len(ours) > 20
    assert ours["community.contents"] > 0
    assert not any(nobodys.values()), nobodys
    assert (await _rows(world, world.other_tenant))["community.contents"] == 0


async def test_a_unit_cannot_write_a_row_of_another_tenant(world: PlatformHarness) -> None:
    database = world.services["community"].service.database
    copied = sa.text("UPDATE contents SET tenant_id = :other")
    space = await world.open_space("zoe")
    await world.publish_post("zoe", space, "À nous seuls. 🔒")
    with pytest.raises(sa.exc.DBAPIError, match="row-level security"):
        await database.execute_once(copied, [world.seeded.tenant], other=world.other_tenant)
    changed = sa.text("UPDATE contents SET body = 'volé' RETURNING content_id")
    stolen: Sequence[object] = await database.execute_once(changed, [world.other_tenant])
    assert not stolen


def _nobody() -> TenantId:
    return TenantId(UUID(int=7))
