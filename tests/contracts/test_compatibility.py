"""No fact changes in a way that breaks old records or old consumers."""

from copy import deepcopy
from typing import Any

import pytest

from shared.contracts.community import ContentFlagged, PostPublished
from tests.contracts.accept import find_removed_facts
from tests.contracts.compatibility import find_breaks
from tests.contracts.shapes import ACCEPT_COMMAND, TYPES, accepted_schema, json_schema_of

_HOW_TO_ACCEPT = f"A deliberate change is accepted with: {ACCEPT_COMMAND}"


@pytest.mark.parametrize("name", TYPES)
def test_fact_is_compatible_with_its_accepted_schema(name: str) -> None:
    old = accepted_schema(name)
    assert old is not None, f"{name} is new. {_HOW_TO_ACCEPT}"
    broken = list(find_breaks(old, json_schema_of(TYPES[name])))
    assert not broken, "\n".join([name, *broken, _HOW_TO_ACCEPT])


@pytest.mark.parametrize("name", TYPES)
def test_accepted_schema_is_current(name: str) -> None:
    assert accepted_schema(name) == json_schema_of(TYPES[name]), (
        f"{name} has grown. {_HOW_TO_ACCEPT}"
    )


def test_no_fact_is_removed() -> None:
    assert not find_removed_facts(), f"No longer in the catalogue. {_HOW_TO_ACCEPT}"


def _post_schema() -> dict[str, Any]:
    return deepcopy(json_schema_of(PostPublished))


def test_removed_field_breaks() -> None:
    new = _post_schema()
    del new["properties"]["content"]["properties"]["clear"]["anyOf"][0]["properties"]["title"]
    (line,) = find_breaks(_post_schema(), new)
    assert line.startswith("content.clear.title: removed")


def test_renamed_field_breaks_twice() -> None:
    new = _post_schema()
    new["properties"]["room_id"] = new["properties"].pop("space_id")
    new["required"] = ["room_id" if name == "space_id" else name for name in new["required"]]
    assert [line.split(":")[0] for line in find_breaks(_post_schema(), new)] == [
        "space_id",
        "room_id",
    ]


def test_newly_required_field_breaks() -> None:
    new = _post_schema()
    new["required"].append("author")
    (line,) = find_breaks(_post_schema(), new)
    assert line == "author: newly required; old records do not have it"


def test_field_that_becomes_optional_breaks_old_consumers() -> None:
    new = _post_schema()
    new["required"].remove("space_id")
    (line,) = find_breaks(_post_schema(), new)
    assert line.startswith("space_id: no longer required")


def test_changed_type_breaks() -> None:
    new = _post_schema()
    new["properties"]["space_id"] = {"type": "integer"}
    (line,) = find_breaks(_post_schema(), new)
    assert line == "space_id: its type changed from uuid to integer"


def test_changed_item_type_breaks() -> None:
    old = {"type": "array", "items": {"type": "string"}}
    (line,) = find_breaks(old, {"type": "array", "items": {"type": "integer"}}, "path")
    assert line == "path[]: its type changed from string to integer"


def test_changed_default_breaks() -> None:
    new = _post_schema()
    new["properties"]["ref"]["properties"]["version"]["default"] = 0
    (line,) = find_breaks(_post_schema(), new)
    assert line == "ref.version: its default changed from 1 to 0"


@pytest.mark.parametrize("change", ["removed", "new"])
def test_changed_enum_values_break(change: str) -> None:
    few, many = _post_schema(), _post_schema()
    few["properties"]["ref"]["properties"]["kind"]["enum"].remove("answer")
    (line,) = find_breaks(many, few) if change == "removed" else find_breaks(few, many)
    assert line.startswith("ref.kind: the value answer")
    assert change in line


def test_new_optional_field_does_not_break() -> None:
    new = _post_schema()
    new["properties"]["mentions"] = {"type": "array", "items": {"type": "string"}, "default": []}
    assert not list(find_breaks(_post_schema(), new))


def test_schema_leaves_out_prose() -> None:
    assert "description" not in str(json_schema_of(ContentFlagged))
    text = _post_schema()["properties"]["content"]["properties"]["clear"]["anyOf"][0]
    assert "title" in text["properties"]
