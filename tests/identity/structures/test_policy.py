import pytest

from services.identity.structures.policy import may_open_below
from shared.contracts.example_data import ACADEMY
from shared.contracts.identity import Role
from shared.kit.core.policy import Allowed
from tests.community.spaces.test_policy import ELSEWHERE
from tests.identity.structures.test_domain import SCHOOL
from tests.support.actors import an_actor


@pytest.mark.parametrize("role", Role)
def test_only_administrators_at_or_above_parent_open_structures(role: Role) -> None:
    expected = role is Role.ADMINISTRATOR
    assert isinstance(may_open_below(an_actor(role, at=ACADEMY), SCHOOL), Allowed) is expected
    assert not isinstance(may_open_below(an_actor(role, at=ELSEWHERE), SCHOOL), Allowed)
