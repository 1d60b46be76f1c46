"""What leads to a content that cannot be read is neither shown nor counted while it is unread."""

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
from shared.contracts.cast import COLLEGE, HAMID, PUPIL, TEACHER, ZOE
from shared.contracts.community import (
    AnswerAccepted,
    CommentHidden,
    CommentPublished,
    CommentRemoved,
    CommentRestored,
    PostHidden,
)
from shared.contracts.event import Fact
from shared.contracts.ids import ContentId, MemberId, NotificationId, derived_id
from shared.contracts.moderation import HelpOffered
from shared.contracts.notifications import NotificationRead
from shared.kit.core.policy import Actor
from shared.kit.core.unit_of_work import Caller, Delivery
from tests.notifications.inbox.test_managers import Arriving, at, keys_in_order
from tests.support.databases import open_service_database

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
ROWS = sa.text("SELECT about, gone, read_at FROM notifications ORDER BY about")
COUNTER = sa.text("SELECT n FROM unread")


@pytest.fixture
async def arriving(postgres_addresses: StackAddresses) -> AsyncIterator[Arriving]:
    async with open_service_database("notifications", postgres_addresses) as database:
        yield Arriving(database)


class Comment:
    """A comment on Zoé's post, and all that becomes of it."""

    def __init__(self) -> None:
        self.content = ContentId(uuid7())

    def _about(self, fact: Any) -> Any:  # Any: a fact with a reference
        return structs.replace(fact, ref=structs.replace(fact.ref, id=self.content))

    def published(self) -> Fact:
        fact = structs.replace(CommentPublished.example(), author=TEACHER, reply_to=PUPIL)
        told: Fact = self._about(fact)
        return told

    def moved(self, kind: type[Fact]) -> Fact:
        told: Fact = self._about(kind.example())
        return told


def read_of(published: Delivery[Fact], recipient: MemberId = ZOE) -> NotificationRead:
    name = derived_id(published.event_id, recipient.hex, "comment_on_mine")
    return NotificationRead(
        notification_id=NotificationId(name), recipient_id=recipient, category="comment_on_mine"
    )


async def inbox_of(arriving: Arriving, who: MemberId = ZOE) -> tuple[int, list[UUID]]:
    """Return how many are unread, and what is shown, as the member reads it."""
    deps = InboxDeps(arriving.database.unit, SqlInboxes(), SqlManagers(), SqlUnavailableContents())
    caller, actor = Caller(arriving.tenant, who, "un essai"), Actor(arriving.tenant, who, COLLEGE)
    inbox = await read_inbox(deps, caller, actor, None, 50)
    return inbox.unread, [each.about for each in inbox.notifications]


@pytest.mark.parametrize("kind", [CommentHidden, CommentRemoved])
async def test_what_cannot_be_read_is_withdrawn_and_comes_back(
    arriving: Arriving, kind: type[Fact]
) -> None:
    comment, other = Comment(), Comment()
    await arriving.arrive(at(0, comment.published()), at(1, other.published()))
    await arriving.arrive(at(2, comment.moved(kind)))
    assert await inbox_of(arriving) == (1, [other.content])
    await arriving.arrive(at(3, comment.moved(kind)))
    assert await inbox_of(arriving) == (1, [other.content]), "the same again takes nothing away"
    await arriving.arrive(at(4, comment.moved(CommentRestored)))
    unread, shown = await inbox_of(arriving)
    assert (unread, set(shown)) == (2, {comment.content, other.content})


async def test_what_is_hidden_in_the_same_batch_is_never_unread(arriving: Arriving) -> None:
    comment = Comment()
    batch = [at(0, comment.published()), at(1, comment.moved(CommentHidden))]
    async with arriving.database.unit_for([arriving.tenant]) as unit:
        tell = next(r for r in arriving.reactions if r.name == "tell_people")
        await tell.effect(unit, [structs.replace(e, tenant=arriving.tenant) for e in batch])
    assert await inbox_of(arriving) == (0, [])


async def test_what_was_read_first_stays_and_counts_no_less(arriving: Arriving) -> None:
    comment, other = Comment(), Comment()
    published = at(0, comment.published())
    await arriving.arrive(published, at(0, other.published()), at(1, read_of(published)))
    await arriving.arrive(at(2, comment.moved(CommentRemoved)))
    unread, shown = await inbox_of(arriving)
    assert (unread, set(shown)) == (1, {comment.content, other.content})


async def test_what_is_withdrawn_cannot_be_marked_as_read(arriving: Arriving) -> None:
    comment = Comment()
    published = at(0, comment.published())
    await arriving.arrive(published, at(2, comment.moved(CommentHidden)))
    deps = InboxDeps(arriving.database.unit, SqlInboxes(), SqlManagers(), SqlUnavailableContents())
    caller, actor = Caller(arriving.tenant, ZOE, "un essai"), Actor(arriving.tenant, ZOE, COLLEGE)
    with pytest.raises(NotificationNotFound):
        await mark_read(deps, caller, actor, read_of(published).notification_id)


async def test_words_of_help_stay_when_the_message_is_taken_back(arriving: Arriving) -> None:
    offered = structs.replace(HelpOffered.example(), recipient=PUPIL)
    hidden = structs.replace(PostHidden.example(), ref=offered.ref)
    await arriving.arrive(at(0, offered), at(1, hidden))
    assert await inbox_of(arriving) == (1, [offered.ref.id])


async def test_an_acceptance_of_what_is_hidden_is_told_when_it_is_shown(
    arriving: Arriving,
) -> None:
    accepted = structs.replace(AnswerAccepted.example(), author=TEACHER, accepted_by=ZOE)
    hidden = structs.replace(PostHidden.example(), ref=accepted.ref)
    await arriving.arrive(at(0, hidden), at(1, accepted))
    assert await inbox_of(arriving, HAMID) == (0, [])


@pytest.mark.parametrize("seed", range(20))
async def test_in_whatever_order_topics_come_the_inbox_is_the_same(
    arriving: Arriving, seed: int
) -> None:
    """A replay reads what people read from another topic, sooner or later than the rest."""
    comments = [Comment() for _ in range(4)]
    published = [at(n, comment.published()) for n, comment in enumerate(comments)]
    life: Sequence[tuple[str, Delivery[Fact]]] = [
        *[("community", each) for each in published],
        # Read, then hidden; hidden, then shown, then read; removed unread; read only.
        ("own", at(10, read_of(published[0]))),
        ("community", at(11, comments[0].moved(CommentHidden))),
        ("community", at(12, comments[1].moved(CommentHidden))),
        ("community", at(13, comments[1].moved(CommentRestored))),
        ("own", at(14, read_of(published[1]))),
        ("community", at(15, comments[2].moved(CommentRemoved))),
        ("own", at(16, read_of(published[3]))),
    ]
    # What is read was told before: a read names a notification.
    for each in [*published, *keys_in_order(life[4:], seed)]:
        await arriving.arrive(each)
    assert (await inbox_of(arriving))[0] == 0
    rows = await arriving.database.execute_once(ROWS, [arriving.tenant])
    assert {row.about: (row.gone, row.read_at is not None) for row in rows} == {
        comments[0].content: (True, True),
        comments[1].content: (False, True),
        comments[2].content: (True, False),
        comments[3].content: (False, True),
    }
    assert [row.n for row in await arriving.database.execute_once(COUNTER, [arriving.tenant])] == [
        0
    ]
