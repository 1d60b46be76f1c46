"""Notifications of an unavailable content are neither listed nor counted while unread."""

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from msgspec import structs
from uuid_utils.compat import uuid7

from deploy.local.stack import StackAddresses
from services.notifications.inbox.domain import NotificationNotFound
from services.notifications.inbox.handlers.read_inbox import mark_read, read_inbox
from services.notifications.inbox.ports import InboxDeps
from services.notifications.inbox.store import SqlInboxes, SqlManagers, SqlUnavailableContents
from shared.contracts.community import (
    AnswerAccepted,
    CommentHidden,
    CommentPublished,
    CommentRemoved,
    CommentRestored,
    PostHidden,
)
from shared.contracts.event import Fact
from shared.contracts.example_data import COLLEGE, HAMID, PUPIL, TEACHER, ZOE
from shared.contracts.ids import ContentId, MemberId, NotificationId, derived_id
from shared.contracts.moderation import HelpOffered
from shared.contracts.notifications import NotificationRead
from shared.kit.core.policy import Actor
from shared.kit.core.unit_of_work import Caller, Delivery
from tests.notifications.inbox.test_managers import EventDelivery, delivery_at, shuffle_keys
from tests.support.databases import open_service_database

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
ROWS = sa.text("SELECT about, gone, read_at FROM notifications ORDER BY about")
COUNTER = sa.text("SELECT n FROM unread")


@pytest.fixture
async def delivery_harness(postgres_addresses: StackAddresses) -> AsyncIterator[EventDelivery]:
    async with open_service_database("notifications", postgres_addresses) as database:
        yield EventDelivery(database)


class Comment:
    """A comment on Zoé's post, and the facts about it."""

    def __init__(self) -> None:
        self.content = ContentId(uuid7())

    def _about(self, fact: Any) -> Any:  # Any: a fact with a reference
        return structs.replace(fact, ref=structs.replace(fact.ref, id=self.content))

    def published(self) -> Fact:
        fact = structs.replace(CommentPublished.example(), author=TEACHER, reply_to=PUPIL)
        changed_fact: Fact = self._about(fact)
        return changed_fact

    def state_changed(self, kind: type[Fact]) -> Fact:
        changed_fact: Fact = self._about(kind.example())
        return changed_fact


def read_fact_of(published: Delivery[Fact], recipient: MemberId = ZOE) -> NotificationRead:
    name = derived_id(published.event_id, recipient.hex, "comment_on_mine")
    return NotificationRead(
        notification_id=NotificationId(name), recipient_id=recipient, category="comment_on_mine"
    )


async def read_inbox_of(
    delivery_harness: EventDelivery, member_id: MemberId = ZOE
) -> tuple[int, list[UUID]]:
    """Return the unread count and the listed notifications, as the member reads them."""
    deps = InboxDeps(
        delivery_harness.database.unit, SqlInboxes(), SqlManagers(), SqlUnavailableContents()
    )
    caller, actor = (
        Caller(delivery_harness.tenant, member_id, "un essai"),
        Actor(delivery_harness.tenant, member_id, COLLEGE),
    )
    inbox = await read_inbox(deps, caller, actor, None, 50)
    return inbox.unread, [notification.about for notification in inbox.notifications]


@pytest.mark.parametrize("kind", [CommentHidden, CommentRemoved])
async def test_notification_is_withdrawn_and_restored_with_its_content(
    delivery_harness: EventDelivery, kind: type[Fact]
) -> None:
    comment, other = Comment(), Comment()
    await delivery_harness.deliver(
        delivery_at(0, comment.published()), delivery_at(1, other.published())
    )
    await delivery_harness.deliver(delivery_at(2, comment.state_changed(kind)))
    assert await read_inbox_of(delivery_harness) == (1, [other.content])
    await delivery_harness.deliver(delivery_at(3, comment.state_changed(kind)))
    assert await read_inbox_of(delivery_harness) == (1, [other.content]), (
        "repeating the event changes nothing"
    )
    await delivery_harness.deliver(delivery_at(4, comment.state_changed(CommentRestored)))
    unread, listed = await read_inbox_of(delivery_harness)
    assert (unread, set(listed)) == (2, {comment.content, other.content})


