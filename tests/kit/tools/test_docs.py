"""`make events`: documents match the code, and a stale one is named."""

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

REACTIONS: ReactionsByFact = {PostHidden: [("metrics", "count_hidden")]}


def test_catalogue_contains_every_event_with_example() -> None:
    text = events.render({})
    for fact in EVENTS.values():
        assert f"\n## {fact.wire_type()}\n" in text
    assert "« Malgré que », est-ce admis ? 🤔" in text


def test_event_lists_groups_and_reactions() -> None:
    lines = events.render(REACTIONS).splitlines()
    (row,) = (line for line in lines if line.startswith("| [`community.post.hidden.v1`"))
    assert row.endswith("| internal | metrics: `count_hidden` |")
    assert "- metrics: `count_hidden`" in lines


def test_asyncapi_has_channels_messages_and_receivers() -> None:
    document = yaml.safe_load(asyncapi.render(REACTIONS))
    assert set(document["channels"]) == set(TOPICS)
    assert set(document["components"]["messages"]) == set(EVENTS)
    (message,) = document["operations"]["metrics.receives.community.post"]["messages"]
    assert message["$ref"].endswith("/community.post.hidden.v1")


@pytest.mark.parametrize("fact", EVENTS.values(), ids=list(EVENTS))
def test_example_has_an_envelope(fact: type[Fact]) -> None:
    envelope = example_json(fact.example())
    assert envelope["type"] == fact.wire_type()
    assert envelope["partitionkey"].startswith(envelope["tenant"])


def test_community_reacts_to_decisions() -> None:
    reactions = find_reactions(("community",))
    (decision_made,) = (
        fact for fact in reactions if fact.wire_type() == "moderation.decision.made.v1"
    )
    assert ("community", "apply_decisions") in reactions[decision_made]


def test_openapi_is_deterministic() -> None:
    first, second = (json.dumps(openapi("identity")) for _ in range(2))
    assert first == second
    assert '"url": "/identity"' in first


def test_stale_document_is_named_with_command_to_run(tmp_path: Path) -> None:
    runner = CliRunner()
    assert runner.invoke(main, ["--into", str(tmp_path)]).exit_code == 0
    assert runner.invoke(main, ["--check", "--into", str(tmp_path)]).exit_code == 0
    (tmp_path / "events.md").write_text("old", encoding="utf-8")
    (tmp_path / "openapi" / "identity.json").unlink()
    result = runner.invoke(main, ["--check", "--into", str(tmp_path)])
    assert result.exit_code == 1
    assert "events.md is stale: run `make events`" in result.output
    assert "identity.json is stale" in result.output
