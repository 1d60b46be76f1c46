"""`preau`: one command line whose subcommands are contributed by the services and the kit.

The entry points of the group `preau.commands` name them; a dot in a name makes a subgroup. A
command is imported only when it is called, so that `preau --help` works with a broken service.
"""

import sys
from importlib.metadata import EntryPoint, entry_points

import click

ENTRY_POINT_GROUP = "preau.commands"
EPILOG = """\b
Exit codes: 0 done; 1 done, but something was rejected or is not as expected;
2 the command line is wrong; 3 the platform does not answer; 4 not allowed.

\b
Examples:
  preau status
  preau import stackexchange DIR --space Entraide
  echo "bonjour à tous" | preau screen --json
"""


class LazyCommandGroup(click.Group):
    """Command group that imports a command when it is called."""

    def __init__(self, prefix: str = "", **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]  # options of click.Group
        self._prefix = prefix

    def _find_entry_points(self) -> dict[str, EntryPoint | None]:
        points: dict[str, EntryPoint | None] = {}
        for point in entry_points(group=ENTRY_POINT_GROUP):
            if point.name.startswith(self._prefix):
                head, dot, _ = point.name.removeprefix(self._prefix).partition(".")
                points[head] = None if dot else point
        return points

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, sorted."""
        return sorted(self._find_entry_points())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, or build the subgroup of this name; None if there is neither."""
        points = self._find_entry_points()
        if cmd_name not in points:
            return None
        point = points[cmd_name]
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
        """List command names without help: importing every service would cost seconds."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, "") for name in self.list_commands(ctx)])


def main() -> None:
    """Run the `preau` command line."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    LazyCommandGroup(
        name="preau", help="Préau: the life of learning communities, as events.", epilog=EPILOG
    )()
