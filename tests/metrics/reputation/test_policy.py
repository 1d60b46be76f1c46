import pytest

from services.metrics.reputation.policy import may_manage_alert
from shared.contracts.example_data import ACADEMY, COLLEGE
from shared.contracts.identity import Role
from shared.kit.core.policy import Allowed
from tests.metrics.builders import a_space
from tests.metrics.reputation.test_domain import FIVE_FLAGS, _detect
from tests.support.actors import an_actor


@pytest.mark.parametrize("role", Role)
def test_managers_and_administrators_of_structure_or_ancestor_manage_alerts(role: Role) -> None:
    expected = role in {Role.COMMUNITY_MANAGER, Role.ADMINISTRATOR}
    alert = _detect(FIVE_FLAGS)
    assert alert is not None
    above, there = an_actor(role, at=ACADEMY), an_actor(role, at=COLLEGE)
    assert isinstance(may_manage_alert(above, alert, a_space()), Allowed) is expected
    assert isinstance(may_manage_alert(there, alert, None), Allowed) is expected
    assert not isinstance(may_manage_alert(above, alert, None), Allowed), (
        "its ancestry is not known yet"
    )
