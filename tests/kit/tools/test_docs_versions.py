"""Documents of a fact with two versions: both are shown, the older one as deprecated."""

import re
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

from shared.contracts.event import Fact
from shared.contracts.ids import MemberId
from shared.kit.tools.docs import asyncapi, events
from tests.support.versioned_event import LineSaid, LineSaidV1, LineSaidV3

VERSIONS_PAGE = Path(__file__).parents[3] / "docs" / "versions.md"
V1, V2, V3 = (fact.wire_type() for fact in (LineSaidV1, LineSaid, LineSaidV3))
FACTS = (LineSaidV1, LineSaid)


def render_section(name: str, *facts: Any) -> str:
    text = events.render({LineSaidV1: [("metrics", "count_lines")]}, facts)
    return text.split(f"\n## {name}\n")[1].split("\n## ")[0]


def test_catalogue_marks_older_version_as_deprecated() -> None:
    rows = [x for x in events.render({}, FACTS).splitlines() if x.startswith("| [`")]
    assert f"(deprecated: `{V2}` has the same content)" in rows[0]
    assert "deprecated" not in rows[1]
    old, new = render_section(V1, *FACTS), render_section(V2, *FACTS)
    assert f"**Deprecated: `{V2}` has the same content** under the same event id" in old
    assert "- metrics: `count_lines`" in old
    assert f"`{V1}` is published under the same event id while a consumer needs it" in new


def test_version_no_longer_published_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LineSaid, "DUAL_PUBLISH", False)
    assert f"**No longer published: `{V2}` is** instead; the log contains" in render_section(
        V1, *FACTS
    )
    assert f"`{V1}` was published before it." in render_section(V2, *FACTS)
    assert f"**No longer published: `{V3}` is** instead" in render_section(V1, *FACTS, LineSaidV3)
    assert f"**Deprecated: `{V3}` has the same content**" in render_section(V2, *FACTS, LineSaidV3)


def test_all_versions_before_an_unpublished_one_are_unpublished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(LineSaidV3, "DUAL_PUBLISH", False)
    sections = [render_section(name, *FACTS, LineSaidV3) for name in (V1, V2)]
    assert all(f"**No longer published: `{V3}` is** instead" in text for text in sections)


def test_only_newest_of_three_versions_is_not_deprecated() -> None:
    sections = {name: render_section(name, *FACTS, LineSaidV3) for name in (V1, V2, V3)}
    assert [name for name, text in sections.items() if "**Deprecated" in text] == [V1, V2]


def test_asyncapi_marks_older_version_as_deprecated() -> None:
    messages = asyncapi.document({}, FACTS)["components"]["messages"]
    old, new = messages[V1], messages[V2]
    assert (old["payload"]["deprecated"], {"name": "deprecated"} in old["tags"]) == (True, True)
    assert old["description"] == f"Deprecated: `{V2}` has the same content."
    assert "deprecated" not in str({key: new[key] for key in ("payload", "tags")})
    assert new["payload"]["allOf"][1]["properties"]["type"] == {"const": V2}


def test_both_versions_are_on_one_channel() -> None:
    channels = asyncapi.document({}, FACTS)["channels"]
    assert list(channels["community.rehearsal"]["messages"]) == [V1, V2]


def test_class_in_versions_page_is_a_second_version() -> None:
    (source,) = re.findall(
        r"```python\n(.+?)```", VERSIONS_PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    namespace: dict[str, Any] = {
        "Fact": Fact, "LineSaidV1": LineSaidV1, "MemberId": MemberId,
        "ClassVar": ClassVar, "Self": Self, "__name__": __name__,
    }  # fmt: skip
    exec(source, namespace)  # noqa: S102  of our own page
    second, old = namespace["LineSaid"], LineSaidV1.example()
    assert (second.wire_type(), second.TOPIC, second.DUAL_PUBLISH) == (V2, LineSaidV1.TOPIC, True)
    assert second.upcast(old).words == ("Bonjour", "à", "tous", "☀️")
    assert second.upcast(old).downcast() == old
