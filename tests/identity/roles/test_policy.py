"""Rights to grant and revoke roles, for all pairs of roles and structures, and until when."""

from datetime import datetime, timedelta
from itertools import product

import pytest

from services.identity.members.domain import HeldRole
from services.identity.roles.policy import may_grant, may_revoke
from shared.contracts.example_data import ACADEMY, COLLEGE, HAMID, NOON, TENANT, ZOE
from shared.contracts.identity import PRIVILEGED_ROLES, Role
from shared.contracts.ids import StructureId
from shared.kit.core.policy import Actor, Allowed, Denied, Grant
from tests.identity.tree import TREE, ancestry_of, covers
from tests.support.actors import ANCESTRY, an_actor

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("role", Role)
def test_administrator_grants_every_role_except_operator(role: Role) -> None:
    expected = role is not Role.OPERATOR
    administrator = an_actor(Role.ADMINISTRATOR, at=ACADEMY)
    assert isinstance(may_grant(administrator, role, ANCESTRY, ZOE), Allowed) is expected


def test_granting_operator_needs_administrator_who_is_operator() -> None:
    administrator_and_operator = an_actor(Role.ADMINISTRATOR, Role.OPERATOR)
    assert may_grant(administrator_and_operator, Role.OPERATOR, ANCESTRY, ZOE) == Allowed(
        "role.grant.administrator"
    )
    operator = an_actor(Role.OPERATOR)
    assert may_grant(operator, Role.OPERATOR, ANCESTRY, ZOE) == Denied("role.grant.administrator")


def test_role_applies_below_its_structure_and_not_above() -> None:
    below = an_actor(Role.ADMINISTRATOR, at=COLLEGE)
    assert may_grant(below, Role.TEACHER, (ACADEMY,), ZOE) == Denied("role.grant.administrator")


@pytest.mark.parametrize("role", Role)
def test_no_role_is_granted_to_oneself(role: Role) -> None:
    everything = an_actor(*Role, at=ACADEMY, member_id=HAMID)
    assert may_grant(everything, role, ANCESTRY, HAMID) == Denied("role.grant.not_to_oneself")


def _temporary(*ends: tuple[Role, datetime | None, StructureId]) -> Actor:
    return Actor(TENANT, HAMID, COLLEGE, grants=tuple(Grant(r, s, end) for r, end, s in ends))


@pytest.mark.parametrize(
    ("until", "is_allowed"),
    [(NOON + HOUR, True), (NOON + 2 * HOUR, True), (NOON + 3 * HOUR, False), (None, False)],
)
def test_a_grant_ends_no_later_than_the_right_to_grant_it(
    until: datetime | None, is_allowed: bool
) -> None:
    ends = (
        (Role.ADMINISTRATOR, NOON + HOUR, COLLEGE),
        (Role.ADMINISTRATOR, NOON + 2 * HOUR, ACADEMY),
    )
    verdict = may_grant(_temporary(*ends), Role.TEACHER, ANCESTRY, ZOE, until)
    assert isinstance(verdict, Allowed) is is_allowed


def test_permanent_role_elsewhere_does_not_extend_temporary_right() -> None:
    ends = (
        (Role.ADMINISTRATOR, None, COLLEGE),
        (Role.ADMINISTRATOR, NOON + HOUR, ACADEMY),
    )
    verdict = may_grant(_temporary(*ends), Role.TEACHER, (ACADEMY,), ZOE)
    assert verdict == Denied("role.grant.not_longer_than_held")


def test_temporary_operator_grants_no_permanent_operator() -> None:
    ends = ((Role.ADMINISTRATOR, None, ACADEMY), (Role.OPERATOR, NOON + HOUR, ACADEMY))
    verdict = may_grant(_temporary(*ends), Role.OPERATOR, ANCESTRY, ZOE)
    assert verdict == Denied("role.grant.not_longer_than_held")


@pytest.mark.parametrize("role", Role)
def test_revoking_needs_authority_for_every_role_and_structure(role: Role) -> None:
    for actor_role, at, where in product(Role, TREE, TREE):
        held_roles = [HeldRole(role, ancestry_of(where))]
        verdict = may_revoke(an_actor(actor_role, at=at), role, ancestry_of(where), ZOE, held_roles)
        is_allowed = (
            actor_role is Role.ADMINISTRATOR and covers(at, where) and role is not Role.OPERATOR
        )
        assert isinstance(verdict, Allowed) is is_allowed, (actor_role, at, where)


@pytest.mark.parametrize("other", Role)
def test_privileged_roles_elsewhere_protect_and_ordinary_ones_do_not(other: Role) -> None:
    for at, elsewhere in product(TREE, TREE):
        where = at
        held_roles = [
            HeldRole(Role.TEACHER, ancestry_of(where)),
            HeldRole(other, ancestry_of(elsewhere)),
        ]
        actor = an_actor(Role.ADMINISTRATOR, at=at)
        verdict = may_revoke(actor, Role.TEACHER, ancestry_of(where), ZOE, held_roles)
        is_ordinary = other not in PRIVILEGED_ROLES
        is_allowed = is_ordinary or (covers(at, elsewhere) and other is not Role.OPERATOR)
        assert isinstance(verdict, Allowed) is is_allowed, (at, elsewhere)


def test_temporary_administrator_revokes_no_longer_lasting_administrator() -> None:
    tomorrow = _temporary((Role.ADMINISTRATOR, NOON + HOUR, ACADEMY))
    for end in (NOON, NOON + HOUR, NOON + 2 * HOUR, None):
        held_roles = [HeldRole(Role.ADMINISTRATOR, ANCESTRY, end)]
        verdict = may_revoke(tomorrow, Role.ADMINISTRATOR, ANCESTRY, ZOE, held_roles)
        assert isinstance(verdict, Allowed) is (end is not None and end <= NOON + HOUR), end


def test_members_may_revoke_their_own_role() -> None:
    pupil = an_actor(Role.PUPIL, member_id=ZOE)
    assert may_revoke(pupil, Role.PUPIL, ANCESTRY, ZOE, ()) == Allowed("role.revoke.oneself")
