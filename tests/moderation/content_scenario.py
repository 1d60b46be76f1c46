"""Builds the history of one content, event by event, on a real database."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from cryptography.fernet import Fernet
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from deploy.local.stack import StackAddresses
from services.moderation.appeals.ports import AppealsDeps
from services.moderation.appeals.store import SqlAppeals
from services.moderation.cases.handlers.moderate import Decide, decide_case
from services.moderation.cases.ports import CasesDeps
from services.moderation.cases.reactions import (
    note_removals_in_cases,
    open_cases_for_flags,
    remember_removals,
)
from services.moderation.cases.store import (
    SqlCaseHistories,
    SqlCases,
    SqlDecisions,
    SqlRemovals,
    SqlStatements,
)
from services.moderation.screening.domain import ScreeningResult, text_hash
from services.moderation.screening.ports import ScreeningDeps
from services.moderation.screening.reactions import screen_content
from services.moderation.screening.store import SqlHelpOffers, SqlScreenings
from shared.contracts.community import (
    ContentFlagged,
    ContentKind,
    ContentRef,
    PostEdited,
    PostPublished,
    PostRemoved,
)
from shared.contracts.event import Fact, Origin, Person
from shared.contracts.example_data import COLLEGE, SPACE, ZOE
from shared.contracts.identity import Role
from shared.contracts.ids import CaseId, ContentId, EventId, MemberId, TenantId
from shared.contracts.moderation import Action, HelpWords, Verdict
from shared.kit.core.bus import Partition
from shared.kit.core.policy import Actor, Grant
from shared.kit.core.unit_of_work import Caller, Delivery, PreparedDelivery
from shared.kit.database.database import Database, SqlUnit
from tests.support.databases import open_service_database

NOON = datetime(2026, 11, 3, 11, tzinfo=UTC)
OMAR, ANNE, INES = (MemberId(UUID(int=number)) for number in (71, 72, 73))
AUTHOR = Person(member_id=ZOE, structure_id=COLLEGE, role="pupil")
WORDS = {"self_harm_call": HelpWords(fr="Appelle le 3114.", en="Call 3114.")}
Row = Any  # Any: a row of whichever columns were asked for


def a_screening_result(
    verdict: Verdict, text: str = "…", *, helps: bool = False
) -> ScreeningResult:
    """A screening result with this verdict."""
    reason = "self_harm_call" if helps else "insult.direct"
    matched = verdict is not Verdict.PASS
    return ScreeningResult(
        verdict=verdict,
        score=0.9 if matched else 0.0,
        rules=(),
        policies=("insult",) if matched else (),
        reasons=(reason,) if matched else (),
        masked=text,
        content_hash=text_hash(text),
        help=(reason,) if helps else (),
    )


@dataclass
class ContentScenario:
    """The history of one content, in a separate tenant."""

    database: Database
    seal_key: str = field(default_factory=lambda: Fernet.generate_key().decode())
    tenant: TenantId = field(default_factory=lambda: TenantId(uuid7()))
    content: ContentId = field(default_factory=lambda: ContentId(uuid7()))
    minutes: int = 0

    def __post_init__(self) -> None:
        texts, new_id = SqlScreenings(self.seal_key), uuid7
        self.cases = CasesDeps(
            self.database.unit,
            SqlCases(),
            SqlCaseHistories(),
            SqlDecisions(),
            texts,
            SqlRemovals(),
            new_id,
        )
        unused: Any = None  # Any: what no test of these stories needs
        self.screening = ScreeningDeps(
            unused, unused, texts, SqlHelpOffers(), WORDS, self.cases, unused, new_id
        )
        self.appeals = AppealsDeps(SqlStatements(), SqlAppeals(self.seal_key), self.cases)

    @property
    def caller(self) -> Caller:
        return Caller(self.tenant, OMAR, "un essai")

    def moderator(self, member: MemberId = OMAR) -> Actor:
        grant = Grant(Role.MODERATOR, COLLEGE)
        return Actor(self.tenant, member, COLLEGE, grants=(grant,))

    def author(self) -> Actor:
        return Actor(self.tenant, ZOE, COLLEGE)

    def ref(self, version: int) -> ContentRef:
        return ContentRef(
            kind=ContentKind.DISCUSSION, id=self.content, root_id=self.content, version=version
        )

    def delivery(self, fact: Fact, origin: Origin = Origin.LIVE) -> Delivery[Any]:
        self.minutes += 1
        moment = NOON + timedelta(minutes=self.minutes)
        return Delivery(
            fact=fact,
            event_id=EventId(uuid7()),
            tenant=self.tenant,
            time=moment,
            recorded=moment,
            received=moment,
            origin=origin,
            correlation="un essai",
            sequence=self.minutes,
            key="k",
            partition=Partition("un.sujet", 0),
            offset=self.minutes,
        )

    def written(
        self, version: int, verdict: ScreeningResult, origin: Origin = Origin.LIVE
    ) -> PreparedDelivery[Any, ScreeningResult]:
        kind = PostPublished if version == 1 else PostEdited
        fact = replace(
            kind.example(),
            ref=self.ref(version),
            space_id=SPACE,
            structure_id=COLLEGE,
            author=AUTHOR,
        )
        return PreparedDelivery(self.delivery(fact, origin), verdict)

    async def screen(self, *written: PreparedDelivery[Any, ScreeningResult]) -> None:
        async with self.batch() as unit:
            await screen_content(self.screening, unit, written)

    async def flag(self, member: MemberId, version: int = 1, reason: str = "insult") -> None:
        fact = replace(
            ContentFlagged.example(),
            ref=self.ref(version),
            author=AUTHOR,
            structure_id=COLLEGE,
            flagged_by=Person(member_id=member),
            reason=reason,
        )
        async with self.batch() as unit:
            await open_cases_for_flags(self.cases, unit, [self.delivery(fact)])

    async def remove(self) -> None:
        fact = replace(PostRemoved.example(), ref=self.ref(1), decision_id=None)
        delivery = self.delivery(fact)
        async with self.batch() as unit:
            await remember_removals(self.cases, unit, [delivery])
            await note_removals_in_cases(self.cases, unit, [delivery])

    async def decide(self, version: int, action: Action) -> None:
        (case,) = await self.rows("SELECT case_id FROM cases WHERE state = 'open'")
        command = Decide(CaseId(case.case_id), version, action, "insult", "insult.direct")
        await decide_case(self.cases, self.caller, self.moderator(), command)

    async def decisions(self) -> list[tuple[str, str, int]]:
        rows = await self.rows(
            "SELECT action, decided_by, version FROM decisions ORDER BY decided_at, decision_id"
        )
        return [(row.action, row.decided_by, row.version) for row in rows]

    async def open_cases(self) -> list[str]:
        rows = await self.rows("SELECT because FROM cases WHERE state = 'open'")
        return [row.because for row in rows]

    async def rows(self, query: str, **values: object) -> Sequence[Row]:
        return await self.database.execute_once(sa.text(query), [self.tenant], **values)

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[SqlUnit]:
        async with self.database.unit_for([self.tenant]) as unit:
            yield unit


@asynccontextmanager
async def open_scenario(addresses: StackAddresses) -> AsyncIterator[ContentScenario]:
    """Open a scenario on a migrated database."""
    async with open_service_database("moderation", addresses) as database:
        yield ContentScenario(database)
