import pytest

from services.moderation.cases.policy import may_decide
from shared.contracts.example_data import ACADEMY, COLLEGE, ZOE
from shared.contracts.identity import Role
from shared.kit.core.policy import Allowed, Denied
from tests.community.spaces.test_policy import ELSEWHERE
from tests.moderation.cases.test_domain import a_case
from tests.support.actors import ANCESTRY, an_actor


@pytest.mark.parametrize("role", Role)
def test_moderators_and_administrators_there_or_above_decide(role: Role) -> None:
    expected = role in {Role.MODERATOR, Role.ADMINISTRATOR}
    for where in (ACADEMY, COLLEGE):
        assert (
            isinstance(may_decide(an_actor(role, at=where), a_case(), ANCESTRY), Allowed)
            is expected
        )
    assert not isinstance(may_decide(an_actor(role, at=ELSEWHERE), a_case(), ANCESTRY), Allowed)


@pytest.mark.parametrize("role", Role)
def test_moderator_cannot_decide_on_own_content(role: Role) -> None:
    assert may_decide(an_actor(role, member_id=ZOE), a_case(), ANCESTRY) == Denied("decide.not_own")