async def test_content_hidden_in_the_same_batch_is_never_unread(
    delivery_harness: EventDelivery,
) -> None:
    comment = Comment()
    batch = [
        delivery_at(0, comment.published()),
        delivery_at(1, comment.state_changed(CommentHidden)),
    ]
    async with delivery_harness.database.unit_for([delivery_harness.tenant]) as unit:
        reaction = next(
            candidate
            for candidate in delivery_harness.reactions
            if candidate.name == "notify_members"
        )
        await reaction.effect(
            unit, [structs.replace(delivery, tenant=delivery_harness.tenant) for delivery in batch]
        )
    assert await read_inbox_of(delivery_harness) == (0, [])


async def test_notification_that_was_read_stays_listed(delivery_harness: EventDelivery) -> None:
    comment, other = Comment(), Comment()
    published = delivery_at(0, comment.published())
    await delivery_harness.deliver(
        published, delivery_at(0, other.published()), delivery_at(1, read_fact_of(published))
    )
    await delivery_harness.deliver(delivery_at(2, comment.state_changed(CommentRemoved)))
    unread, listed = await read_inbox_of(delivery_harness)
    assert (unread, set(listed)) == (1, {comment.content, other.content})


async def test_withdrawn_notification_cannot_be_marked_as_read(
    delivery_harness: EventDelivery,
) -> None:
    comment = Comment()
    published = delivery_at(0, comment.published())
    await delivery_harness.deliver(published, delivery_at(2, comment.state_changed(CommentHidden)))
    deps = InboxDeps(
        delivery_harness.database.unit, SqlInboxes(), SqlManagers(), SqlUnavailableContents()
    )
    caller, actor = (
        Caller(delivery_harness.tenant, ZOE, "un essai"),
        Actor(delivery_harness.tenant, ZOE, COLLEGE),
    )
    with pytest.raises(NotificationNotFound):
        await mark_read(deps, caller, actor, read_fact_of(published).notification_id)


async def test_help_notification_stays_when_its_content_is_hidden(
    delivery_harness: EventDelivery,
) -> None:
    offered = structs.replace(HelpOffered.example(), recipient=PUPIL)
    hidden = structs.replace(PostHidden.example(), ref=offered.ref)
    await delivery_harness.deliver(delivery_at(0, offered), delivery_at(1, hidden))
    assert await read_inbox_of(delivery_harness) == (1, [offered.ref.id])


async def test_acceptance_of_a_hidden_answer_is_not_listed(
    delivery_harness: EventDelivery,
) -> None:
    accepted = structs.replace(AnswerAccepted.example(), author=TEACHER, accepted_by=ZOE)
    hidden = structs.replace(PostHidden.example(), ref=accepted.ref)
    await delivery_harness.deliver(delivery_at(0, hidden), delivery_at(1, accepted))
    assert await read_inbox_of(delivery_harness, HAMID) == (0, [])


@pytest.mark.parametrize("seed", range(20))
async def test_inbox_does_not_depend_on_arrival_order(
    delivery_harness: EventDelivery, seed: int
) -> None:
    """During a replay, read notifications come from another topic, earlier or later."""
    comments = [Comment() for _ in range(4)]
    published = [
        delivery_at(minute, comment.published()) for minute, comment in enumerate(comments)
    ]
    keyed_deliveries: Sequence[tuple[str, Delivery[Fact]]] = [
        *[("community", delivery) for delivery in published],
        # Read, then hidden; hidden, restored, then read; removed unread; only read.
        ("own", delivery_at(10, read_fact_of(published[0]))),
        ("community", delivery_at(11, comments[0].state_changed(CommentHidden))),
        ("community", delivery_at(12, comments[1].state_changed(CommentHidden))),
        ("community", delivery_at(13, comments[1].state_changed(CommentRestored))),
        ("own", delivery_at(14, read_fact_of(published[1]))),
        ("community", delivery_at(15, comments[2].state_changed(CommentRemoved))),
        ("own", delivery_at(16, read_fact_of(published[3]))),
    ]
    # A notification exists before it can be read.
    for delivery in [*published, *shuffle_keys(keyed_deliveries[4:], seed)]:
        await delivery_harness.deliver(delivery)
    assert (await read_inbox_of(delivery_harness))[0] == 0
    rows = await delivery_harness.database.execute_once(ROWS, [delivery_harness.tenant])
    assert {row.about: (row.gone, row.read_at is not None) for row in rows} == {
        comments[0].content: (True, True),
        comments[1].content: (False, True),
        comments[2].content: (True, False),
        comments[3].content: (False, True),
    }
    assert [
        row.n
        for row in await delivery_harness.database.execute_once(COUNTER, [delivery_harness.tenant])
    ] == [0]
