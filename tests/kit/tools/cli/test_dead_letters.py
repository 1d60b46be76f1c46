"""Commands `preau dead-letters`, `preau consumers` and `preau status`."""

import json
import shlex
from pathlib import Path
from typing import Any

import click
import pytest

from shared.kit.inbox.parked import LogPosition
from shared.kit.inbox.thresholds import FailureThreshold
from shared.kit.tools.cli.main import LazyCommandGroup
from tests.support.cli_harness import GROUP, CliHarness, open_cli_harness
from tests.support.inbox_harness import InboxHarness, member_id

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
OPERATORS_PAGE = Path(__file__).resolve().parents[4] / "docs/dead-letters.md"
TRACE = "0af7651916cd43dd8448eb211c80319c"
HEADER = ("traceparent", f"00-{TRACE}-b7ad6b7169203331-01".encode())


@pytest.fixture
def preau(harness: InboxHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliHarness:
    monkeypatch.delenv("PREAU_TRACE_URL", raising=False)
    return open_cli_harness(harness, tmp_path / "préau", monkeypatch)


async def test_empty_list_is_reported(preau: CliHarness) -> None:
    assert await preau.run("dead-letters", "list") == "No dead letters.\n"
    assert await preau.run("dead-letters", "list", "--by-cause") == "No dead letters.\n"
    assert await _json(preau, "dead-letters", "list") == {"dead_letters": []}


async def test_causes_are_printed_as_a_table(preau: CliHarness) -> None:
    await _make_dead_letters(preau.inbox, "poison 1", "poison 2", "invalid")

    head, first, second = (await preau.run("dead-letters", "list", "--by-cause")).splitlines()

    assert head.split() == (
        "group type state letters keys waiting oldest newest example cause".split()
    )
    for word in (GROUP, "identity.member.suspended.v1", "dead", "2026-11-25T12:00:00"):
        assert word in first
    assert first.split()[3:6] == ["2", "2", "2"]
    assert first.endswith("RuntimeError: cannot digest …")
    assert second.endswith("Invalid: invalid field=reason")


async def test_list_reads_all_pages(preau: CliHarness) -> None:
    for who in range(230):
        preau.inbox.publish("invalid", member=who)
    preau.inbox.failure_threshold = FailureThreshold(max_failures=1000)
    await preau.inbox.consume_all()

    listed = await _json(preau, "dead-letters", "list", "--group", GROUP)

    assert len({letter["place"] for letter in listed["dead_letters"]}) == 230
    assert len(preau.requests) == 3
    (cause,) = (await _json(preau, "dead-letters", "list", "--by-cause"))["causes"]
    assert (cause["letters"], cause["group"]) == (230, GROUP)
    assert len((await preau.run("dead-letters", "list")).splitlines()) == 230


async def test_show_prints_all_fields_and_trace_link(
    preau: CliHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    (position,) = await _make_dead_letters(preau.inbox, "poison de Zoé 🐍")

    plain = await preau.run("dead-letters", "show", GROUP, position)
    for part in ("RuntimeError: cannot digest", "Traceback", "waits behind it: 1\n", "attempts"):
        assert part in plain
    assert '\n  "type": "identity.member.suspended.v1",\n' in plain
    assert "poison de Zoé 🐍" in plain
    assert "\ntrace " not in plain

    preau.inbox.append(b"k", b"<xml>", [HEADER])
    await preau.inbox.consume_all()
    shown = await _json(preau, "dead-letters", "list")
    (foreign,) = [letter for letter in shown["dead_letters"] if letter["key"] is None]
    output = await preau.run("dead-letters", "show", GROUP, foreign["place"])
    assert f"trace_id       {TRACE}\n" in output
    assert "<xml>" in output
    monkeypatch.setenv("PREAU_TRACE_URL", "https://traces.test/trace/{trace_id}?all")
    linked = await preau.run("dead-letters", "show", GROUP, foreign["place"])
    assert f"trace          https://traces.test/trace/{TRACE}?all\n" in linked
    monkeypatch.setenv("PREAU_TRACE_URL", "https://traces.test/")
    assert "{trace_id}" in await preau.run(
        "dead-letters", "show", GROUP, foreign["place"], exit_code=1
    )


async def test_unknown_dead_letter_is_an_error(preau: CliHarness) -> None:
    for words in (("show",), ("replay",), ("skip", "--reason", "x")):
        output = await preau.run("dead-letters", *words, GROUP, "identity.member/0/99", exit_code=1)
        assert "identity.member/0/99" in output
    await preau.run("dead-letters", "show", GROUP, "nowhere", exit_code=1)
    assert "matches" in await preau.run("dead-letters", "replay", "--cause", "nothing", exit_code=1)


async def test_replay_of_many_with_and_without_dry_run(preau: CliHarness) -> None:
    positions = await _make_dead_letters(preau.inbox, "poison 1", "poison 2", "invalid")
    preau.inbox.fixed = True

    dry_run_output = await preau.run("dead-letters", "replay", GROUP, *positions[:2], "--dry-run")
    assert dry_run_output.splitlines()[-1] == "would replay: 2"
    assert len(await preau.inbox.list_dead_letters()) == 3
    output = await preau.run("dead-letters", "replay", GROUP, *positions[:2])
    assert output.splitlines()[-1] == "replay: 2"
    await preau.inbox.retry_parked()

    first, first_blocked, second, second_blocked = await preau.inbox.effects()
    assert {first, second} == {"poison 1", "poison 2"}
    assert first_blocked == second_blocked == "derrière"


async def test_replay_by_cause_and_skip_all_of_group(preau: CliHarness) -> None:
    await _make_dead_letters(preau.inbox, "poison 1", "poison 2", "invalid")
    preau.inbox.fixed = True

    result = await _json(preau, "dead-letters", "replay", "--cause", "cannot digest …")
    assert (result["letters"], result["causes"][0]["group"]) == (2, GROUP)
    await preau.inbox.retry_parked()
    assert len(await preau.inbox.list_dead_letters()) == 1
    skipped = await preau.run("dead-letters", "skip", "--all-of", GROUP, "--reason", "de l’essai")
    assert skipped.splitlines()[-1] == "skip: 1"
    (row,) = [
        e for e in await preau.inbox.list_dead_letters(all_states=True) if e.state == "skipped"
    ]
    assert row.reason == "de l’essai"
    listed = await preau.run("dead-letters", "list", "--all")
    assert "skipped" in listed


async def test_skip_prompts_for_reason(preau: CliHarness) -> None:
    (position,) = await _make_dead_letters(preau.inbox, "poison")
    output = await preau.run("dead-letters", "skip", GROUP, position, exit_code=1)
    assert "Reason: " in output
    assert len(await preau.inbox.list_dead_letters()) == 1
    dry_run_output = await preau.run("dead-letters", "skip", GROUP, position, "--dry-run")
    assert dry_run_output.splitlines()[-1] == "would skip: 1"


@pytest.mark.parametrize(
    "words",
    [
        ("replay",),
        ("replay", GROUP),
        ("replay", "nobody", "identity.member/0/1"),
        ("replay", GROUP, "identity.member/0/1", "--cause", "x"),
        ("replay", "--all-of", GROUP, "--cause", "x"),
        ("skip", "--all-of", "nobody", "--reason", "x"),
    ],
)
async def test_ambiguous_selection_is_a_usage_error(
    preau: CliHarness, words: tuple[str, ...]
) -> None:
    await preau.run("dead-letters", *words, exit_code=2)
    assert preau.requests == []


async def test_stopped_group_is_shown_and_resumed(preau: CliHarness) -> None:
    for who in range(30):
        preau.inbox.publish("poison", member=who)
    with pytest.raises(Exception, match="stopped: "):
        await preau.inbox.consume_all()

    cause = "30 of 30 events failed: 30 × RuntimeError: cannot digest"
    assert f"  stopped: {cause}, since 2026-11-25T12:00:00Z, at" in await preau.run("status")
    halted = (await _json(preau, "status"))["groups"]["probe"]["halted"]
    assert (halted["cause"], halted["since"][:19]) == (cause, "2026-11-25T12:00:00")
    output = await preau.run("consumers", "resume", GROUP, "--accept-failures", "40")
    assert output.splitlines()[-1] == f"resumed: {GROUP}"
    assert cause in output
    assert "failures accepted: 40 more" in await preau.run("status")
    assert (await preau.inbox.consume_all()).parked == 30
    await preau.run("consumers", "resume", GROUP, "--for", "10")
    assert "failures accepted: until 2026-11-25T12:10:00Z" in await preau.run("status")


async def test_running_group_cannot_be_resumed(preau: CliHarness) -> None:
    await preau.run("consumers", "resume", GROUP, exit_code=1)
    await preau.run("consumers", "resume", "identity", exit_code=1)
    await preau.run("consumers", "resume", "nobody", exit_code=2)
    await preau.run("consumers", "resume", GROUP, "--accept-failures", "0", exit_code=2)


async def _json(preau: CliHarness, *words: str) -> Any:
    return json.loads(await preau.run(*words, "--json"))


async def _make_dead_letters(harness: InboxHarness, *words: str) -> list[str]:
    """Make a dead letter of each text, with one blocked event; return their positions."""
    for number, text in enumerate(words, 100):
        harness.publish(text, member=number)
        harness.publish("derrière", member=number)
    await harness.consume_all()
    await harness.retry_parked()
    await harness.retry_parked()
    by_key = {letter.key: letter.position for letter in await harness.list_dead_letters()}
    positions: list[LogPosition] = [
        next(
            position
            for key, position in by_key.items()
            if key and key.endswith(f"{member_id(number)}")
        )
        for number, _ in enumerate(words, 100)
    ]
    return [str(position) for position in positions]


def test_every_command_of_the_operators_page_exists() -> None:
    """Parse each documented command line down to its options and arguments."""
    lines = [line for line in OPERATORS_PAGE.read_text().splitlines() if line.startswith("preau ")]
    assert len(lines) > 10
    for line in lines:
        words = shlex.split(line)[1:]
        command: click.Command = LazyCommandGroup(name="preau")
        while isinstance(command, click.Group):
            context = click.Context(command)
            subcommand = command.get_command(context, words.pop(0))
            assert subcommand is not None, line
            command = subcommand
        command.make_context(line, words, resilient_parsing=False).close()
