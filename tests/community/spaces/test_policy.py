from dataclasses import replace
from uuid import UUID

import pytest

from services.community.spaces.domain import Membership, Space
from services.community.spaces.policy import may_join, may_open, may_see
from shared.contracts.community import Joining, Visibility
from shared.contracts.example_data import ACADEMY, COLLEGE, NOON, SPACE, TENANT
from shared.contracts.identity import Role
from shared.contracts.ids import StructureId
from shared.kit.core.policy import Allowed
from tests.support.actors import ANCESTRY, an_actor

ELSEWHERE = StructureId(UUID(int=9))
NON_MEMBER, MEMBER = Membership(), Membership("member")
SCHOOL_SPACE = Space(
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


def _is_allowed(verdict: object) -> bool:
    return isinstance(verdict, Allowed)


@pytest.mark.parametrize("visibility", Visibility)
def test_members_and_managers_see_every_space(visibility: Visibility) -> None:
    space = replace(SCHOOL_SPACE, visibility=visibility)
    assert _is_allowed(may_see(OUTSIDER, space, MEMBER))
    assert _is_allowed(may_see(an_actor(Role.MODERATOR, at=ACADEMY, of=None), space, NON_MEMBER))


def test_visibility_decides_whether_non_members_see_a_space() -> None:
    assert _is_allowed(
        may_see(OUTSIDER, replace(SCHOOL_SPACE, visibility=Visibility.PUBLIC), NON_MEMBER)
    )
    assert not _is_allowed(may_see(OUTSIDER, SCHOOL_SPACE, NON_MEMBER))
    assert _is_allowed(may_see(an_actor(Role.PUPIL), SCHOOL_SPACE, NON_MEMBER))


@pytest.mark.parametrize("role", Role)
def test_only_managing_roles_at_or_above_structure_open_spaces(role: Role) -> None:
    expected = role in {Role.ADMINISTRATOR, Role.COMMUNITY_MANAGER, Role.OPERATOR}
    assert _is_allowed(may_open(an_actor(role, at=ACADEMY), ANCESTRY)) is expected
    assert not _is_allowed(may_open(an_actor(role, at=ELSEWHERE), ANCESTRY))
    assert not _is_allowed(may_open(an_actor(role, at=COLLEGE), (ACADEMY,))), (
        "a role counts below only"
    )


@pytest.mark.parametrize("joining", Joining)
def test_only_managers_join_spaces_that_are_not_open(joining: Joining) -> None:
    space = replace(SCHOOL_SPACE, joining=joining)
    assert _is_allowed(may_join(an_actor(Role.PUPIL), space, NON_MEMBER)) is (
        joining is Joining.OPEN
    )
    assert _is_allowed(may_join(an_actor(Role.COMMUNITY_MANAGER), space, NON_MEMBER))
    assert not _is_allowed(may_join(OUTSIDER, space, NON_MEMBER))
