"""Tenants are isolated, in events and in tables."""

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


async def _record_of(platform: PlatformHarness, content: str) -> IncomingRecord:
    """Return the record that published a content."""
    for partition, end in (await platform.bus.get_log_bounds([TOPIC])).end.items():
        for record in await platform.bus.fetch(partition, 0, end):
            if record.value and content.encode() in record.value:
                return record
    raise AssertionError(content)


async def _read_counts(platform: PlatformHarness, group: str) -> dict[str, int]:
    status = await platform.request_ok("operator", "GET", f"/{group}/v1/operating/status")
    counts: dict[str, int] = status["groups"][group]
    return counts


async def _append_forged_record(
    platform: PlatformHarness, record: IncomingRecord, tenant: TenantId, key: bytes
) -> None:
    value = msgspec.json.decode(record.value or b"")
    value |= {"tenant": str(tenant), "id": str(platform.features.tenants.new_id())}
    value["partitionkey"] = key.decode()
    platform.bus.append(record.partition, key, msgspec.json.encode(value), headers=record.headers)
    await platform.wait_until_idle()


async def test_a_record_under_another_tenants_key_is_a_dead_letter(
    platform: PlatformHarness,
) -> None:
    space = await platform.open_space("zoe")
    post = await platform.publish_post("zoe", space, "À nous seuls. 🔒")
    await platform.wait_until_idle()
    record = await _record_of(platform, post)
    counts_before = {group: await _read_counts(platform, group) for group in READERS}
    assert record.key is not None
    await _append_forged_record(platform, record, platform.other_tenant, record.key)
    for group in READERS:
        counts_after = await _read_counts(platform, group)
        assert counts_after["dead_lettered"] == counts_before[group]["dead_lettered"] + 1, group
        assert counts_after["applied"] == counts_before[group]["applied"], group
        assert counts_after["lag"] == 0, group
    dead_letters = (
        await platform.request_ok("operator", "GET", "/metrics/v1/operating/dead-letters")
    )["items"]
    assert "tenant_mismatch" in dead_letters[-1]["cause"]


async def test_record_of_another_tenant_changes_no_row_of_this_tenant(
    platform: PlatformHarness,
) -> None:
    """A producer that forges an event of one tenant affects only that tenant."""
    space = await platform.open_space("zoe")
    post = await platform.publish_post("zoe", space, "À nous seuls. 🔒")
    await platform.wait_until_idle()
    record = await _record_of(platform, post)
    foreign = f"{platform.other_tenant}:{post}".encode()
    rows_before = await _count_rows(platform, platform.seeded.tenant)
    await _append_forged_record(platform, record, platform.other_tenant, foreign)
    assert await _count_rows(platform, platform.seeded.tenant) == rows_before
    assert (
        await platform.request("ulla", "GET", f"/community/v1/contents/{post}")
    ).status_code == 404


async def test_unreadable_records_become_dead_letters_and_later_ones_apply(
    platform: PlatformHarness,
) -> None:
    space = await platform.open_space("zoe", "hamid")
    counts_before = await _read_counts(platform, "metrics")
    for value in (b"", b"{", b"\xff\xfe", b'{"specversion": "1.0"}', b"[" * 100_000, None):
        platform.bus.append(Partition(TOPIC, 0), b"nobody", value)
    post = await platform.publish_post("zoe", space, "La vie continue.", "question")
    answer_id = await platform.publish_reply("hamid", post, "En effet.", "answers")
    await platform.wait_for_notification("zoe", "answer_to_mine", answer_id)
    await platform.wait_until_idle()
    counts_after = await _read_counts(platform, "metrics")
    assert counts_after["dead_lettered"] == counts_before["dead_lettered"] + 6
    assert counts_after["lag"] == counts_after["parked"] == 0


async def test_a_newer_version_of_a_fact_is_ignored(platform: PlatformHarness) -> None:
    space = await platform.open_space("zoe")
    post = await platform.publish_post("zoe", space, "Demain, peut-être.")
    await platform.wait_until_idle()
    record, counts_before = (
        await _record_of(platform, post),
        await _read_counts(platform, "metrics"),
    )
    newer_version = {"type": "community.post.published.v99", "data": {"unknown": "é"}}
    value = msgspec.json.decode(record.value or b"") | newer_version
    platform.bus.append(record.partition, record.key, msgspec.json.encode(value))
    await platform.wait_until_idle()
    changed = {"ignored": counts_before["ignored"] + 1, "published": counts_before["published"] + 1}
    assert await _read_counts(platform, "metrics") == counts_before | changed


async def _count_rows(platform: PlatformHarness, tenant: TenantId) -> dict[str, int]:
    """Count the rows visible to a unit of this tenant, in every table with tenants."""
    rows = {}
    for name, running in platform.services.items():
        database = running.service.database
        for table in await database.execute_once(_TABLES):
            count = sa.text(f"SELECT count(*) FROM {table.relname}")
            (row,) = await database.execute_once(count, [tenant])
            rows[f"{name}.{table.relname}"] = int(row[0])
    return rows


async def test_unit_sees_the_rows_of_its_tenant_and_no_others(platform: PlatformHarness) -> None:
    space = await platform.open_space("zoe", "hamid")
    await platform.publish_post("zoe", space, "À nous seuls. 🔒")
    await platform.wait_until_idle()
    own_rows, unknown_tenant_rows = (
        await _count_rows(platform, platform.seeded.tenant),
        await _count_rows(platform, _unknown_tenant()),
    )
    assert len(own_rows) > 20
    assert own_rows["community.contents"] > 0
    assert not any(unknown_tenant_rows.values()), unknown_tenant_rows
    assert (await _count_rows(platform, platform.other_tenant))["community.contents"] == 0


async def test_a_unit_cannot_write_a_row_of_another_tenant(platform: PlatformHarness) -> None:
    database = platform.services["community"].service.database
    move_rows = sa.text("UPDATE contents SET tenant_id = :other")
    space = await platform.open_space("zoe")
    await platform.publish_post("zoe", space, "À nous seuls. 🔒")
    with pytest.raises(sa.exc.DBAPIError, match="row-level security"):
        await database.execute_once(
            move_rows, [platform.seeded.tenant], other=platform.other_tenant
        )
    edit_rows = sa.text("UPDATE contents SET body = 'volé' RETURNING content_id")
    changed_rows: Sequence[object] = await database.execute_once(edit_rows, [platform.other_tenant])
    assert not changed_rows


def _unknown_tenant() -> TenantId:
    return TenantId(UUID(int=7))
