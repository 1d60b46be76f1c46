"""Idempotent reactions that update the copy of rights from identity's events."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from shared.contracts.identity import (
    MemberJoined,
    MemberReinstated,
    MemberSuspended,
    RoleGranted,
    RoleRevoked,
    SessionEnded,
    StructureOpened,
)
from shared.kit.core.access_tokens import ENDED_SESSION_RETENTION
from shared.kit.core.reactions import Reaction
from shared.kit.core.unit_of_work import Delivery, Unit
from shared.kit.database.database import connection

_UPSERT_MEMBERS = sa.text("""
    INSERT INTO rights_members (tenant_id, member_id, kind, minor, structure_id, known)
    SELECT DISTINCT ON (t, m) t, m, k, minor, s, true
    FROM unnest(CAST(:tenants AS uuid[]), CAST(:members AS uuid[]), CAST(:kinds AS text[]),
                CAST(:minors AS boolean[]), CAST(:structures AS uuid[])) AS j (t, m, k, minor, s)
    ORDER BY t, m
    ON CONFLICT (tenant_id, member_id) DO UPDATE
    SET kind = excluded.kind, minor = excluded.minor, structure_id = excluded.structure_id,
        known = true
""")
_UPSERT_SUSPENSION = sa.text("""
    INSERT INTO rights_members (tenant_id, member_id, kind, minor, known, suspended,
                                suspended_until, suspended_because)
    VALUES (:tenant, :member, 'person', true, false, :suspended, :until, :because)
    ON CONFLICT (tenant_id, member_id) DO UPDATE
    SET suspended = excluded.suspended, suspended_until = excluded.suspended_until,
        suspended_because = excluded.suspended_because
""")
_UPSERT_ROLE = sa.text("""
    INSERT INTO rights_roles (tenant_id, member_id, role, structure_id, until)
    VALUES (:tenant, :member, :role, :structure, :until)
    ON CONFLICT (tenant_id, member_id, role, structure_id) DO UPDATE SET until = excluded.until
""")
_DELETE_ROLE = sa.text("""
    DELETE FROM rights_roles WHERE tenant_id = :tenant AND member_id = :member
      AND role = :role AND structure_id = :structure
""")
_INSERT_ENDED_SESSIONS = sa.text("""
    INSERT INTO rights_ended_sessions (tenant_id, session_id, expires_at)
    SELECT DISTINCT ON (t, s) t, s, e
    FROM unnest(CAST(:tenants AS uuid[]), CAST(:sessions AS uuid[]),
                CAST(:moments AS timestamptz[])) AS j (t, s, e)
    ORDER BY t, s, e
    ON CONFLICT DO NOTHING
""")
_UPSERT_STRUCTURE = sa.text("""
    INSERT INTO rights_structures (tenant_id, structure_id, path, time_zone)
    VALUES (:tenant, :structure, CAST(:path AS uuid[]), :time_zone)
    ON CONFLICT (tenant_id, structure_id) DO UPDATE
    SET path = excluded.path, time_zone = excluded.time_zone
""")


async def store_members(_: None, unit: Unit, deliveries: Sequence[Delivery[MemberJoined]]) -> None:
    """Store kind, age group and structure of members who joined; no name."""
    await connection(unit).execute(
        _UPSERT_MEMBERS,
        {
            "tenants": [d.tenant for d in deliveries],
            "members": [d.fact.member_id for d in deliveries],
            "kinds": [d.fact.kind.value for d in deliveries],
            "minors": [d.fact.minor for d in deliveries],
            "structures": [d.fact.structure_id for d in deliveries],
        },
    )


async def update_suspensions(
    _: None, unit: Unit, deliveries: Sequence[Delivery[MemberSuspended | MemberReinstated]]
) -> None:
    """Store whether members are suspended, until when and for which reason."""
    for delivery in deliveries:
        fact = delivery.fact
        suspended = isinstance(fact, MemberSuspended)
        values: dict[str, Any] = {  # Any: bound parameters of the statement
            "tenant": delivery.tenant,
            "member": fact.member_id,
            "suspended": suspended,
            "until": fact.until if isinstance(fact, MemberSuspended) else None,
            "because": fact.reason if isinstance(fact, MemberSuspended) else None,
        }
        await connection(unit).execute(_UPSERT_SUSPENSION, values)


async def update_roles(
    _: None, unit: Unit, deliveries: Sequence[Delivery[RoleGranted | RoleRevoked]]
) -> None:
    """Store granted roles and delete revoked ones."""
    for delivery in deliveries:
        fact = delivery.fact
        values: dict[str, Any] = {  # Any: bound parameters of the statement
            "tenant": delivery.tenant,
            "member": fact.member_id,
            "role": fact.role.value,
            "structure": fact.structure_id,
        }
        if isinstance(fact, RoleGranted):
            await connection(unit).execute(_UPSERT_ROLE, values | {"until": fact.until})
        else:
            await connection(unit).execute(_DELETE_ROLE, values)


async def store_structures(
    _: None, unit: Unit, deliveries: Sequence[Delivery[StructureOpened]]
) -> None:
    """Store each structure's ancestors, since a role in an ancestor counts in the structure."""
    for delivery in deliveries:
        await connection(unit).execute(
            _UPSERT_STRUCTURE,
            {
                "tenant": delivery.tenant,
                "structure": delivery.fact.structure_id,
                "path": list(delivery.fact.path),
                "time_zone": delivery.fact.time_zone,
            },
        )


async def store_ended_sessions(
    _: None, unit: Unit, deliveries: Sequence[Delivery[SessionEnded]]
) -> None:
    """Store ended sessions until the last of their access tokens has expired."""
    await connection(unit).execute(
        _INSERT_ENDED_SESSIONS,
        {
            "tenants": [d.tenant for d in deliveries],
            "sessions": [d.fact.session_id for d in deliveries],
            "moments": [d.recorded + ENDED_SESSION_RETENTION for d in deliveries],
        },
    )


RIGHTS_REACTIONS: tuple[Reaction[None], ...] = (
    Reaction(store_structures, on=(StructureOpened,)),
    Reaction(store_members, on=(MemberJoined,)),
    Reaction(update_suspensions, on=(MemberSuspended, MemberReinstated)),
    Reaction(update_roles, on=(RoleGranted, RoleRevoked)),
    Reaction(store_ended_sessions, on=(SessionEnded,)),
)
