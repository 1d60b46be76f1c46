"""No fact changes so that an old record, or an old reader, breaks."""

from copy import deepcopy
from typing import Any

import pytest

from shared.contracts.community import ContentFlagged, PostPublished
from tests.contracts.accept import find_removed_facts
from tests.contracts.compatibility import find_breaks
from tests.contracts.shapes import ACCEPT_COMMAND, TYPES, accepted_schema, json_schema_of

_DELIBERATE = f"A deliberate change is accepted with: {ACCEPT_COMMAND}"


@pytest.mark.parametrize("name", TYPES)
def test_a_fact_is_read_by_old_and_new(name: str) -> None:
    old = accepted_schema(name)
    assert old is not None, f"{name} is new. {_DELIBERATE}"
    broken = list(find_breaks(old, json_schema_of(TYPES[name])))
    assert not broken, "\n".join([name, *broken, _DELIBERATE])


@pytest.mark.parametrize("name", TYPES)
def test_what_is_accepted_is_what_stands(name: str) -> None:
    assert accepted_schema(name) == json_schema_of(TYPES[name]), f"{name} has grown. {_DELIBERATE}"


def test_no_fact_is_dropped() -> None:
    assert not find_removed_facts(), f"No longer in the catalogue. {_DELIBERATE}"


def _post() -> dict[str, Any]:
    return deepcopy(json_schema_of(PostPublished))


def test_a_removed_field_breaks() -> None:
    new = _post()
    del new["properties"]["content"]["properties"]["clear"]["anyOf"][0]["properties"]["title"]
    (line,) = find_breaks(_post(), new)
    assert line.startswith("content.clear.title: removed")


def test_a_renamed_field_breaks_twice() -> None:
    new = _post()
    new["properties"]["room_id"] = new["properties"].pop("space_id")
    new["required"] = ["room_id" if name == "space_id" else name for name in new["required"]]
    assert [line.split(":")[0] for line in find_breaks(_post(), new)] == ["space_id", "room_id"]


def test_a_newly_required_field_breaks() -> None:
    new = _post()
    new["required"].append("author")
    (line,) = find_breaks(_post(), new)
    assert line == "author: newly required; old records do not have it"


def test_a_field_that_may_be_missing_now_breaks_old_readers() -> None:
    new = _post()
    new["required"].remove("space_id")
    (line,) = find_breaks(_post(), new)
    assert line.startswith("space_id: no longer required")


def test_a_changed_type_breaks() -> None:
    new = _post()
    new["properties"]["space_id"] = {"type": "integer"}
    (line,) = find_breaks(_post(), new)
    assert line == "space_id: its type changed from uuid to integer"


def test_a_list_of_something_else_breaks() -> None:
    old = {"type": "array", "items": {"type": "string"}}
    (line,) = find_breaks(old, {"type": "array", "items": {"type": "integer"}}, "path")
    assert line == "path[]: its type changed from string to integer"


def test_another_default_breaks() -> None:
    new = _post()
    new["properties"]["ref"]["properties"]["version"]["default"] = 0
    (line,) = find_breaks(_post(), new)
    assert line == "ref.version: its default changed from 1 to 0"


@pytest.mark.parametrize("change", ["removed", "new"])
def test_the_values_of_a_list_stay(change: str) -> None:
    few, many = _post(), _post()
    few["properties"]["ref"]["properties"]["kind"]["enum"].remove("answer")
    (line,) = find_breaks(many, few) if change == "removed" else find_breaks(few, many)
    assert line.startswith("ref.kind: the value answer")
    assert change in line


def test_a_new_optional_field_and_new_words_break_nothing() -> None:
    new = _post()
    new["properties"]["mentions"] = {"type": "array", "items": {"type": "string"}, "default": []}
    assert not list(find_breaks(_post(), new))


def test_the_words_of_a_fact_are_no_part_of_its_shape() -> None:
    assert "description" not in str(json_schema_of(ContentFlagged))
    text = _post()["properties"]["content"]["properties"]["clear"]["anyOf"][0]
    assert "title" in text["properties"]
