import pytest

from services.metrics.kpis.policy import may_measure, may_see_unmasked
from shared.contracts.example_data import ACADEMY
from shared.contracts.identity import Role
from shared.kit.core.policy import Allowed
from tests.community.spaces.test_policy import ELSEWHERE
from tests.metrics.builders import a_space
from tests.support.actors import an_actor


@pytest.mark.parametrize("role", Role)
def test_managers_administrators_and_operators_measure(role: Role) -> None:
    expected = role in {Role.COMMUNITY_MANAGER, Role.ADMINISTRATOR, Role.OPERATOR}
    assert isinstance(may_measure(an_actor(role, at=ACADEMY), a_space()), Allowed) is expected
    assert not isinstance(may_measure(an_actor(role, at=ELSEWHERE), a_space()), Allowed)


@pytest.mark.parametrize("role", Role)
def test_only_operators_see_masked_values(role: Role) -> None:
    assert may_see_unmasked(an_actor(role, at=ACADEMY), a_space()) is (role is Role.OPERATOR)
    assert not may_see_unmasked(an_actor(role, at=ELSEWHERE), a_space())
