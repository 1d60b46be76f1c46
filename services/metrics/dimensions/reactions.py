"""Record spaces and enrolments from community's events."""

from collections.abc import Sequence

import sqlalchemy as sa

from shared.contracts.community import MembershipJoined, MembershipLeft, SpaceOpened
from shared.kit.core.reactions import Reaction
from shared.kit.core.unit_of_work import Delivery, Unit
from shared.kit.database.database import connection

_SPACE = sa.text("""
    INSERT INTO spaces (tenant_id, space_id, structure_id, path, time_zone)
    VALUES (:tenant, :space, :structure, CAST(:path AS uuid[]), :time_zone)
    ON CONFLICT (tenant_id, space_id) DO UPDATE
    SET structure_id = excluded.structure_id, path = excluded.path,
        time_zone = excluded.time_zone
""")
_ENROL = sa.text("""
    INSERT INTO enrolments (tenant_id, space_id, member_id, joined_at, left_at)
    VALUES (:tenant, :space, :member, :joined, :left)
    ON CONFLICT (tenant_id, space_id, member_id) DO UPDATE
    SET joined_at = COALESCE(excluded.joined_at, enrolments.joined_at), left_at = excluded.left_at
""")


async def record_spaces(_: None, unit: Unit, deliveries: Sequence[Delivery[SpaceOpened]]) -> None:
    """Store a space's structure and the time zone of its days."""
    for delivery in deliveries:
        fact = delivery.fact
        await connection(unit).execute(
            _SPACE,
            {
                "tenant": delivery.tenant,
                "space": fact.space_id,
                "structure": fact.structure_id,
                "path": list(fact.path),
                "time_zone": fact.time_zone,
            },
        )


async def record_enrolments(
    _: None, unit: Unit, deliveries: Sequence[Delivery[MembershipJoined | MembershipLeft]]
) -> None:
    """Store enrolments: the values of small groups are masked."""
    for delivery in deliveries:
        fact = delivery.fact
        joined = isinstance(fact, MembershipJoined)
        await connection(unit).execute(
            _ENROL,
            {
                "tenant": delivery.tenant,
                "space": fact.space_id,
                "member": fact.member.member_id,
                "joined": delivery.time if joined else None,
                "left": None if joined else delivery.time,
            },
        )


DIMENSIONS: tuple[Reaction[None], ...] = (
    Reaction(record_spaces, on=(SpaceOpened,)),
    Reaction(record_enrolments, on=(MembershipJoined, MembershipLeft)),
)
