"""The documents show both versions of a fact, and which is on its way out."""

import re
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

from shared.contracts.event import Fact
from shared.contracts.ids import MemberId
from shared.kit.tools.docs import asyncapi, events
from tests.support.versioned_event import LineSaid, LineSaidV1, LineSaidV3

GUIDE = Path(__file__).parents[3] / "docs" / "versions.md"
V1, V2, V3 = (fact.wire_type() for fact in (LineSaidV1, LineSaid, LineSaidV3))
FACTS = (LineSaidV1, LineSaid)


def section(name: str, *facts: Any) -> str:
    shown = events.render({LineSaidV1: [("metrics", "count_lines")]}, facts)
    return shown.split(f"\n## {name}\n")[1].split("\n## ")[0]


def test_the_catalogue_shows_both_and_which_is_on_its_way_out() -> None:
    rows = [x for x in events.render({}, FACTS).splitlines() if x.startswith("| [`")]
    assert f"(on its way out: `{V2}` tells the same)" in rows[0]
    assert "way out" not in rows[1]
    old, new = section(V1, *FACTS), section(V2, *FACTS)
    assert f"**On its way out: `{V2}` tells the same** under the same event id" in old
    assert "- metrics: `count_lines`" in old
    assert f"`{V1}` tells the same under the same event id, as long as somebody needs it" in new


def test_one_that_is_told_no_longer_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LineSaid, "DUAL_PUBLISH", False)
    assert f"**No longer told: `{V2}` is** instead; the log holds" in section(V1, *FACTS)
    assert f"`{V1}` was told before it." in section(V2, *FACTS)
    assert f"**No longer told: `{V3}` is** instead" in section(V1, *FACTS, LineSaidV3)
    assert f"**On its way out: `{V3}` tells the same**" in section(V2, *FACTS, LineSaidV3)


def test_a_chain_that_ends_ends_for_all_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LineSaidV3, "DUAL_PUBLISH", False)
    shown = [section(name, *FACTS, LineSaidV3) for name in (V1, V2)]
    assert all(f"**No longer told: `{V3}` is** instead" in text for text in shown)


def test_of_three_the_newest_alone_is_not_on_its_way_out() -> None:
    shown = {name: section(name, *FACTS, LineSaidV3) for name in (V1, V2, V3)}
    assert [name for name, text in shown.items() if "On its way out" in text] == [V1, V2]


def test_asyncapi_marks_the_older_as_deprecated() -> None:
    messages = asyncapi.document({}, FACTS)["components"]["messages"]
    old, new = messages[V1], messages[V2]
    assert (old["payload"]["deprecated"], {"name": "deprecated"} in old["tags"]) == (True, True)
    assert old["description"] == f"On its way out: `{V2}` tells the same."
    assert "deprecated" not in str({key: new[key] for key in ("payload", "tags")})
    assert new["payload"]["allOf"][1]["properties"]["type"] == {"const": V2}


def test_both_stand_on_one_channel() -> None:
    channels = asyncapi.document({}, FACTS)["channels"]
    assert list(channels["community.rehearsal"]["messages"]) == [V1, V2]


def test_the_class_in_the_guide_is_a_second_version() -> None:
    (shown,) = re.findall(r"```python\n(.+?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {
        "Fact": Fact, "LineSaidV1": LineSaidV1, "MemberId": MemberId,
        "ClassVar": ClassVar, "Self": Self, "__name__": __name__,
    }  # fmt: skip
    exec(shown, names)  # noqa: S102  of our own page
    second, old = names["LineSaid"], LineSaidV1.example()
    assert (second.wire_type(), second.TOPIC, second.BESIDE) == (V2, LineSaidV1.TOPIC, True)
    assert second.following(old).words == ("Bonjour", "à", "tous", "☀️")
    assert second.following(old).previous() == old
