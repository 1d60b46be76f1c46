import pytest

from services.community.conversations.domain import ContentStatus
from services.community.conversations.policy import (
    may_accept,
    may_change,
    may_flag,
    may_publish,
    may_read,
)
from services.community.spaces.domain import Membership as InSpace
from shared.contracts.cast import ACADEMY, ZOE
from shared.contracts.community import ContentKind
from shared.contracts.identity import Role
from shared.kit.core.policy import Allowed, Denied
from tests.community.conversations.builders import a_content
from tests.community.spaces.test_policy import NOBODY, OUTSIDER, ROOM
from tests.support.actors import an_actor

MEMBER, ANIMATOR = InSpace("member"), InSpace("animator")
ZOE_HERSELF, TEACHER = an_actor(Role.PUPIL, member_id=ZOE), an_actor(Role.TEACHER)
HIDDEN = a_content(standing=ContentStatus.HIDDEN)


def test_members_publish_and_others_do_not() -> None:
    assert may_publish(TEACHER, ROOM, MEMBER, ContentKind.QUESTION) == Allowed("post.member")
    assert may_publish(TEACHER, ROOM, NOBODY, ContentKind.QUESTION) == Denied("post.member")


@pytest.mark.parametrize(
    ("role", "standing", "allowed"),
    [
        (Role.TEACHER, MEMBER, False),
        (Role.TEACHER, ANIMATOR, True),
        (Role.COMMUNITY_MANAGER, NOBODY, True),
    ],
)
def test_who_animates_or_stands_above_announces(
    role: Role, standing: InSpace, *, allowed: bool
) -> None:
    verdict = may_publish(an_actor(role), ROOM, standing, ContentKind.ANNOUNCEMENT)
    assert isinstance(verdict, Allowed) is allowed


@pytest.mark.parametrize("role", Role)
def test_hidden_is_for_author_moderators_and_administrators(role: Role) -> None:
    expected = role in {Role.MODERATOR, Role.ADMINISTRATOR}
    reader = an_actor(role, at=ACADEMY)
    assert isinstance(may_read(reader, ROOM, MEMBER, HIDDEN), Allowed) is expected
    assert may_read(ZOE_HERSELF, ROOM, MEMBER, HIDDEN) == Allowed("read.author")


def test_who_does_not_see_the_space_reads_nothing_in_it_not_even_their_own() -> None:
    for content in (a_content(), HIDDEN, a_content(author_id=OUTSIDER.member_id)):
        assert isinstance(may_read(OUTSIDER, ROOM, NOBODY, content), Denied)


def test_only_the_author_changes_a_content() -> None:
    assert isinstance(may_change(ZOE_HERSELF, a_content()), Allowed)
    assert isinstance(may_change(an_actor(Role.ADMINISTRATOR), a_content()), Denied)
    assert isinstance(may_change(ZOE_HERSELF, a_content(author_id=None)), Denied)


def test_the_asker_or_the_animator_accepts() -> None:
    assert may_accept(ZOE_HERSELF, a_content(), MEMBER) == Allowed("accept.asker")
    assert may_accept(TEACHER, a_content(), ANIMATOR) == Allowed("accept.animator")
    assert may_accept(TEACHER, a_content(), MEMBER) == Denied("accept.asker")


def test_members_flag_what_is_not_theirs() -> None:
    assert may_flag(TEACHER, a_content(), MEMBER) == Allowed("flag.member")
    assert may_flag(ZOE_HERSELF, a_content(), MEMBER) == Denied("flag.not_own")
    assert may_flag(TEACHER, a_content(), NOBODY) == Denied("flag.member")
