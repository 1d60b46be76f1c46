"""`preau`: its commands come from everywhere, and one that is broken breaks itself only."""

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
def lost() -> None:
    """Find nobody."""
    raise PlatformError("nobody there: make run", EXIT_UNREACHABLE)


COMMANDS = {
    "greet": f"{__name__}:greet",
    "lost": f"{__name__}:lost",
    "broken": "shared.kit.no_such_module:nothing",
    "halved": f"{__name__}:no_such_name",
    "import.annuaire": f"{__name__}:greet",
    "import.stackexchange": f"{__name__}:lost",
}


@pytest.fixture
def preau(monkeypatch: pytest.MonkeyPatch) -> LazyCommandGroup:
    points = [EntryPoint(name, value, ENTRY_POINT_GROUP) for name, value in COMMANDS.items()]
    monkeypatch.setattr(cli, "entry_points", lambda group: points)
    return LazyCommandGroup(name="preau", epilog=EPILOG)


def _run(preau: LazyCommandGroup, *words: str) -> Result:
    return CliRunner().invoke(preau, words)


def test_help_names_every_command_and_exit_code_and_loads_none(preau: LazyCommandGroup) -> None:
    done = _run(preau, "--help")
    assert done.exit_code == 0
    for word in ("greet", "broken", "import", "Examples:", "Exit codes: 0", "4 not allowed"):
        assert word in done.output
    assert "import." not in done.output


def test_a_command_runs_with_accents_and_emoji(preau: LazyCommandGroup) -> None:
    assert _run(preau, "greet", "Zoé").output == "Bonjour Zoé 🌞\n"


def test_a_dot_makes_a_subgroup_that_services_share(preau: LazyCommandGroup) -> None:
    assert _run(preau, "import", "annuaire", "Hamid").output == "Bonjour Hamid 🌞\n"
    told = _run(preau, "import", "--help").output
    assert "annuaire" in told
    assert "stackexchange" in told
    assert "greet" not in told


@pytest.mark.parametrize("name", ["broken", "halved"])
def test_a_broken_command_is_one_line_and_the_others_go_on(
    preau: LazyCommandGroup, name: str
) -> None:
    done = _run(preau, name)
    assert done.exit_code == 1
    assert done.output.count("\n") == 1
    assert name in done.output
    assert COMMANDS[name] in done.output
    assert _run(preau, "greet", "Zoé").exit_code == 0


def test_exit_codes_say_what_went_wrong(preau: LazyCommandGroup) -> None:
    assert _run(preau, "nonsense").exit_code == 2
    assert _run(preau, "greet").exit_code == 2
    gone = _run(preau, "import", "stackexchange")
    assert (gone.exit_code, gone.output) == (EXIT_UNREACHABLE, "Error: nobody there: make run\n")
