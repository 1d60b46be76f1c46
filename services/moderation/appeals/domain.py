"""Statements of reasons as their authors read them, and appeals against decisions. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from services.moderation.cases.domain import Statement, Subject
from shared.contracts.event import Person
from shared.contracts.ids import AppealId, DecisionId, MemberId, StatementId, TenantId
from shared.contracts.moderation import AppealDecided, AppealReceived, DecisionReversed, Outcome
from shared.kit.core.errors import Conflict, NotFound

APPEAL_PERIOD = timedelta(days=183)
"""Six months."""
MAX_EXCERPT_CHARACTERS = 300
MAX_APPEAL_CHARACTERS = 5_000


class StatementNotFound(NotFound):
    """No such statement, or it is addressed to another member."""

    key = "statement_not_found"


class AppealNotFound(NotFound):
    """No such appeal, or this moderator may not see it."""

    key = "appeal_not_found"


class AlreadyAppealed(Conflict):
    """The statement was contested before: one appeal per statement."""

    key = "already_appealed"


class AppealTooLate(Conflict):
    """The time to contest the statement is over; it ended at `until`."""

    key = "appeal_too_late"


class AppealIsDecided(Conflict):
    """The appeal is decided already."""

    key = "appeal_is_decided"


class SomeoneElseDecides(Conflict):
    """The moderator who decided first, or the author, may not decide the appeal."""

    key = "someone_else_decides"


@dataclass(frozen=True, slots=True)
class Appeal:
    """An author's objection to a decision; the first moderator is None where a rule decided."""

    tenant_id: TenantId
    appeal_id: AppealId
    statement_id: StatementId
    decision_id: DecisionId
    appellant: MemberId
    subject: Subject
    received_at: datetime
    first_moderator: MemberId | None = None
    outcome: Outcome | None = None
    answer: str | None = None
    decided_by: MemberId | None = None
    decided_at: datetime | None = None

    @property
    def state(self) -> Literal["open", "decided"]:
        """Return whether the appeal is open or decided."""
        return "open" if self.outcome is None else "decided"

    @property
    def _appellant(self) -> Person:
        return self.subject.author or Person(member_id=self.appellant)

    def received(self) -> AppealReceived:
        """Return the event that the appeal was received."""
        return AppealReceived(
            ref=self.subject.ref,
            space_id=self.subject.space_id,
            structure_id=self.subject.structure_id,
            appeal_id=self.appeal_id,
            statement_id=self.statement_id,
            decision_id=self.decision_id,
            appellant=self._appellant,
        )

    def decide(
        self, outcome: Outcome, answer: str, moderator: MemberId, now: datetime
    ) -> tuple["Appeal", AppealDecided]:
        """Return the decided appeal, and its event.

        Raises `AppealIsDecided`, `SomeoneElseDecides`.
        """
        if self.outcome is not None:
            raise AppealIsDecided(appeal_id=self.appeal_id)
        if moderator in {self.first_moderator, self.appellant}:
            raise SomeoneElseDecides(appeal_id=self.appeal_id)
        decided = replace(
            self, outcome=outcome, answer=answer, decided_by=moderator, decided_at=now
        )
        fact = AppealDecided(
            ref=self.subject.ref,
            space_id=self.subject.space_id,
            structure_id=self.subject.structure_id,
            appeal_id=self.appeal_id,
            statement_id=self.statement_id,
            decision_id=self.decision_id,
            appellant=self._appellant,
            outcome=outcome,
            moderator_id=moderator,
        )
        return decided, fact

    def reversal(self, statement: Statement) -> DecisionReversed:
        """Return the event that the decision was reversed."""
        return DecisionReversed(
            ref=self.subject.ref,
            space_id=self.subject.space_id,
            structure_id=self.subject.structure_id,
            decision_id=self.decision_id,
            action=statement.action,
            appeal_id=self.appeal_id,
            author=self.subject.author,
            moderator_id=self.decided_by,
        )


@dataclass(frozen=True, slots=True)
class StatementView:
    """A statement as its author reads it, with the beginning of the text and the appeal.

    `written_at` and `excerpt` are None where the text is no longer stored.
    """

    statement: Statement
    written_at: datetime | None
    excerpt: str | None
    appeal: Appeal | None

    @property
    def contest_until(self) -> datetime:
        """Return the end of the time to contest it."""
        return self.statement.issued_at + APPEAL_PERIOD


def check_appeal_period(statement: Statement, now: datetime) -> None:
    """Check that the time to appeal is not over. Raises `AppealTooLate`."""
    until = statement.issued_at + APPEAL_PERIOD
    if now > until:
        raise AppealTooLate(statement_id=statement.statement_id, until=until.isoformat())


def excerpt_of(text: str) -> str:
    """Return the beginning of a text, cut at a word where possible."""
    if len(text) <= MAX_EXCERPT_CHARACTERS:
        return text
    cut = text[: MAX_EXCERPT_CHARACTERS - 1]
    return f"{cut.rsplit(None, 1)[0] if ' ' in cut else cut}…"
