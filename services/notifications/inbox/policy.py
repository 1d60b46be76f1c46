"""Permission to read an inbox."""

from shared.contracts.ids import MemberId
from shared.kit.core.policy import Actor, Allowed, Denied, Verdict


def may_read(actor: Actor, recipient: MemberId) -> Verdict:
    """Only the inbox's owner."""
    if actor.member_id == recipient:
        return Allowed("inbox.own")
    return Denied("inbox.own")
