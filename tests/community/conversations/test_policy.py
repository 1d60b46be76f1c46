import pytest

from services.community.conversations.domain import ContentStatus
from services.community.conversations.policy import (
    may_accept,
    may_change,
    may_flag,
    may_publish,
    may_read,
)
from services.community.spaces.domain import Membership
from shared.contracts.community import ContentKind
from shared.contracts.example_data import ACADEMY, ZOE
from shared.contracts.identity import Role
from shared.kit.core.policy import Allowed, Denied
from tests.community.conversations.builders import a_content
from tests.community.spaces.test_policy import NON_MEMBER, OUTSIDER, SCHOOL_SPACE
from tests.support.actors import an_actor

MEMBER, ANIMATOR = Membership("member"), Membership("animator")
ZOE_ACTOR, TEACHER = an_actor(Role.PUPIL, member_id=ZOE), an_actor(Role.TEACHER)
HIDDEN = a_content(standing=ContentStatus.HIDDEN)


def test_members_publish_and_others_do_not() -> None:
    assert may_publish(TEACHER, SCHOOL_SPACE, MEMBER, ContentKind.QUESTION) == Allowed(
        "post.member"
    )
    assert may_publish(TEACHER, SCHOOL_SPACE, NON_MEMBER, ContentKind.QUESTION) == Denied(
        "post.member"
    )


@pytest.mark.parametrize(
    ("role", "membership", "allowed"),
    [
        (Role.TEACHER, MEMBER, False),
        (Role.TEACHER, ANIMATOR, True),
        (Role.COMMUNITY_MANAGER, NON_MEMBER, True),
    ],
)
def test_only_animators_and_managers_announce(
    role: Role, membership: Membership, *, allowed: bool
) -> None:
    verdict = may_publish(an_actor(role), SCHOOL_SPACE, membership, ContentKind.ANNOUNCEMENT)
    assert isinstance(verdict, Allowed) is allowed


@pytest.mark.parametrize("role", Role)
def test_hidden_content_is_readable_by_author_and_moderators(role: Role) -> None:
    expected = role in {Role.MODERATOR, Role.ADMINISTRATOR}
    reader = an_actor(role, at=ACADEMY)
    assert isinstance(may_read(reader, SCHOOL_SPACE, MEMBER, HIDDEN), Allowed) is expected
    assert may_read(ZOE_ACTOR, SCHOOL_SPACE, MEMBER, HIDDEN) == Allowed("read.author")


def test_actor_who_cannot_see_space_reads_no_content() -> None:
    for content in (a_content(), HIDDEN, a_content(author_id=OUTSIDER.member_id)):
        assert isinstance(may_read(OUTSIDER, SCHOOL_SPACE, NON_MEMBER, content), Denied)


def test_only_the_author_changes_a_content() -> None:
    assert isinstance(may_change(ZOE_ACTOR, a_content()), Allowed)
    assert isinstance(may_change(an_actor(Role.ADMINISTRATOR), a_content()), Denied)
    assert isinstance(may_change(ZOE_ACTOR, a_content(author_id=None)), Denied)


def test_asker_and_animator_accept_answers() -> None:
    assert may_accept(ZOE_ACTOR, a_content(), MEMBER) == Allowed("accept.asker")
    assert may_accept(TEACHER, a_content(), ANIMATOR) == Allowed("accept.animator")
    assert may_accept(TEACHER, a_content(), MEMBER) == Denied("accept.asker")


def test_members_flag_only_contents_of_others() -> None:
    assert may_flag(TEACHER, a_content(), MEMBER) == Allowed("flag.member")
    assert may_flag(ZOE_ACTOR, a_content(), MEMBER) == Denied("flag.not_own")
    assert may_flag(TEACHER, a_content(), NON_MEMBER) == Denied("flag.member")
