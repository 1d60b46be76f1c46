"""FastAPI with SQLAlchemy's ORM, as their tutorials show it: a post and an outbox row, one commit.

`python -m tests.benchmarks.peers.fastapi_orm.peer <port> <database>`. No authentication, no
policy, no tracing: it does less than ours.
"""

import json
import sys
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Literal

import sqlalchemy as sa
import uvicorn
from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

URL = sys.argv[2].replace("postgresql://", "postgresql+asyncpg://")
engine = create_async_engine(URL, pool_size=10, max_overflow=22)
session_of = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


class Base(DeclarativeBase):
    pass


class Post(Base):
    __tablename__ = "peer_posts"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    space_id: Mapped[uuid.UUID]
    kind: Mapped[str]
    title: Mapped[str]
    body: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(sa.TIMESTAMP(timezone=True))


class Outbox(Base):
    __tablename__ = "peer_outbox"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    topic: Mapped[str]
    key: Mapped[str]
    payload: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(sa.TIMESTAMP(timezone=True))


class NewPost(BaseModel):
    kind: Literal["discussion", "question", "announcement"] = "discussion"
    title: str = Field(min_length=1, max_length=200)
    body: str = Field(min_length=1, max_length=40_000)


class Shown(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: uuid.UUID
    space_id: uuid.UUID
    kind: str
    title: str
    body: str
    created_at: datetime


async def session() -> AsyncIterator[AsyncSession]:
    async with session_of() as database_session:
        yield database_session


@app.get("/health/ready")
async def ready() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/community/v1/spaces/{space_id}/posts", status_code=201)
async def publish(
    space_id: uuid.UUID, new: NewPost, db: Annotated[AsyncSession, Depends(session)]
) -> Shown:
    now = datetime.now(UTC)
    post = Post(id=uuid.uuid4(), space_id=space_id, created_at=now, **new.model_dump())
    shown = Shown.model_validate(post)
    payload = json.dumps(shown.model_dump(mode="json"))
    db.add(post)
    db.add(Outbox(topic="posts", key=str(post.id), payload=payload, created_at=now))
    await db.commit()
    return shown


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
