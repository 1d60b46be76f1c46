"""I11: compare a service's audit rows with the chain heads that it published.

Finds rows that were changed, removed from the middle or cut off the end, and missing chains or
tables. Does not find rows that were written and removed between two publications (one a minute).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from shared.contracts.audit import AuditHead, AuditSealed
from shared.contracts.catalogue import audit_fact, decoder_of
from shared.contracts.event import decode_envelope
from shared.contracts.ids import MemberId, TenantId
from shared.kit.core.bus import IncomingRecord
from shared.kit.core.errors import NotFound
from shared.kit.database.audit.signing import AuditKeys
from shared.kit.database.audit.statement import BROKEN_ROWS
from shared.kit.tools.reconcile.log import Log
from shared.kit.tools.reconcile.report import Report
from shared.kit.tools.reconcile.source import read_only_connection

CHUNK_RECORDS = 1_000
AUDIT_INVARIANT = "I11"
"""Number of this invariant in reports."""
_SET_TENANT = "SELECT set_config('app.tenants', $1, true)"
_HASHES_AT_HEADS = """
    SELECT h.member_id, h.number, a.hash
    FROM unnest($2::uuid[], $3::bigint[]) AS h (member_id, number)
    LEFT JOIN audit a ON a.tenant_id = $1 AND a.member_id = h.member_id AND a.number = h.number
"""
_UNPUBLISHED_ROWS = """
    SELECT count(*) AS number, count(*) FILTER (WHERE a.at < $4::timestamptz) AS passed_over
    FROM audit a
    LEFT JOIN unnest($2::uuid[], $3::bigint[]) AS h (member_id, number) USING (member_id)
    WHERE a.tenant_id = $1 AND a.number > COALESCE(h.number, 0)
"""
MAX_PUBLICATION_DELAY = timedelta(minutes=2)
"""A row that is older than a publication by more than this should have been part of it."""
Heads = dict[TenantId, dict[MemberId, AuditHead]]


@dataclass
class PublishedHeads:
    """The newest published head of each chain, and the time of the newest publication."""

    heads: Heads = field(default_factory=dict)
    through: datetime | None = None


@dataclass(frozen=True)
class AuditedService:
    """A service whose chains are verified; `owner_url` is its database, as the owner role."""

    service: str
    owner_url: str


async def verify_audit(
    log: Log,
    sources: Sequence[AuditedService],
    keys: AuditKeys,
    report: Report,
    tenants: Sequence[str] = (),
) -> None:
    """Verify the chains of these services; `tenants` are checked beside those with published heads.

    Raises `Transient`, OSError or asyncpg's errors when a server does not answer.
    """
    for source in sources:
        published = await _read_published_heads(log, source.service, keys, report)
        all_tenants = {*published.heads, *(msgspec.convert(tenant, TenantId) for tenant in tenants)}
        async with read_only_connection(source.owner_url) as connection:
            for tenant in sorted(all_tenants):
                async with connection.transaction(readonly=True):
                    await connection.execute(_SET_TENANT, str(tenant))
                    await _verify_tenant(connection, source.service, tenant, published, report)
        chain_count = sum(map(len, published.heads.values()))
        report.record_check(AUDIT_INVARIANT, f"audit chains of {source.service}", chain_count)


async def _read_published_heads(
    log: Log, service: str, keys: AuditKeys, report: Report
) -> PublishedHeads:
    """Read the newest published head of each chain, without heads that are not validly signed."""
    topic = audit_fact(service).TOPIC
    try:
        progress = await log.get_log_bounds([topic])
    except NotFound:
        report.add_note(
            AUDIT_INVARIANT, f"{topic} does not exist: {service} has published no ends of chains"
        )
        return PublishedHeads()
    published = PublishedHeads()
    problems: dict[str, int] = {}
    for partition, end in progress.end.items():
        offset = progress.begin[partition]
        while offset < end:
            records = await log.fetch(partition, offset, min(CHUNK_RECORDS, end - offset))
            for record in records:
                problem = _add_heads(record, service, keys, published)
                if problem is not None:
                    problems[problem] = problems.get(problem, 0) + 1
            offset = records[-1].offset + 1 if records else end
    for problem, number in sorted(problems.items()):
        report.report_violation(
            AUDIT_INVARIANT, topic, f"{number:,} published ends do not count: {problem}"
        )
    return published


def _add_heads(
    record: IncomingRecord, service: str, keys: AuditKeys, published: PublishedHeads
) -> str | None:
    """Add one record's heads; return the problem if the record is not valid."""
    fact_type = audit_fact(service)
    try:
        envelope = decode_envelope(record.value or b"")
        if envelope.type != fact_type.wire_type():
            return None
        fact = decoder_of(fact_type).decode(envelope.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "it cannot be read"
    assert isinstance(fact, AuditSealed)  # noqa: S101  the type of its decoder
    if fact.tenant_id != envelope.tenant:
        return "it names another tenant than its envelope"
    problem = keys.find_problem(service, fact)
    if problem is not None and not (problem == "not signed" and not keys.keys):
        return problem
    published.through = max(published.through or fact.through, fact.through)
    heads = published.heads.setdefault(fact.tenant_id, {})
    for head in fact.heads:
        newest = heads.get(head.member_id)
        if newest is None or head.number > newest.number:
            heads[head.member_id] = head
    return None


async def _verify_tenant(
    connection: Any,
    service: str,
    tenant: TenantId,
    published: PublishedHeads,
    report: Report,
) -> None:
    heads = published.heads.get(tenant, {})
    for row in await connection.fetch(BROKEN_ROWS, tenant):
        location = f"{service} {tenant}"
        text = f"row {row['number']} of {row['member_id']} was changed, or one before it is missing"
        report.report_violation(AUDIT_INVARIANT, location, text)
    members = [head.member_id for head in heads.values()]
    for row in await connection.fetch(_HASHES_AT_HEADS, tenant, members, _numbers(heads)):
        if row["hash"] == heads[row["member_id"]].hash:
            continue
        state = "is gone" if row["hash"] is None else "is not the one that was published"
        text = f"row {row['number']} of {row['member_id']} {state}"
        report.report_violation(AUDIT_INVARIANT, f"{service} {tenant}", text)
    latest = published.through - MAX_PUBLICATION_DELAY if published.through is not None else None
    row = await connection.fetchrow(_UNPUBLISHED_ROWS, tenant, members, _numbers(heads), latest)
    if row["passed_over"]:
        text = f"{row['passed_over']} rows are older than a publication that left them out"
        report.report_violation(AUDIT_INVARIANT, f"{service} {tenant}", text)
    elif row["number"]:
        text = f"{service} {tenant}: {row['number']:,} rows whose end is not published yet"
        report.add_note(AUDIT_INVARIANT, text)


def _numbers(heads: Mapping[MemberId, AuditHead]) -> list[int]:
    return [head.number for head in heads.values()]
