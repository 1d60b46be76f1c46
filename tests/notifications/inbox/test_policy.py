import pytest

from services.notifications.inbox.policy import may_read
from shared.contracts.example_data import ACADEMY, ZOE
from shared.contracts.identity import Role
from shared.kit.core.policy import Allowed, Denied
from tests.support.actors import an_actor


@pytest.mark.parametrize("role", Role)
def test_only_the_owner_may_read_an_inbox(role: Role) -> None:
    assert may_read(an_actor(role, member_id=ZOE), ZOE) == Allowed("inbox.own")
    assert may_read(an_actor(role, at=ACADEMY), ZOE) == Denied("inbox.own")
