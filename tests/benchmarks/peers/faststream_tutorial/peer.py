"""FastStream as its tutorial shows it: a pydantic model, one message at a time, its own logger.

The effect as SQLAlchemy's tutorial shows it: a session per message, objects, commit.
"""

import json
import uuid
from datetime import date, datetime

import sqlalchemy as sa
import uvloop
from faststream import FastStream
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tests.benchmarks.peers.protocol import Stopwatch, task

given = task()
watch = Stopwatch(given.warm, given.count)
broker = KafkaBroker(given.kafka)
app = FastStream(broker)


class Ref(BaseModel):
    kind: str
    id: uuid.UUID
    root_id: uuid.UUID


class Text(BaseModel):
    title: str | None = None
    body: str
    language: str | None = None


class Sealed(BaseModel):
    clear: Text


class Person(BaseModel):
    member_id: uuid.UUID
    structure_id: uuid.UUID
    role: str


class Post(BaseModel):
    ref: Ref
    space_id: uuid.UUID
    structure_id: uuid.UUID
    content: Sealed
    author: Person


class Event(BaseModel):
    id: uuid.UUID
    type: str
    time: datetime
    tenant: uuid.UUID
    partitionkey: str
    sequence: str
    data: Post


class Base(DeclarativeBase):
    pass


class Seen(Base):
    __tablename__ = "peer_inbox"
    event_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)


class Count(Base):
    __tablename__ = "peer_counts"
    tenant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    space_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(sa.BigInteger)


url = given.database or "postgresql://nobody@127.0.0.1/unused"
engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
session_of = async_sessionmaker(engine, expire_on_commit=False)


async def apply(event: Event) -> None:
    async with session_of() as session:
        if await session.get(Seen, event.id):
            return
        session.add(Seen(event_id=event.id))
        key = event.tenant, event.data.space_id, event.time.date()
        count = await session.get(Count, key)
        if count is None:
            session.add(Count(tenant_id=key[0], space_id=key[1], day=key[2], n=1))
        else:
            count.n += 1
        await session.commit()


async def decode(message: KafkaMessage) -> object:
    # By itself it decodes `application/json` only, and drops every event of CloudEvents' own type.
    return json.loads(message.body)


@broker.subscriber(given.topic, group_id=given.group, auto_offset_reset="earliest", decoder=decode)
async def on_event(event: Event) -> None:
    if given.effect:
        await apply(event)
    if watch.passed(1):
        watch.report_and_leave()


if __name__ == "__main__":
    uvloop.run(app.run())
