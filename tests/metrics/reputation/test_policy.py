import pytest

from services.metrics.reputation.policy import may_manage_alert
from shared.contracts.cast import ACADEMY, COLLEGE
from shared.contracts.identity import Role
from shared.kit.core.policy import Allowed
from tests.metrics.builders import a_space
from tests.metrics.reputation.test_domain import FIVE, _look
from tests.support.actors import an_actor


@pytest.mark.parametrize("role", Role)
def test_managers_and_administrators_there_or_above_answer(role: Role) -> None:
    expected = role in {Role.COMMUNITY_MANAGER, Role.ADMINISTRATOR}
    alert = _look(FIVE)
    assert alert is not None
    above, there = an_actor(role, at=ACADEMY), an_actor(role, at=COLLEGE)
    assert isinstance(may_manage_alert(above, alert, a_space()), Allowed) is expected
    assert isinstance(may_manage_alert(there, alert, None), Allowed) is expected
    assert not isinstance(may_manage_alert(above, alert, None), Allowed), (
        "its line is not known yet"
    )
