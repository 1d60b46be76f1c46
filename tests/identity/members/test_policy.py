import pytest

from services.identity.members.policy import may_import, may_manage
from shared.contracts.cast import ACADEMY, HAMID, ZOE
from shared.contracts.identity import Role
from shared.kit.policy import Allowed, Denied
from tests.community.spaces.test_policy import ELSEWHERE
from tests.people import LINE, an_actor


@pytest.mark.parametrize("role", Role)
def test_administrators_there_or_above_manage_members(role: Role) -> None:
    expected = role is Role.ADMINISTRATOR
    assert isinstance(may_manage(an_actor(role, at=ACADEMY), LINE, ZOE), Allowed) is expected
    assert not isinstance(may_manage(an_actor(role, at=ELSEWHERE), LINE, ZOE), Allowed)
    assert not isinstance(may_manage(an_actor(role), (), ZOE), Allowed)


def test_nobody_manages_themselves() -> None:
    administrator = an_actor(Role.ADMINISTRATOR, me=HAMID)
    assert may_manage(administrator, LINE, HAMID) == Denied("member.manage.not_oneself")


@pytest.mark.parametrize("role", Role)
def test_administrators_and_operators_import_members(role: Role) -> None:
    expected = role in {Role.ADMINISTRATOR, Role.OPERATOR}
    assert isinstance(may_import(an_actor(role)), Allowed) is expected
