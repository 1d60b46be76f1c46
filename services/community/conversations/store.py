"""The conversations in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.community.conversations.domain import ROOTS, Content, Standing
from services.community.conversations.tables import CONTENTS, FLAGS
from shared.contracts.community import ContentKind
from shared.contracts.ids import ContentId, MemberId, SpaceId, TenantId
from shared.kit.database import connection
from shared.kit.unit import Unit

_CHANGING = (
    "title",
    "body",
    "version",
    "standing",
    "reason",
    "decision_id",
    "accepted_id",
    "edited_at",
)


class SqlContents:
    """See `ports.Contents`."""

    async def add(self, unit: Unit, contents: Sequence[Content]) -> set[ContentId]:
        """Add those that are new."""
        if not contents:
            return set()
        statement = insert(CONTENTS).values([asdict(each) for each in contents])
        done = await connection(unit).execute(
            statement.on_conflict_do_nothing().returning(CONTENTS.c.content_id)
        )
        return set(done.scalars())

    async def find(
        self, unit: Unit, tenant: TenantId, ids: Sequence[ContentId], *, lock: bool = False
    ) -> dict[ContentId, Content]:
        """Find those that exist."""
        chosen = (CONTENTS.c.tenant_id == tenant) & CONTENTS.c.content_id.in_(ids)
        query = sa.select(CONTENTS).where(chosen).order_by(CONTENTS.c.content_id)
        if lock:
            query = query.with_for_update()
        found = [_content(row) for row in (await connection(unit).execute(query)).mappings()]
        return {each.content_id: each for each in found}

    async def change(self, unit: Unit, content: Content) -> None:
        """Write what may change of a content."""
        chosen = (CONTENTS.c.tenant_id == content.tenant_id) & (
            CONTENTS.c.content_id == content.content_id
        )
        values = {name: value for name, value in asdict(content).items() if name in _CHANGING}
        await connection(unit).execute(sa.update(CONTENTS).where(chosen).values(**values))

    async def list_conversation(
        self, unit: Unit, tenant: TenantId, root: ContentId
    ) -> Sequence[Content]:
        """List a root post and all below it."""
        chosen = (CONTENTS.c.tenant_id == tenant) & (CONTENTS.c.root_id == root)
        order = (CONTENTS.c.created_at, CONTENTS.c.content_id)
        found = await connection(unit).execute(sa.select(CONTENTS).where(chosen).order_by(*order))
        return [_content(row) for row in found.mappings()]

    async def list_roots(
        self, unit: Unit, tenant: TenantId, space: SpaceId, before: ContentId | None, limit: int
    ) -> Sequence[Content]:
        """List root posts, the newest first."""
        chosen = (
            (CONTENTS.c.tenant_id == tenant)
            & (CONTENTS.c.space_id == space)
            & CONTENTS.c.kind.in_([kind.value for kind in ROOTS])
        )
        place = sa.tuple_(CONTENTS.c.created_at, CONTENTS.c.content_id)
        if before is not None:
            last = sa.select(CONTENTS.c.created_at, CONTENTS.c.content_id).where(
                (CONTENTS.c.tenant_id == tenant) & (CONTENTS.c.content_id == before)
            )
            chosen &= place < last.scalar_subquery()
        order = (CONTENTS.c.created_at.desc(), CONTENTS.c.content_id.desc())
        query = sa.select(CONTENTS).where(chosen).order_by(*order).limit(limit)
        return [_content(row) for row in (await connection(unit).execute(query)).mappings()]

    async def flag(self, unit: Unit, content: Content, member_id: MemberId, reason: str) -> bool:
        """Keep a flag."""
        row = insert(FLAGS).values(
            tenant_id=content.tenant_id,
            content_id=content.content_id,
            version=content.version,
            member_id=member_id,
            reason=reason,
            flagged_at=unit.now,
        )
        return bool((await connection(unit).execute(row.on_conflict_do_nothing())).rowcount)


def _content(row: sa.RowMapping) -> Content:
    kinds = {"kind": ContentKind(row["kind"]), "standing": Standing(row["standing"])}
    return Content(**{**row, **kinds})
