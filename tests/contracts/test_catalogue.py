"""Catalogue of facts: one owner, one topic and one name each; every consumed fact is published."""

import re
from collections import Counter
from importlib import import_module
from inspect import getdoc
from uuid import UUID

import pytest

from shared.contracts import example_data
from shared.contracts.catalogue import EVENTS, PUBLISHERS, TOPICS, audit_fact, owner_of
from shared.contracts.event import DataSensitivity, Fact, partition_key, value_at
from shared.kit.tools.docs.services import find_reactions, has_module

every_fact = pytest.mark.parametrize("fact", EVENTS.values(), ids=list(EVENTS))


def test_wire_names_are_unique() -> None:
    name_counts = Counter(fact.wire_type() for facts in PUBLISHERS.values() for fact in facts)
    assert set(name_counts.values()) == {1}


def test_consumed_fact_has_exactly_one_publisher() -> None:
    reactions = find_reactions(tuple(PUBLISHERS))
    assert reactions
    for fact in reactions:
        owners = [name for name, facts in PUBLISHERS.items() if fact in facts]
        assert owners == [owner_of(fact)], fact.wire_type()


@pytest.mark.parametrize("service", PUBLISHERS)
def test_service_publishes_the_facts_of_the_catalogue(service: str) -> None:
    assert has_module(service, "events"), f"{service} has no events.py"
    own = import_module(f"services.{service}.events").PUBLISHES
    assert PUBLISHERS[service] == (*own, audit_fact(service))


@pytest.mark.parametrize("topic", TOPICS)
def test_topic_has_one_publisher(topic: str) -> None:
    owners = {owner_of(fact) for fact in EVENTS.values() if topic == fact.TOPIC}
    assert owners == {topic.split(".", maxsplit=1)[0]}


@every_fact
def test_wire_name_has_owner_aggregate_verb_and_version(fact: type[Fact]) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z]+\.[a-z_]+\.v[1-9][0-9]*", fact.wire_type())
    assert fact in PUBLISHERS[owner_of(fact)]


@every_fact
def test_fact_has_a_docstring(fact: type[Fact]) -> None:
    assert getdoc(fact) != getdoc(fact.__mro__[1])


@every_fact
def test_key_and_subject_are_paths_in_the_fact(fact: type[Fact]) -> None:
    example = fact.example()
    assert isinstance(value_at(example, fact.SUBJECT), UUID)
    assert partition_key(example_data.TENANT, example).startswith(f"{example_data.TENANT}:")


@every_fact
def test_personal_data_is_sealed(fact: type[Fact]) -> None:
    sealed = {"person", "content"} & set(fact.__struct_fields__)
    assert bool(sealed) == (fact.DATA is DataSensitivity.PERSONAL)
    for name in sealed:
        assert "Sealed[" in str(fact.__annotations__.get(name) or _inherited_annotation(fact, name))


def _inherited_annotation(fact: type[Fact], name: str) -> object:
    return next(
        kind.__annotations__[name]
        for kind in fact.__mro__
        if name in getattr(kind, "__annotations__", {})
    )
