"""Contents, flags and help messages in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import Any

import asyncpg
import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.community.conversations.domain import ROOT_KINDS, Content, ContentStatus
from services.community.conversations.ports import HelpOffer
from services.community.conversations.tables import CONTENTS, FLAGS, HELP
from shared.contracts.community import ContentKind
from shared.contracts.ids import ContentId, MemberId, SpaceId, TenantId
from shared.contracts.moderation import DecidedBy, HelpWords
from shared.kit.core.unit_of_work import BatchedUnit, Unit
from shared.kit.database.batched.statements import BatchInsert, BatchQuery
from shared.kit.database.batched.unit import add, load
from shared.kit.database.database import connection

_MUTABLE_COLUMNS = (
    "title",
    "body",
    "html",
    "html_version",
    "version",
    "standing",
    "reason",
    "decision_id",
    "decided_by",
    "decided_version",
    "accepted_id",
    "edited_at",
)
_COLUMNS = tuple(field.name for field in fields(Content))
_column_values = attrgetter(*_COLUMNS)

# Built once, because SQLAlchemy compiles or looks up every statement that it has not seen before.
_ADD = BatchInsert(CONTENTS)
_BY_ID = (CONTENTS.c.tenant_id == sa.bindparam("of_tenant")) & (
    CONTENTS.c.content_id == sa.bindparam("of_content")
)
_UPDATE = (
    sa.update(CONTENTS)
    .where(_BY_ID)
    .values({name: sa.bindparam(name) for name in _MUTABLE_COLUMNS})
)
_FIND = (
    sa.select(CONTENTS)
    .where(
        CONTENTS.c.tenant_id == sa.bindparam("tenant"),
        CONTENTS.c.content_id == sa.any_(sa.bindparam("ids", type_=sa.ARRAY(sa.Uuid()))),
    )
    .order_by(CONTENTS.c.content_id)
)
_FIND_ONE = BatchQuery(
    """
    SELECT c.* FROM contents c
    WHERE c.tenant_id = asked.tenant_id AND c.content_id = asked.content_id
    """,
    content_id="uuid",
)
_LOCK = _FIND.with_for_update()
_CONVERSATION = (
    sa.select(CONTENTS)
    .where(
        CONTENTS.c.tenant_id == sa.bindparam("tenant"), CONTENTS.c.root_id == sa.bindparam("root")
    )
    .order_by(CONTENTS.c.created_at, CONTENTS.c.content_id)
)


class SqlContents:
    """See `ports.Contents`."""

    async def add(self, unit: Unit | BatchedUnit, contents: Sequence[Content]) -> None:
        rows = [dict(zip(_COLUMNS, _column_values(content), strict=True)) for content in contents]
        await add(unit, _ADD, rows)

    async def find(
        self, unit: Unit | BatchedUnit, tenant: TenantId, ids: Sequence[ContentId]
    ) -> dict[ContentId, Content]:
        if unit.is_transaction:
            return await _select(_FIND, unit, tenant, ids)
        results = [await load(unit, _FIND_ONE, tenant, content_id=content_id) for content_id in ids]
        return {row["content_id"]: _to_content(row) for rows in results for row in rows}

    async def lock(
        self, unit: Unit, tenant: TenantId, ids: Sequence[ContentId]
    ) -> dict[ContentId, Content]:
        return await _select(_LOCK, unit, tenant, ids)

    async def update(self, unit: Unit, content: Content) -> None:
        values = {name: getattr(content, name) for name in _MUTABLE_COLUMNS}
        key = {"of_tenant": content.tenant_id, "of_content": content.content_id}
        await connection(unit).execute(_UPDATE, values | key)


class SqlConversations:
    """See `ports.Conversations`."""

    async def list_contents(
        self, unit: Unit, tenant: TenantId, root: ContentId
    ) -> Sequence[Content]:
        rows = await connection(unit).execute(_CONVERSATION, {"tenant": tenant, "root": root})
        return [_to_content(row) for row in rows.mappings()]

    async def list_posts(
        self, unit: Unit, tenant: TenantId, space: SpaceId, before_id: ContentId | None, limit: int
    ) -> Sequence[Content]:
        condition = (
            (CONTENTS.c.tenant_id == tenant)
            & (CONTENTS.c.space_id == space)
            & CONTENTS.c.kind.in_([kind.value for kind in ROOT_KINDS])
        )
        sort_key = sa.tuple_(CONTENTS.c.created_at, CONTENTS.c.content_id)
        if before_id is not None:
            last_post = sa.select(CONTENTS.c.created_at, CONTENTS.c.content_id).where(
                (CONTENTS.c.tenant_id == tenant) & (CONTENTS.c.content_id == before_id)
            )
            condition &= sort_key < last_post.scalar_subquery()
        order = (CONTENTS.c.created_at.desc(), CONTENTS.c.content_id.desc())
        query = sa.select(CONTENTS).where(condition).order_by(*order).limit(limit)
        return [_to_content(row) for row in (await connection(unit).execute(query)).mappings()]


class SqlFlags:
    """See `ports.Flags`."""

    async def add(self, unit: Unit, content: Content, member_id: MemberId, reason: str) -> bool:
        row = insert(FLAGS).values(
            tenant_id=content.tenant_id,
            content_id=content.content_id,
            version=content.version,
            member_id=member_id,
            reason=reason,
            flagged_at=unit.now,
        )
        return bool((await connection(unit).execute(row.on_conflict_do_nothing())).rowcount)


async def _select(
    query: sa.Select[Any], unit: Unit, tenant: TenantId, ids: Sequence[ContentId]
) -> dict[ContentId, Content]:
    rows = await connection(unit).execute(query, {"tenant": tenant, "ids": list(ids)})
    contents = [_to_content(row) for row in rows.mappings()]
    return {content.content_id: content for content in contents}


class SqlHelpOffers:
    """See `ports.HelpOffers`."""

    async def save(
        self, unit: Unit, tenant: TenantId, offer: HelpOffer, offered_at: datetime
    ) -> None:
        row = insert(HELP).values(
            tenant_id=tenant,
            content_id=offer.content_id,
            recipient=offer.recipient,
            reason=offer.reason,
            words=msgspec.to_builtins(offer.words),
            offered_at=offered_at,
        )
        upsert = row.on_conflict_do_update(
            index_elements=["tenant_id", "content_id"],
            set_={name: row.excluded[name] for name in ("reason", "words", "offered_at")},
            where=HELP.c.offered_at < row.excluded.offered_at,
        )
        await connection(unit).execute(upsert)

    async def find(
        self, unit: Unit, tenant: TenantId, recipient: MemberId, ids: Sequence[ContentId]
    ) -> dict[ContentId, HelpWords]:
        if not ids:
            return {}
        query = sa.select(HELP.c.content_id, HELP.c.words).where(
            (HELP.c.tenant_id == tenant)
            & (HELP.c.recipient == recipient)
            & HELP.c.content_id.in_(ids)
        )
        rows = await connection(unit).execute(query)
        return {row.content_id: msgspec.convert(row.words, HelpWords) for row in rows}


def _to_content(row: sa.RowMapping | asyncpg.Record) -> Content:
    values = {name: row[name] for name in _COLUMNS}
    decided_by = DecidedBy(row["decided_by"]) if row["decided_by"] else None
    kinds = {
        "kind": ContentKind(row["kind"]),
        "standing": ContentStatus(row["standing"]),
        "decided_by": decided_by,
    }
    return Content(**values | kinds)
