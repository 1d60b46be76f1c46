import pytest

from services.identity.roles.policy import may_grant
from shared.contracts.cast import ACADEMY, COLLEGE
from shared.contracts.identity import Role
from shared.kit.policy import Allowed, Denied
from tests.people import LINE, an_actor


@pytest.mark.parametrize("role", Role)
def test_an_administrator_grants_all_but_what_they_do_not_hold(role: Role) -> None:
    expected = role is not Role.OPERATOR
    administrator = an_actor(Role.ADMINISTRATOR, at=ACADEMY)
    assert isinstance(may_grant(administrator, role, LINE), Allowed) is expected


def test_an_operator_who_administers_makes_operators() -> None:
    both = an_actor(Role.ADMINISTRATOR, Role.OPERATOR)
    assert may_grant(both, Role.OPERATOR, LINE) == Allowed("role.grant.administrator")
    alone = an_actor(Role.OPERATOR)
    assert may_grant(alone, Role.OPERATOR, LINE) == Denied("role.grant.administrator")


def test_a_role_counts_below_and_never_above() -> None:
    below = an_actor(Role.ADMINISTRATOR, at=COLLEGE)
    assert may_grant(below, Role.TEACHER, (ACADEMY,)) == Denied("role.grant.administrator")
