from dataclasses import replace
from uuid import UUID

import pytest

from services.community.spaces.domain import Membership, Space
from services.community.spaces.policy import may_join, may_open, may_see
from shared.contracts.cast import ACADEMY, COLLEGE, NOON, SPACE, TENANT
from shared.contracts.community import Joining, Visibility
from shared.contracts.identity import Role
from shared.contracts.ids import StructureId
from shared.kit.core.policy import Allowed
from tests.support.actors import ANCESTRY, an_actor

ELSEWHERE = StructureId(UUID(int=9))
NOBODY, MEMBER = Membership(), Membership("member")
ROOM = Space(
    TENANT,
    SPACE,
    "Entraide 🎸",
    Visibility.STRUCTURE,
    Joining.OPEN,
    COLLEGE,
    (ACADEMY,),
    "Europe/Paris",
    NOON,
)
OUTSIDER = an_actor(Role.TEACHER, at=ELSEWHERE, of=ELSEWHERE)


def _yes(verdict: object) -> bool:
    return isinstance(verdict, Allowed)


@pytest.mark.parametrize("visibility", Visibility)
def test_members_and_who_stands_above_always_see_a_space(visibility: Visibility) -> None:
    room = replace(ROOM, visibility=visibility)
    assert _yes(may_see(OUTSIDER, room, MEMBER))
    assert _yes(may_see(an_actor(Role.MODERATOR, at=ACADEMY, of=None), room, NOBODY))


def test_what_is_public_is_seen_by_all_and_what_is_the_structures_by_its_people() -> None:
    assert _yes(may_see(OUTSIDER, replace(ROOM, visibility=Visibility.PUBLIC), NOBODY))
    assert not _yes(may_see(OUTSIDER, ROOM, NOBODY))
    assert _yes(may_see(an_actor(Role.PUPIL), ROOM, NOBODY))


@pytest.mark.parametrize("role", Role)
def test_spaces_are_opened_by_who_runs_the_structure_or_stands_above(role: Role) -> None:
    expected = role in {Role.ADMINISTRATOR, Role.COMMUNITY_MANAGER, Role.OPERATOR}
    assert _yes(may_open(an_actor(role, at=ACADEMY), ANCESTRY)) is expected
    assert not _yes(may_open(an_actor(role, at=ELSEWHERE), ANCESTRY))
    assert not _yes(may_open(an_actor(role, at=COLLEGE), (ACADEMY,))), "a role counts below only"


@pytest.mark.parametrize("joining", Joining)
def test_only_an_open_space_is_joined_by_who_sees_it(joining: Joining) -> None:
    room = replace(ROOM, joining=joining)
    assert _yes(may_join(an_actor(Role.PUPIL), room, NOBODY)) is (joining is Joining.OPEN)
    assert _yes(may_join(an_actor(Role.COMMUNITY_MANAGER), room, NOBODY))
    assert not _yes(may_join(OUTSIDER, room, NOBODY))
