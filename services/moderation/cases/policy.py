"""Policy: which actors may read and decide a case."""

from collections.abc import Iterable

from services.moderation.cases.domain import MODERATORS, Case
from shared.contracts.ids import StructureId
from shared.kit.core.policy import Actor, Allowed, Denied, Verdict


def may_decide(actor: Actor, case: Case, ancestry: Iterable[StructureId]) -> Verdict:
    """Allow moderators of the structure or above, except on their own content."""
    if actor.member_id == case.subject.author_id:
        return Denied("decide.not_own")
    if actor.holds(MODERATORS, within=ancestry):
        return Allowed("decide.moderator")
    return Denied("decide.moderator")
