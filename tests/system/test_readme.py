"""What the README and the decisions say is true: verbs, commands, files, tests, the subscriber."""

import ast
import asyncio
import os
import re
import shlex
import sys
from asyncio.subprocess import PIPE
from importlib.metadata import entry_points
from itertools import takewhile
from pathlib import Path
from uuid import uuid4

import click
import pytest

from deploy.local.artifacts import REPOSITORY
from deploy.local.choices import ServerChoices
from deploy.local.stack import StackAddresses
from shared.contracts.community import PostPublished
from shared.contracts.event import CONTENT_TYPE
from shared.kit.bus.kafka import KafkaBus
from shared.kit.bus.kafka.access import connect_as_admin
from shared.kit.bus.kafka.subscribers import add_subscriber
from shared.kit.core.bus import OutgoingRecord, Topic
from shared.kit.tools.cli.main import ENTRY_POINT_GROUP, LazyCommandGroup
from tests.contracts.records import GOLDEN_FOLDER

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
COMMANDS = (REPOSITORY / "docs" / "commands.md").read_text(encoding="utf-8")
DECISIONS = sorted((REPOSITORY / "docs" / "adr").glob("*.md"))
SUBSCRIBED = "127.0.0.1:19092"
LONGEST = 14


def blocks(language: str) -> list[str]:
    """Return the README's code blocks in one language."""
    texts = re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    assert texts, f"the README has no block in {language}"
    return texts


def commands(program: str) -> list[list[str]]:
    """Return the arguments of each call of a program in the README's shell blocks."""
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.strip()]
    calls = [shlex.split(part) for line in lines for part in line.split("|")]
    bare = [[word for word in call if not re.match(r"[A-Z_]+=", word)] for call in calls]
    return [call[1:] for call in bare if call[0] == program]


def subscriber() -> str:
    """Return the example that reads a topic."""
    (example,) = blocks("python")
    return example


def test_every_verb_of_make_is_there() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    there = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    called = {verb for call in commands("make") for verb in call}
    named = set(re.findall(r"`make ([a-z-]+)`", README))
    assert {"run", "test", "demo"} <= called
    assert called | named <= there


def test_every_command_of_preau_is_there_with_its_options() -> None:
    calls = commands(".venv/bin/preau")
    assert {call[0] for call in calls} >= {"import", "kpis", "status", "dead-letters", "screen"}
    for call in calls:
        parse(call)


def test_every_command_that_the_text_names_is_there() -> None:
    names = {re.split(r"[ `]", command)[0] for command in re.findall(r"`preau ([^`]+)`", README)}
    entry_names = {point.name.partition(".")[0] for point in entry_points(group=ENTRY_POINT_GROUP)}
    assert names - {"--help"} <= entry_names


def test_every_verb_for_dead_letters_is_there() -> None:
    (row,) = re.findall(r"^\| `preau dead-letters (.+?)` \|", COMMANDS, flags=re.MULTILINE)
    group = LazyCommandGroup(name="preau").get_command(
        click.Context(LazyCommandGroup()), "dead-letters"
    )
    assert isinstance(group, click.Group)
    assert set(row.split("`, `")) == set(group.commands)


def test_every_command_of_preau_has_a_row_in_the_documentation() -> None:
    rows = re.findall(r"`preau ([a-z-]+)[^`]*`", COMMANDS)
    assert set(rows) == {
        point.name.partition(".")[0] for point in entry_points(group=ENTRY_POINT_GROUP)
    }


def parse(call: list[str]) -> None:
    """Read a call as the command would; raises click's own error for what it does not know."""
    command: click.Command = LazyCommandGroup(name="preau")
    words = [str(Path(__file__).parent) if word == "DIR" else word for word in call]
    while isinstance(command, click.Group):
        subcommand = command.get_command(click.Context(command), words[0])
        assert subcommand is not None, f"preau has no {' '.join(call)}"
        command, words = subcommand, words[1:]
    command.make_context(call[-1], words)


def test_its_addresses_are_such_that_the_stack_takes_them() -> None:
    (line,) = [line for line in blocks("sh") if "PREAU_POSTGRES" in line]
    words = takewhile(lambda word: "=" in word, shlex.split(line))
    variables = dict(word.split("=", 1) for word in words)
    choices = ServerChoices.from_environment(variables)
    assert not any(choices.is_embedded(part) for part in ("kafka", "postgres", "redis"))
    assert f"PREAU_KAFKA=embedded:{SUBSCRIBED.rpartition(':')[2]}" in README


def test_its_paths_are_there() -> None:
    paths = re.findall(r"\b(?:services|shared|docs|deploy)/[\w/]+\.\w+", README)
    assert len(set(paths)) > LONGEST
    assert [path for path in paths if not (REPOSITORY / path).exists()] == []


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda file: file.stem)
def test_a_decision_names_tests_that_are_there(decision: Path) -> None:
    text = decision.read_text(encoding="utf-8")
    (enforced,) = re.findall(r"\*\*Enforced by\*\* (.+)", text, flags=re.DOTALL)
    tests = list((REPOSITORY / "tests").rglob("*.py"))
    for name, _, function in re.findall(r"`([\w/]+\.py)(::(\w+))?`", enforced):
        files = [file for file in tests if file.as_posix().endswith(f"/{name}")]
        assert files, f"{decision.name} names {name}"
        assert any(f"def {function}" in file.read_text(encoding="utf-8") for file in files)


def test_the_subscriber_fits_on_a_slide_and_compiles() -> None:
    assert len([line for line in subscriber().splitlines() if line.strip()]) <= LONGEST
    assert SUBSCRIBED in subscriber()
    ast.parse(subscriber())


@pytest.mark.system
@pytest.mark.allow_hosts(["127.0.0.1"])
async def test_the_subscriber_prints_a_fact(
    stack_addresses: StackAddresses, tmp_path: Path
) -> None:
    script = tmp_path / "subscriber.py"
    # A topic of its own: other tests share this broker and count what stands in theirs.
    topic = f"{PostPublished.TOPIC}.readme-{uuid4().hex[:6]}"
    example = subscriber().replace(SUBSCRIBED, stack_addresses.kafka)
    assert f'"{PostPublished.TOPIC}"' in example
    script.write_text(example.replace(PostPublished.TOPIC, topic), encoding="utf-8")
    bus = KafkaBus(stack_addresses.cluster(), client_id="readme")
    await bus.ensure_topics([Topic(topic)])
    async with connect_as_admin(stack_addresses.cluster()) as access:
        password = await add_subscriber(access, "my-system", [topic])
    value = (GOLDEN_FOLDER / f"{PostPublished.wire_type()}.json").read_bytes()
    header = ("content-type", CONTENT_TYPE.encode())
    await bus.send([OutgoingRecord(topic, b"key", value, (header,))])
    await bus.close()
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "KAFKA_PASSWORD": password}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), stdout=PIPE, env=environment
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 30)
    finally:
        process.kill()
        await process.communicate()
    assert PostPublished.wire_type() in line.decode()
