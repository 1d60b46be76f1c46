"""A second version is of the same fact, and each can be had from the other."""

from typing import ClassVar, Self

import pytest

from shared.contracts import cast
from shared.contracts.catalogue import EVENTS
from shared.contracts.event import Fact, older_versions
from shared.contracts.ids import MemberId
from tests.contracts.versions import find_version_errors
from tests.support.versioned_event import LineSaid, LineSaidV1, LineSaidV3


@pytest.mark.parametrize("fact", EVENTS.values(), ids=list(EVENTS))
def test_a_fact_has_no_flawed_version(fact: type[Fact]) -> None:
    assert not list(find_version_errors(fact))
    assert all(EVENTS.get(each.wire_type()) is each for each in older_versions(fact)), (
        "what was ever told stays in the catalogue: the log holds it"
    )


@pytest.mark.parametrize("fact", [LineSaidV1, LineSaid, LineSaidV3])
def test_a_sound_one_has_none_either(fact: type[Fact]) -> None:
    assert not list(find_version_errors(fact))


def test_the_versions_before_come_newest_first() -> None:
    assert list(older_versions(LineSaidV3)) == [LineSaid, LineSaidV1]


class Alone(LineSaidV1, frozen=True, kw_only=True):
    """Nothing stands before it."""

    VERSION: ClassVar = 2
    DUAL_PUBLISH: ClassVar = True


class Kin(LineSaidV1, frozen=True, kw_only=True):
    """Of the class of the one before, and with neither way between them."""

    VERSION: ClassVar = 3
    TOPIC: ClassVar = "community.elsewhere"
    PREVIOUS: ClassVar = LineSaidV1
    DUAL_PUBLISH: ClassVar = True


class Astray(Fact, frozen=True, kw_only=True):
    """Both ways lead to something else."""

    WIRE: ClassVar = LineSaidV1.WIRE
    VERSION: ClassVar = 2
    TOPIC: ClassVar = LineSaidV1.TOPIC
    KEY: ClassVar = "member_id"
    SUBJECT: ClassVar = "member_id"
    PREVIOUS: ClassVar = LineSaidV1
    DUAL_PUBLISH: ClassVar = True

    member_id: MemberId
    text: str

    @classmethod
    def example(cls) -> Self:
        return cls(member_id=cast.ZOE, text="Bonjour")

    def downcast(self) -> LineSaidV1:
        return LineSaidV1(member_id=cast.HAMID, text=self.text)

    @classmethod
    def upcast(cls, old: LineSaidV1) -> Self:
        return cls(member_id=cast.HAMID, text=old.text.upper())


WRONG: dict[type[Fact], list[str]] = {
    Alone: ["names none before it", "none that it could be told beside"],
    Kin: ["kind of", "another name or topic", "comes after 1", "no following()", "no previous()"],
    Astray: [
        "following() gives another key",
        "previous() gives another key",
        "does not come back from the newer one",
    ],
}


@pytest.mark.parametrize("fact", WRONG, ids=lambda fact: fact.__name__)
def test_a_flaw_is_named(fact: type[Fact]) -> None:
    found = list(find_version_errors(fact))
    assert len(found) == len(WRONG[fact]), found
    for line, words in zip(found, WRONG[fact], strict=True):
        assert words in line
