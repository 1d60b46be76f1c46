from services.community.spaces.domain import Membership
from shared.contracts.example_data import ACADEMY, COLLEGE
from tests.community.spaces.test_policy import SCHOOL_SPACE


def test_ancestry_of_space_runs_from_root_to_structure() -> None:
    assert SCHOOL_SPACE.ancestry == (ACADEMY, COLLEGE)


def test_opened_fact_carries_name_path_and_time_zone() -> None:
    fact = SCHOOL_SPACE.opened_fact()
    assert (fact.name, fact.path, fact.time_zone) == ("Entraide 🎸", (ACADEMY,), "Europe/Paris")


def test_membership_with_role_is_member() -> None:
    assert Membership("animator").is_member
    assert not Membership().is_member
