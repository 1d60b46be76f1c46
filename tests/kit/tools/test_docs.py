"""`make events`: the documents say what the code says, and a stale one is named."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from shared.contracts.catalogue import EVENTS, TOPICS
from shared.contracts.community import PostHidden
from shared.contracts.event import Fact
from shared.kit.tools.docs import asyncapi, events
from shared.kit.tools.docs.__main__ import main
from shared.kit.tools.docs.examples import example_json
from shared.kit.tools.docs.services import ReactionsByFact, find_reactions, openapi

HEARD: ReactionsByFact = {PostHidden: [("metrics", "count_hidden")]}


def test_every_event_is_in_the_catalogue_with_its_example() -> None:
    shown = events.render({})
    for fact in EVENTS.values():
        assert f"\n## {fact.wire_type()}\n" in shown
    assert "« Malgré que », est-ce admis ? 🤔" in shown


def test_an_event_names_who_reacts_and_how() -> None:
    lines = events.render(HEARD).splitlines()
    (row,) = (line for line in lines if line.startswith("| [`community.post.hidden.v1`"))
    assert row.endswith("| internal | metrics: `count_hidden` |")
    assert "- metrics: `count_hidden`" in lines


def test_asyncapi_has_a_channel_for_each_topic_and_says_who_receives() -> None:
    document = yaml.safe_load(asyncapi.render(HEARD))
    assert set(document["channels"]) == set(TOPICS)
    assert set(document["components"]["messages"]) == set(EVENTS)
    (message,) = document["operations"]["metrics.receives.community.post"]["messages"]
    assert message["$ref"].endswith("/community.post.hidden.v1")


@pytest.mark.parametrize("fact", EVENTS.values(), ids=list(EVENTS))
def test_an_example_travels_in_an_envelope(fact: type[Fact]) -> None:
    found = example_json(fact.example())
    assert found["type"] == fact.wire_type()
    assert found["partitionkey"].startswith(found["tenant"])


def test_community_hears_decisions() -> None:
    heard = find_reactions(("community",))
    (made,) = (fact for fact in heard if fact.wire_type() == "moderation.decision.made.v1")
    assert ("community", "apply_decisions") in heard[made]


def test_openapi_comes_out_the_same_twice() -> None:
    first, second = (json.dumps(openapi("identity")) for _ in range(2))
    assert first == second
    assert '"url": "/identity"' in first


def test_a_stale_document_is_named_with_what_to_run(tmp_path: Path) -> None:
    run = CliRunner()
    assert run.invoke(main, ["--into", str(tmp_path)]).exit_code == 0
    assert run.invoke(main, ["--check", "--into", str(tmp_path)]).exit_code == 0
    (tmp_path / "events.md").write_text("old", encoding="utf-8")
    (tmp_path / "openapi" / "identity.json").unlink()
    found = run.invoke(main, ["--check", "--into", str(tmp_path)])
    assert found.exit_code == 1
    assert "events.md is stale: run `make events`" in found.output
    assert "identity.json is stale" in found.output
