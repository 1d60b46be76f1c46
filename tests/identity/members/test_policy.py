"""Rights over members, for all pairs of roles and structures."""

from datetime import datetime, timedelta
from itertools import product

import pytest

from services.identity.members.domain import HeldRole
from services.identity.members.policy import (
    may_import,
    may_import_system,
    may_invite,
    may_manage,
)
from shared.contracts.example_data import ACADEMY, COLLEGE, HAMID, NOON, TENANT, ZOE
from shared.contracts.identity import PRIVILEGED_ROLES, Role
from shared.kit.core.policy import Actor, Allowed, Denied, Grant
from tests.community.spaces.test_policy import ELSEWHERE
from tests.identity.tree import TREE, ancestry_of, covers
from tests.support.actors import ANCESTRY, an_actor


@pytest.mark.parametrize("role", Role)
def test_only_administrators_at_or_above_structure_manage_members(role: Role) -> None:
    expected = role is Role.ADMINISTRATOR
    assert isinstance(may_manage(an_actor(role, at=ACADEMY), ANCESTRY, ZOE), Allowed) is expected
    assert not isinstance(may_manage(an_actor(role, at=ELSEWHERE), ANCESTRY, ZOE), Allowed)
    assert not isinstance(may_manage(an_actor(role), (), ZOE), Allowed)


@pytest.mark.parametrize("role", Role)
def test_manager_needs_authority_over_members_structure_and_roles(role: Role) -> None:
    for actor_role, at, home, where in product(Role, TREE, TREE, TREE):
        held_roles = [HeldRole(role, ancestry_of(where))]
        verdict = may_manage(an_actor(actor_role, at=at), ancestry_of(home), ZOE, held_roles)
        is_above = covers(at, home) and covers(at, where)
        is_allowed = actor_role is Role.ADMINISTRATOR and is_above and role is not Role.OPERATOR
        assert isinstance(verdict, Allowed) is is_allowed, (actor_role, at, home, where)


def test_one_role_outside_authority_refuses_management() -> None:
    held_roles = [HeldRole(Role.PUPIL, ANCESTRY), HeldRole(Role.PARENT, (ACADEMY,))]
    verdict = may_manage(an_actor(Role.ADMINISTRATOR), ANCESTRY, ZOE, held_roles)
    assert verdict == Denied("member.manage.not_above")


def test_administrator_who_is_operator_manages_operators() -> None:
    held_roles = [HeldRole(Role.OPERATOR, (ACADEMY,))]
    administrator_and_operator = an_actor(Role.ADMINISTRATOR, Role.OPERATOR, at=ACADEMY)
    assert may_manage(administrator_and_operator, ANCESTRY, ZOE, held_roles) == Allowed(
        "member.manage.administrator"
    )


HOUR = timedelta(hours=1)
ENDS = (NOON, NOON + HOUR, None)


def _administers_until(end: datetime | None) -> Actor:
    return Actor(TENANT, HAMID, COLLEGE, grants=(Grant(Role.ADMINISTRATOR, ACADEMY, end),))


def _is_as_long(actor_until: datetime | None, held_until: datetime | None) -> bool:
    return actor_until is None or (held_until is not None and held_until <= actor_until)


def test_managing_an_administrator_needs_equally_lasting_authority() -> None:
    for actor_until, held_until, role in product(ENDS, ENDS, Role):
        held_roles = [HeldRole(role, ANCESTRY, held_until)]
        verdict = may_manage(_administers_until(actor_until), ANCESTRY, ZOE, held_roles)
        is_managing = role is Role.ADMINISTRATOR
        is_allowed = role is not Role.OPERATOR and (
            not is_managing or _is_as_long(actor_until, held_until)
        )
        assert isinstance(verdict, Allowed) is is_allowed, (actor_until, held_until, role)


def test_inviting_privileged_members_needs_equally_lasting_authority() -> None:
    for actor_until, held_until, role in product(ENDS, ENDS, Role):
        verdict = may_invite(
            _administers_until(actor_until), [HeldRole(role, ANCESTRY, held_until)]
        )
        is_ordinary = role not in PRIVILEGED_ROLES
        is_allowed = is_ordinary or (
            role is not Role.OPERATOR and _is_as_long(actor_until, held_until)
        )
        assert isinstance(verdict, Allowed) is is_allowed, (actor_until, held_until, role)


def test_members_do_not_manage_themselves() -> None:
    administrator = an_actor(Role.ADMINISTRATOR, member_id=HAMID)
    assert may_manage(administrator, ANCESTRY, HAMID) == Denied("member.manage.not_oneself")


@pytest.mark.parametrize("role", Role)
def test_administrators_and_operators_at_or_above_structure_import_members(role: Role) -> None:
    for at, where in product(TREE, TREE):
        is_allowed = role in {Role.ADMINISTRATOR, Role.OPERATOR} and covers(at, where)
        assert (
            isinstance(may_import(an_actor(role, at=at), ancestry_of(where)), Allowed) is is_allowed
        )


def test_only_the_whole_tenants_administrators_import_system_accounts() -> None:
    for at in TREE:
        verdict = may_import_system(an_actor(Role.ADMINISTRATOR, at=at), ACADEMY)
        assert isinstance(verdict, Allowed) is (at == ACADEMY)
