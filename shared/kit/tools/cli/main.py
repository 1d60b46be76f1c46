"""`preau`: one command, whose subcommands the services and the frame contribute.

Entry points of the group `preau.commands` name them; a dot makes a subgroup. A command is loaded
when it is called, so that `preau --help` needs no service to be in order.
"""

import sys
from importlib.metadata import EntryPoint, entry_points

import click

ENTRY_POINT_GROUP = "preau.commands"
EPILOG = """\b
Exit codes: 0 done; 1 done, but something was refused or is not as it should be;
2 the command line is wrong; 3 the platform does not answer; 4 not allowed.

\b
Examples:
  preau status
  preau import stackexchange DIR --space Entraide
  echo "bonjour à tous" | preau screen --json
"""


class LazyCommandGroup(click.Group):
    """A group that loads a command when it is named."""

    def __init__(self, prefix: str = "", **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]  # click's own options
        self._prefix = prefix

    def _found(self) -> dict[str, EntryPoint | None]:
        found: dict[str, EntryPoint | None] = {}
        for point in entry_points(group=ENTRY_POINT_GROUP):
            if point.name.startswith(self._prefix):
                head, dot, _ = point.name.removeprefix(self._prefix).partition(".")
                found[head] = None if dot else point
        return found

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name them all."""
        return sorted(self._found())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one, or make its subgroup."""
        found = self._found()
        if cmd_name not in found:
            return None
        point = found[cmd_name]
        if point is None:
            return LazyCommandGroup(
                f"{self._prefix}{cmd_name}.", name=cmd_name, help=f"{cmd_name} …"
            )
        try:
            command: click.Command = point.load()
        except Exception as error:
            message = f"{self._prefix}{cmd_name} ({point.value}) cannot be loaded: {error}"
            raise click.ClickException(message) from error
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List names only: loading every service for a line of help would cost seconds."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, "") for name in self.list_commands(ctx)])


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    LazyCommandGroup(
        name="preau", help="Préau: the life of learning communities, as events.", epilog=EPILOG
    )()
