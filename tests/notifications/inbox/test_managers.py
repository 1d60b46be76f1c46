"""Whom an alert is told is decided by when things happened, not by when they came here."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from msgspec import structs
from uuid_utils.compat import uuid7

from deploy.local.stack import StackAddresses
from services.notifications.events import INBOX, REPLAY_ONLY, RIGHTS_REACTIONS
from services.notifications.inbox.ports import InboxDeps
from services.notifications.inbox.store import SqlInboxes, SqlManagers, SqlUnavailableContents
from shared.contracts.cast import ACADEMY, COLLEGE, HAMID, NOON
from shared.contracts.event import Fact, Origin
from shared.contracts.identity import Role, RoleGranted, RoleRevoked, StructureOpened
from shared.contracts.ids import (
    EventId,
    MemberId,
    NotificationId,
    StructureId,
    TenantId,
    derived_id,
)
from shared.contracts.metrics import AlertRaised
from shared.contracts.notifications import NotificationRead
from shared.kit.core.bus import Partition
from shared.kit.core.reactions import BoundReaction, bind
from shared.kit.core.unit_of_work import Delivery, Unit
from shared.kit.database.database import Database
from tests.support.databases import open_service_database

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
ALERT = AlertRaised.example()
ANNE, CLAIRE, OMAR = (MemberId(UUID(int=number)) for number in (1, 2, 3))
TOLD = sa.text("SELECT recipient, read_at IS NULL AS unread FROM notifications ORDER BY 1")
COUNTERS = sa.text("SELECT recipient, n FROM unread ORDER BY 1")


@dataclass
class Arriving:
    """Facts of a tenant of its own, handed over one by one, each in a transaction of its own."""

    database: Database
    tenant: TenantId = field(default_factory=lambda: TenantId(uuid7()))

    @property
    def reactions(self) -> tuple[BoundReaction, ...]:
        deps = InboxDeps(self.database.unit, SqlInboxes(), SqlManagers(), SqlUnavailableContents())
        return (*bind(None, RIGHTS_REACTIONS), *bind(deps, INBOX), *bind(deps, REPLAY_ONLY))

    async def arrive(self, *delivered: Delivery[Fact]) -> None:
        for each in delivered:
            async with self.database.unit_for([self.tenant]) as unit:
                await self.react(unit, structs.replace(each, tenant=self.tenant))

    async def react(self, unit: Unit, each: Delivery[Fact]) -> None:
        for reaction in self.reactions:
            if isinstance(each.fact, reaction.on):
                await reaction.effect(unit, [each])

    async def told(self) -> list[MemberId]:
        """Who has it in their inbox; the counters must agree, and know of nobody else."""
        rows = await self.database.execute_once(TOLD, [self.tenant])
        counters = await self.database.execute_once(COUNTERS, [self.tenant])
        assert {r.recipient: int(r.unread) for r in rows} == {r.recipient: r.n for r in counters}
        return [row.recipient for row in rows]


def at(minutes: float, fact: Fact, origin: Origin = Origin.LIVE) -> Delivery[Fact]:
    moment = NOON + timedelta(minutes=minutes)
    return Delivery(
        fact=fact,
        event_id=EventId(uuid7()),
        tenant=TenantId(UUID(int=0)),
        time=moment,
        recorded=moment,
        received=moment,
        origin=origin,
        correlation="un essai",
        sequence=1,
        key="k",
        partition=Partition("un.sujet", 0),
        offset=0,
    )


def granted(
    who: MemberId,
    where: StructureId = COLLEGE,
    role: Role = Role.COMMUNITY_MANAGER,
    until: float | None = None,
) -> RoleGranted:
    moment = NOON + timedelta(minutes=until) if until is not None else None
    return RoleGranted(member_id=who, role=role, structure_id=where, until=moment)


def revoked(who: MemberId, where: StructureId = COLLEGE) -> RoleRevoked:
    return RoleRevoked(member_id=who, role=Role.COMMUNITY_MANAGER, structure_id=where)


@pytest.fixture
async def arriving(postgres_addresses: StackAddresses) -> AsyncIterator[Arriving]:
    async with open_service_database("notifications", postgres_addresses) as database:
        yield Arriving(database)


def keys_in_order(given: Sequence[tuple[str, Delivery[Fact]]], seed: int) -> list[Delivery[Fact]]:
    """Mix keys as topics and partitions may, and leave each key's facts in their order."""
    order = random.Random(seed).sample([key for key, _ in given], len(given))
    left = {key: [each for k, each in given if k == key] for key, _ in given}
    return [left[key].pop(0) for key in order]


@pytest.mark.parametrize("seed", range(40))
async def test_in_whatever_order_they_come_the_same_people_are_told(
    arriving: Arriving, seed: int
) -> None:
    opened = StructureOpened(
        structure_id=COLLEGE, kind="school", name="É", time_zone="Europe/Paris", path=(ACADEMY,)
    )
    life = [
        ("structure", at(-99, opened)),
        # Above it, from before until after.
        ("anne", at(-60, granted(ANNE, ACADEMY))),
        ("anne", at(+9, revoked(ANNE, ACADEMY))),
        # Here, but no more when it happened.
        ("omar", at(-60, granted(OMAR))),
        ("omar", at(-1, revoked(OMAR))),
        # Until a moment before it; then again, for longer.
        ("claire", at(-60, granted(CLAIRE, until=-5))),
        ("claire", at(-4, granted(CLAIRE, until=60))),
        # Only afterwards.
        ("hamid", at(+1, granted(HAMID))),
        ("alert", at(0, ALERT)),
    ]
    for each in keys_in_order(life, seed):
        await arriving.arrive(each, each)

    assert await arriving.told() == sorted([ANNE, CLAIRE])


@pytest.mark.parametrize("role", [Role.TEACHER, Role.MODERATOR, Role.OPERATOR])
async def test_who_does_not_manage_is_not_told(arriving: Arriving, role: Role) -> None:
    await arriving.arrive(at(-9, granted(ANNE, role=role)), at(0, ALERT))
    await arriving.arrive(at(-8, granted(ANNE, role=role)))

    assert await arriving.told() == []


async def test_history_tells_nobody_early_or_late(arriving: Arriving) -> None:
    await arriving.arrive(at(-9, granted(ANNE)), at(0, ALERT, Origin.IMPORT))
    await arriving.arrive(at(-8, granted(CLAIRE)))

    assert await arriving.told() == []


async def test_what_was_read_before_it_is_taken_back_leaves_nothing(arriving: Arriving) -> None:
    alert = at(0, ALERT)
    found = NotificationId(derived_id(alert.event_id, OMAR.hex, "alert"))
    read = NotificationRead(notification_id=found, recipient_id=OMAR, category="alert")
    await arriving.arrive(at(-60, granted(OMAR)), alert, at(1, read))
    assert len(await arriving.told()) == 1

    await arriving.arrive(at(-1, revoked(OMAR)))

    assert await arriving.told() == []


async def test_an_alert_and_a_role_that_come_at_once_do_not_miss_each_other(
    arriving: Arriving,
) -> None:
    """Two processes, each in its transaction: neither sees what the other has not committed."""
    alert = structs.replace(at(0, ALERT), tenant=arriving.tenant)
    async with arriving.database.unit_for([arriving.tenant]) as first:
        await arriving.react(first, alert)
        second = asyncio.create_task(arriving.arrive(at(-9, granted(ANNE))))
        await asyncio.sleep(0.2)
        assert not second.done()
    await second

    assert await arriving.told() == [ANNE]
