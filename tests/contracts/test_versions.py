"""A second version is of the same fact, and each version can be converted to the other."""

from typing import ClassVar, Self

import pytest

from shared.contracts import example_data
from shared.contracts.catalogue import EVENTS
from shared.contracts.event import Fact, older_versions
from shared.contracts.ids import MemberId
from tests.contracts.versions import find_version_errors
from tests.support.versioned_event import LineSaid, LineSaidV1, LineSaidV3


@pytest.mark.parametrize("fact", EVENTS.values(), ids=list(EVENTS))
def test_fact_has_no_version_errors(fact: type[Fact]) -> None:
    assert not list(find_version_errors(fact))
    assert all(EVENTS.get(version.wire_type()) is version for version in older_versions(fact)), (
        "published versions stay in the catalogue: the log contains them"
    )


@pytest.mark.parametrize("fact", [LineSaidV1, LineSaid, LineSaidV3])
def test_valid_versions_have_no_errors(fact: type[Fact]) -> None:
    assert not list(find_version_errors(fact))


def test_older_versions_are_newest_first() -> None:
    assert list(older_versions(LineSaidV3)) == [LineSaid, LineSaidV1]


class WithoutPrevious(LineSaidV1, frozen=True, kw_only=True):
    """Version 2 without a version before it."""

    VERSION: ClassVar = 2
    DUAL_PUBLISH: ClassVar = True


class SubclassOfPrevious(LineSaidV1, frozen=True, kw_only=True):
    """Subclass of the version before it, without conversions."""

    VERSION: ClassVar = 3
    TOPIC: ClassVar = "community.elsewhere"
    PREVIOUS: ClassVar = LineSaidV1
    DUAL_PUBLISH: ClassVar = True


class WrongConversions(Fact, frozen=True, kw_only=True):
    """Both conversions return another member's fact."""

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
        return cls(member_id=example_data.ZOE, text="Bonjour")

    def downcast(self) -> LineSaidV1:
        return LineSaidV1(member_id=example_data.HAMID, text=self.text)

    @classmethod
    def upcast(cls, old: LineSaidV1) -> Self:
        return cls(member_id=example_data.HAMID, text=old.text.upper())


EXPECTED_ERRORS: dict[type[Fact], list[str]] = {
    WithoutPrevious: ["names no version before it", "DUAL_PUBLISH without PREVIOUS"],
    SubclassOfPrevious: [
        "subclass of",
        "another name or topic",
        "follows 1",
        "no upcast()",
        "no downcast()",
    ],
    WrongConversions: [
        "upcast() returns another key",
        "downcast() returns another key",
        "do not restore the older version",
    ],
}


@pytest.mark.parametrize("fact", EXPECTED_ERRORS, ids=lambda fact: fact.__name__)
def test_version_error_is_named(fact: type[Fact]) -> None:
    errors = list(find_version_errors(fact))
    assert len(errors) == len(EXPECTED_ERRORS[fact]), errors
    for line, expected in zip(errors, EXPECTED_ERRORS[fact], strict=True):
        assert expected in line
