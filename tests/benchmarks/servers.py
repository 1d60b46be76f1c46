"""The servers of a benchmark: the laptop stack, Kafka with the default compiler, made anew."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from deploy.local.choices import ServerChoices
from deploy.local.provision import Role
from deploy.local.stack import Stack, StackAddresses
from shared.kit.bus.kafka import Cluster, KafkaBus
from shared.kit.core.bus import OutgoingRecord, Topic
from shared.kit.database.migrations import migrate
from shared.kit.database.tables import TENANT_ROW_POLICY

SERVICE = "community"
JAVA = ("-Xmx1g",)
PARTITIONS = 8
CHUNK = 5_000
_TABLES = f"""
    CREATE TABLE bench_counts (
        tenant_id uuid, space_id uuid, day date, n bigint NOT NULL,
        PRIMARY KEY (tenant_id, space_id, day)
    );
    ALTER TABLE bench_counts ENABLE ROW LEVEL SECURITY;
    ALTER TABLE bench_counts FORCE ROW LEVEL SECURITY;
    CREATE POLICY tenants_visible ON bench_counts
        USING ({TENANT_ROW_POLICY}) WITH CHECK ({TENANT_ROW_POLICY});
    CREATE TABLE peer_inbox (event_id uuid PRIMARY KEY);
    CREATE TABLE peer_counts (LIKE bench_counts INCLUDING ALL);
    CREATE TABLE peer_posts (
        id uuid PRIMARY KEY, space_id uuid, kind text, title text, body text,
        created_at timestamptz
    );
    CREATE TABLE peer_outbox (
        id uuid PRIMARY KEY, topic text, key text, payload text, created_at timestamptz
    );
"""
_EMPTY = """
    TRUNCATE bench_counts, peer_inbox, peer_counts, inbox, positions, parked, outbox, heads
"""


@dataclass(frozen=True)
class Servers:
    """Where they are, and what every case does with them."""

    addresses: StackAddresses
    filled: dict[str, int] = field(default_factory=dict)
    """The topics that hold records, and how many."""

    @property
    def kafka(self) -> str:
        return self.addresses.kafka

    def url(self, role: Role, service: str = SERVICE) -> str:
        """Return the SQLAlchemy URL of a service's database."""
        return self.addresses.database_url(service, role)

    def plain(self, role: Role = "owner", service: str = SERVICE) -> str:
        """Return the same URL as any other client writes it."""
        return self.url(role, service).replace("+asyncpg", "")

    async def sql(self, *statements: str, service: str = SERVICE) -> None:
        """Run each statement in a transaction of the owner role."""
        connection = await asyncpg.connect(self.plain(service=service))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def fresh(self) -> None:
        """Leave no rows and no dirty pages of an earlier run behind."""
        await self.sql(_EMPTY)
        await self.checkpoint()

    async def admin(self, service: str = SERVICE) -> asyncpg.Connection:
        """Connect to a service's database as its administrator, who sees every row."""
        url = self.addresses.postgres.replace("+asyncpg", "")
        return await asyncpg.connect(url, database=f"preau_{service}")

    async def checkpoint(self) -> None:
        """Write dirty pages down now, not in the middle of the next run."""
        admin = await self.admin()
        try:
            await admin.execute("CHECKPOINT")
        finally:
            await admin.close()

    async def counted(self, table: str) -> int:
        """Return the sum of all effects in a table."""
        admin = await self.admin()
        try:
            return int(await admin.fetchval(f"SELECT COALESCE(sum(n), 0) FROM {table}"))
        finally:
            await admin.close()

    async def fill(self, topic: str, records: Sequence[OutgoingRecord]) -> None:
        """Make a topic of eight partitions that holds these records."""
        bus = KafkaBus(Cluster(self.kafka), client_id="bench-fill")
        try:
            await bus.ensure_topics([Topic(topic, PARTITIONS)])
            for begin in range(0, len(records), CHUNK):
                await bus.send(records[begin : begin + CHUNK])
        finally:
            await bus.close()


@asynccontextmanager
async def servers(home: Path) -> AsyncIterator[Servers]:
    """Start Kafka, PostgreSQL and Redis on an empty folder, with community's tables and ours."""
    await asyncio.to_thread(shutil.rmtree, home, ignore_errors=True)
    async with Stack(home, ServerChoices(), java_options=JAVA, with_kafka_users=False) as addresses:
        running_servers = Servers(addresses)
        await migrate(SERVICE, addresses.database_url(SERVICE, "owner"))
        await running_servers.sql(
            _TABLES, f"SELECT inbox_keep('{datetime.now(UTC).date()}', 7, 30)"
        )
        yield running_servers
