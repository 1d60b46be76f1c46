from services.community.spaces.domain import Membership
from shared.contracts.cast import ACADEMY, COLLEGE
from tests.community.spaces.test_policy import ROOM


def test_the_line_of_a_space_goes_from_the_root_to_its_structure() -> None:
    assert ROOM.ancestry == (ACADEMY, COLLEGE)


def test_an_opened_space_tells_where_it_stands_and_in_which_zone() -> None:
    fact = ROOM.opened_fact()
    assert (fact.name, fact.path, fact.time_zone) == ("Entraide 🎸", (ACADEMY,), "Europe/Paris")


def test_belonging_is_having_a_role() -> None:
    assert Membership("animator").is_member
    assert not Membership().is_member
