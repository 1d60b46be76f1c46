from uuid import UUID, uuid4

import pytest

from services.identity.members.domain import handle_of
from services.identity.tenants.domain import slug_of

ONE = UUID("01932b6e-4c00-7000-8000-0000deadbeef")


@pytest.mark.parametrize(
    ("name", "handle"),
    [
        ("Zoé Le Goff", "zoe.le.goff.deadbeef"),
        ("Tom Œuvrard 🎸", "tom.uvrard.deadbeef"),
        ("  --Malik   N’Diaye!! ", "malik.ndiaye.deadbeef"),
        ("🎸🎸", "member.deadbeef"),
        ("李雷", "member.deadbeef"),
        ("Z\u0065\u0301o", "zeo.deadbeef"),
        ("a" * 200, f"{'a' * 40}.deadbeef"),
    ],
)
def test_a_handle_is_plain_and_readable(name: str, handle: str) -> None:
    assert handle_of(name, ONE) == handle


def test_people_of_the_same_name_have_handles_of_their_own() -> None:
    assert len({handle_of("Zoé", uuid4()) for _ in range(50)}) == 50


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Académie de Rennes", "academie-de-rennes"), ("L’Île — 974 🏝", "lile-974"), ("🏝", "")],
)
def test_a_slug_is_what_an_address_can_hold(name: str, slug: str) -> None:
    assert slug_of(name) == slug
