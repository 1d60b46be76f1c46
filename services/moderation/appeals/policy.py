"""Policy: which actors may contest a statement, and read and decide an appeal."""

from collections.abc import Iterable

from services.moderation.appeals.domain import Appeal
from services.moderation.cases.domain import MODERATORS, Statement
from shared.contracts.ids import StructureId
from shared.kit.core.policy import Actor, Allowed, Denied, Verdict


def may_contest(actor: Actor, statement: Statement) -> Verdict:
    """Allow the recipient of the statement, the author of the content."""
    if actor.member_id == statement.recipient:
        return Allowed("statement.recipient")
    return Denied("statement.recipient")


def may_read_appeal(actor: Actor, appeal: Appeal, ancestry: Iterable[StructureId]) -> Verdict:
    """Allow moderators of the structure or above, except the author of the content."""
    if actor.member_id == appeal.appellant:
        return Denied("appeal.not_own")
    if actor.holds(MODERATORS, within=ancestry):
        return Allowed("appeal.moderator")
    return Denied("appeal.moderator")


def may_decide_appeal(actor: Actor, appeal: Appeal, ancestry: Iterable[StructureId]) -> Verdict:
    """Allow the readers of the appeal, except the moderator who decided first."""
    if actor.member_id == appeal.first_moderator:
        return Denied("appeal.someone_else")
    return may_read_appeal(actor, appeal, ancestry)
