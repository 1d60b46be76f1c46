"""`preau` collects subcommands from entry points; a broken one does not affect the others."""

from importlib.metadata import EntryPoint

import click
import pytest
from click.testing import CliRunner, Result

from shared.kit.tools.cli import main as cli
from shared.kit.tools.cli.api_client import EXIT_UNREACHABLE, PlatformError
from shared.kit.tools.cli.main import ENTRY_POINT_GROUP, EPILOG, LazyCommandGroup


@click.command()
@click.argument("name")
def greet(name: str) -> None:
    """Say hello.

    \b
    Example: preau greet Zoé
    """
    click.echo(f"Bonjour {name} 🌞")


@click.command()
def find_nobody() -> None:
    """Fail."""
    raise PlatformError("nobody there: make run", EXIT_UNREACHABLE)


COMMANDS = {
    "greet": f"{__name__}:greet",
    "lost": f"{__name__}:find_nobody",
    "broken": "shared.kit.no_such_module:nothing",
    "halved": f"{__name__}:no_such_name",
    "import.annuaire": f"{__name__}:greet",
    "import.stackexchange": f"{__name__}:find_nobody",
}


@pytest.fixture
def preau(monkeypatch: pytest.MonkeyPatch) -> LazyCommandGroup:
    points = [EntryPoint(name, value, ENTRY_POINT_GROUP) for name, value in COMMANDS.items()]
    monkeypatch.setattr(cli, "entry_points", lambda group: points)
    return LazyCommandGroup(name="preau", epilog=EPILOG)


def _run(preau: LazyCommandGroup, *words: str) -> Result:
    return CliRunner().invoke(preau, words)


def test_help_lists_commands_and_exit_codes_without_importing(preau: LazyCommandGroup) -> None:
    result = _run(preau, "--help")
    assert result.exit_code == 0
    for word in ("greet", "broken", "import", "Examples:", "Exit codes: 0", "4 not allowed"):
        assert word in result.output
    assert "import." not in result.output


def test_command_accepts_accents_and_prints_emoji(preau: LazyCommandGroup) -> None:
    assert _run(preau, "greet", "Zoé").output == "Bonjour Zoé 🌞\n"


def test_dot_in_entry_point_makes_a_shared_subgroup(preau: LazyCommandGroup) -> None:
    assert _run(preau, "import", "annuaire", "Hamid").output == "Bonjour Hamid 🌞\n"
    output = _run(preau, "import", "--help").output
    assert "annuaire" in output
    assert "stackexchange" in output
    assert "greet" not in output


@pytest.mark.parametrize("name", ["broken", "halved"])
def test_broken_command_prints_one_line_and_others_run(preau: LazyCommandGroup, name: str) -> None:
    result = _run(preau, name)
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert name in result.output
    assert COMMANDS[name] in result.output
    assert _run(preau, "greet", "Zoé").exit_code == 0


def test_exit_codes_distinguish_errors(preau: LazyCommandGroup) -> None:
    assert _run(preau, "nonsense").exit_code == 2
    assert _run(preau, "greet").exit_code == 2
    result = _run(preau, "import", "stackexchange")
    assert (result.exit_code, result.output) == (
        EXIT_UNREACHABLE,
        "Error: nobody there: make run\n",
    )
