from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from services.identity.members.domain import Member, make_handle
from services.identity.tenants.domain import make_slug
from shared.contracts.example_data import NOON, TENANT, ZOE
from shared.contracts.ids import TenantId

MEMBER_UUID = UUID("01932b6e-4c00-7000-8000-0000deadbeef")


@pytest.mark.parametrize(
    ("name", "handle"),
    [
        ("Zoé Le Goff", "zoe.le.goff.deadbeef"),
        ("Tom Œuvrard 🎸", "tom.oeuvrard.deadbeef"),
        ("  --Malik   N’Diaye!! ", "malik.n.diaye.deadbeef"),
        ("🎸🎸", "member.deadbeef"),
        ("李雷", "member.deadbeef"),
        ("Z\u0065\u0301o", "zeo.deadbeef"),
        ("a" * 200, f"{'a' * 40}.deadbeef"),
    ],
)
def test_make_handle_gives_ascii_words_and_id_suffix(name: str, handle: str) -> None:
    assert make_handle(name, MEMBER_UUID) == handle


def test_equal_names_get_different_handles() -> None:
    assert len({make_handle("Zoé", uuid4()) for _ in range(50)}) == 50


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Académie de Rennes", "academie-de-rennes"),
        ("L’Île — 974 🏝", "l-ile-974"),
        ("L'Œuvre", "l-oeuvre"),
        ("ŒUVRARD & Æsir", "oeuvrard-aesir"),
        ("Große Straße, STRASSE", "grosse-strasse-strasse"),
        ("Ørsted Łódź Đakovo Þórr", "orsted-lodz-dakovo-thorr"),
        ("ﬁlière №5", "filiere-no5"),
        ("İstanbul ve Iğd\u0131r", "istanbul-ve-igdir"),
        ("a" * 59 + " b", "a" * 59),
        ("🏝", "tenant-deadbeef"),
        ("京都大学", "tenant-deadbeef"),
        ("’", "tenant-deadbeef"),
    ],
)
def test_make_slug_gives_url_safe_text(name: str, slug: str) -> None:
    assert make_slug(name, TenantId(MEMBER_UUID)) == slug


def test_suspension_applies_until_its_end() -> None:
    member = Member(TENANT, ZOE, "Zoé", "zoe", NOON)
    assert not member.is_suspended_at(NOON)
    assert replace(member, suspended=True).is_suspended_at(NOON)
    until = replace(member, suspended=True, suspended_until=NOON)
    assert until.is_suspended_at(NOON - timedelta(seconds=1))
    assert not until.is_suspended_at(NOON)
