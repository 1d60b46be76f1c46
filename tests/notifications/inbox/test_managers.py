"""Alerts go to managers by event times, in any order of arrival."""

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
from shared.contracts.event import Fact, Origin
from shared.contracts.example_data import ACADEMY, COLLEGE, HAMID, NOON
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
RECIPIENTS = sa.text("SELECT recipient, read_at IS NULL AS unread FROM notifications ORDER BY 1")
COUNTERS = sa.text("SELECT recipient, n FROM unread ORDER BY 1")


@dataclass
class EventDelivery:
    """Delivers events of one tenant to the reactions, each in its own transaction."""

    database: Database
    tenant: TenantId = field(default_factory=lambda: TenantId(uuid7()))

    @property
    def reactions(self) -> tuple[BoundReaction, ...]:
        deps = InboxDeps(self.database.unit, SqlInboxes(), SqlManagers(), SqlUnavailableContents())
        return (*bind(None, RIGHTS_REACTIONS), *bind(deps, INBOX), *bind(deps, REPLAY_ONLY))

    async def deliver(self, *deliveries: Delivery[Fact]) -> None:
        for delivery in deliveries:
            async with self.database.unit_for([self.tenant]) as unit:
                await self.run_reactions(unit, structs.replace(delivery, tenant=self.tenant))

    async def run_reactions(self, unit: Unit, delivery: Delivery[Fact]) -> None:
        for reaction in self.reactions:
            if isinstance(delivery.fact, reaction.on):
                await reaction.effect(unit, [delivery])

    async def list_recipients(self) -> list[MemberId]:
        """Return the members with the notification; checks that the counters agree."""
        rows = await self.database.execute_once(RECIPIENTS, [self.tenant])
        counters = await self.database.execute_once(COUNTERS, [self.tenant])
        assert {row.recipient: int(row.unread) for row in rows} == {
            row.recipient: row.n for row in counters
        }
        return [row.recipient for row in rows]


def delivery_at(minutes: float, fact: Fact, origin: Origin = Origin.LIVE) -> Delivery[Fact]:
    time = NOON + timedelta(minutes=minutes)
    return Delivery(
        fact=fact,
        event_id=EventId(uuid7()),
        tenant=TenantId(UUID(int=0)),
        time=time,
        recorded=time,
        received=time,
        origin=origin,
        correlation="un essai",
        sequence=1,
        key="k",
        partition=Partition("un.sujet", 0),
        offset=0,
    )


def role_granted(
    member_id: MemberId,
    structure_id: StructureId = COLLEGE,
    role: Role = Role.COMMUNITY_MANAGER,
    until: float | None = None,
) -> RoleGranted:
    moment = NOON + timedelta(minutes=until) if until is not None else None
    return RoleGranted(member_id=member_id, role=role, structure_id=structure_id, until=moment)


def role_revoked(member_id: MemberId, structure_id: StructureId = COLLEGE) -> RoleRevoked:
    return RoleRevoked(member_id=member_id, role=Role.COMMUNITY_MANAGER, structure_id=structure_id)


@pytest.fixture
async def delivery_harness(postgres_addresses: StackAddresses) -> AsyncIterator[EventDelivery]:
    async with open_service_database("notifications", postgres_addresses) as database:
        yield EventDelivery(database)


def shuffle_keys(
    keyed_deliveries: Sequence[tuple[str, Delivery[Fact]]], seed: int
) -> list[Delivery[Fact]]:
    """Shuffle keys as topics and partitions may, but keep the order of each key's events."""
    order = random.Random(seed).sample([key for key, _ in keyed_deliveries], len(keyed_deliveries))
    remaining = {
        key: [delivery for other_key, delivery in keyed_deliveries if other_key == key]
        for key, _ in keyed_deliveries
    }
    return [remaining[key].pop(0) for key in order]


@pytest.mark.parametrize("seed", range(40))
async def test_recipients_do_not_depend_on_arrival_order(
    delivery_harness: EventDelivery, seed: int
) -> None:
    structure_opened = StructureOpened(
        structure_id=COLLEGE, kind="school", name="É", time_zone="Europe/Paris", path=(ACADEMY,)
    )
    keyed_deliveries = [
        ("structure", delivery_at(-99, structure_opened)),
        # Manages an ancestor, from before the alert until after it.
        ("anne", delivery_at(-60, role_granted(ANNE, ACADEMY))),
        ("anne", delivery_at(+9, role_revoked(ANNE, ACADEMY))),
        # Managed the structure, but no longer at the time of the alert.
        ("omar", delivery_at(-60, role_granted(OMAR))),
        ("omar", delivery_at(-1, role_revoked(OMAR))),
        # Until shortly before the alert; then again, for longer.
        ("claire", delivery_at(-60, role_granted(CLAIRE, until=-5))),
        ("claire", delivery_at(-4, role_granted(CLAIRE, until=60))),
        # Only after the alert.
        ("hamid", delivery_at(+1, role_granted(HAMID))),
        ("alert", delivery_at(0, ALERT)),
    ]
    for delivery in shuffle_keys(keyed_deliveries, seed):
        await delivery_harness.deliver(delivery, delivery)

    assert await delivery_harness.list_recipients() == sorted([ANNE, CLAIRE])


@pytest.mark.parametrize("role", [Role.TEACHER, Role.MODERATOR, Role.OPERATOR])
async def test_other_roles_are_not_notified(delivery_harness: EventDelivery, role: Role) -> None:
    await delivery_harness.deliver(
        delivery_at(-9, role_granted(ANNE, role=role)), delivery_at(0, ALERT)
    )
    await delivery_harness.deliver(delivery_at(-8, role_granted(ANNE, role=role)))

    assert await delivery_harness.list_recipients() == []


async def test_imported_alerts_notify_nobody(delivery_harness: EventDelivery) -> None:
    await delivery_harness.deliver(
        delivery_at(-9, role_granted(ANNE)), delivery_at(0, ALERT, Origin.IMPORT)
    )
    await delivery_harness.deliver(delivery_at(-8, role_granted(CLAIRE)))

    assert await delivery_harness.list_recipients() == []


async def test_withdrawn_alert_that_was_read_leaves_no_counter(
    delivery_harness: EventDelivery,
) -> None:
    alert = delivery_at(0, ALERT)
    notification_id = NotificationId(derived_id(alert.event_id, OMAR.hex, "alert"))
    read_fact = NotificationRead(
        notification_id=notification_id, recipient_id=OMAR, category="alert"
    )
    await delivery_harness.deliver(
        delivery_at(-60, role_granted(OMAR)), alert, delivery_at(1, read_fact)
    )
    assert len(await delivery_harness.list_recipients()) == 1

    await delivery_harness.deliver(delivery_at(-1, role_revoked(OMAR)))

    assert await delivery_harness.list_recipients() == []


async def test_concurrent_alert_and_role_are_both_seen(
    delivery_harness: EventDelivery,
) -> None:
    """Two transactions: neither sees uncommitted rows of the other."""
    alert = structs.replace(delivery_at(0, ALERT), tenant=delivery_harness.tenant)
    async with delivery_harness.database.unit_for([delivery_harness.tenant]) as first:
        await delivery_harness.run_reactions(first, alert)
        second = asyncio.create_task(delivery_harness.deliver(delivery_at(-9, role_granted(ANNE))))
        await asyncio.sleep(0.2)
        assert not second.done()
    await second

    assert await delivery_harness.list_recipients() == [ANNE]
