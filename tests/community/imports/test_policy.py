import pytest

from services.community.imports.policy import may_import
from shared.contracts.example_data import ACADEMY
from shared.contracts.identity import Role
from shared.kit.core.policy import Allowed
from tests.community.spaces.test_policy import ELSEWHERE, SCHOOL_SPACE
from tests.support.actors import an_actor


@pytest.mark.parametrize("role", Role)
def test_administrators_and_operators_at_or_above_structure_import(role: Role) -> None:
    expected = role in {Role.ADMINISTRATOR, Role.OPERATOR}
    assert isinstance(may_import(an_actor(role, at=ACADEMY), SCHOOL_SPACE), Allowed) is expected
    assert not isinstance(may_import(an_actor(role, at=ELSEWHERE), SCHOOL_SPACE), Allowed)
