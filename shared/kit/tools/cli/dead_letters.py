"""`preau dead-letters`: the events that could not be applied, and what becomes of them."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import click

from shared.contracts.catalogue import PUBLISHERS
from shared.kit.tools.cli.api_client import ApiClient

DEAD_LETTERS_PATH = "v1/operating/dead-letters"
TRACE_URL_VARIABLE = "PREAU_TRACE_URL"
_TABLE = ("group", "type", "state", "letters", "keys", "waiting", "oldest", "newest", "example")
_NUMBERS = ("letters", "keys", "waiting")
_WHOLE = ("event", "record", "stack", "behind", "waiting", "topic", "partition", "offset")
"""What `show` prints in its own way, or not twice."""

_group = click.option("--group", type=click.Choice(list(PUBLISHERS)), help="Only this group.")
_cause = click.option("--cause", metavar="TEXT", help="Only those whose cause holds this text.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


@click.group("dead-letters")
def dead_letters() -> None:
    """List, show, replay or skip the events that could not be applied.

    An event is a fact and is never edited: mend the code or the data that it met, then replay it.

    \b
    Examples:
      preau dead-letters list --by-cause
      preau dead-letters show metrics community.post/3/1207
      preau dead-letters replay metrics community.post/3/1207
      preau dead-letters replay --cause "KeyError: 'title'" --dry-run
    """


@dead_letters.command("list")
@click.option("--by-cause", is_flag=True, help="Count those that failed alike.")
@_cause
@_group
@click.option("--all", "everything", is_flag=True, help="The parked and skipped ones too.")
@_json
def list_letters(
    *, by_cause: bool, cause: str | None, group: str | None, everything: bool, as_json: bool
) -> None:
    """List them, the oldest of each group first, or count them by cause.

    `keys` and `waiting` count the keys and the events that wait behind. Ids, numbers and quoted
    values in a cause are shown as “…” when counting.

    \b
    Example: preau dead-letters list --by-cause --group metrics
    """
    query = {"everything": str(everything).lower(), "cause": cause}
    if by_cause:
        _print_causes(_causes(_groups(group), query), as_json=as_json)
        return
    found = _letters(_groups(group), query)
    if as_json:
        click.echo(json.dumps({"dead_letters": list(found)}, ensure_ascii=False))
        return
    empty = True
    for letter in found:
        empty = False
        head = f"{letter['group']:14} {letter['place']:32} {letter['state']:8}"
        click.echo(f"{head} {letter['cause'] or 'waits behind another of its key'}")
    if empty:
        click.echo("No dead letters.")


@dead_letters.command()
@click.argument("group", type=click.Choice(list(PUBLISHERS)))
@click.argument("place")
@_json
def show(group: str, place: str, *, as_json: bool) -> None:
    """Show one whole: cause, trace, event, stack, and what waits behind it on its key.

    PLACE is topic/partition/offset, as `list` prints it. Where there is a user interface for
    traces, PREAU_TRACE_URL makes a link of the trace id: a template that holds {trace_id}.

    \b
    Example: PREAU_TRACE_URL=https://traces.example/trace/{trace_id} \\
      preau dead-letters show metrics community.post/3/1207
    """
    letter = ApiClient().get(f"/{group}/v1/operating/dead-letter", place=place)
    trace_url = _trace_url(os.environ, letter["trace_id"])
    if as_json:
        shown = {"group": group, **letter, "trace_url": trace_url}
        click.echo(json.dumps(shown, ensure_ascii=False))
        return
    for name, value in {"group": group, **letter}.items():
        if name not in _WHOLE and value is not None:
            click.echo(f"{name:14} {value}")
    if trace_url:
        click.echo(f"{'trace':14} {trace_url}")
    event = letter["event"]
    text = letter["record"] if event is None else json.dumps(event, indent=2, ensure_ascii=False)
    click.echo(f"\nevent\n{text}")
    if letter["stack"]:
        click.echo(f"\nstack\n{letter['stack']}")
    click.echo(f"\nwaits behind it: {letter['waiting']}")
    for behind in letter["behind"]:
        click.echo(f"  {behind['place']:32} {behind['type']}")


def _choosing(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the ways to say which letters."""
    for decorate in (
        click.argument("group_and_places", nargs=-1, metavar="[GROUP PLACE…]"),
        _cause,
        _group,
        click.option("--all-of", type=click.Choice(list(PUBLISHERS)), help="All of this group."),
        click.option("--dry-run", is_flag=True, help="Only say what would be done."),
        _json,
    ):
        command = decorate(command)
    return command


@dead_letters.command()
@_choosing
def replay(**chosen: Any) -> None:
    """Try them again in their group, and what waits behind them on their keys, in order.

    First mend what they met: the code, or the data. The event itself is a fact and stays as it is.
    One that fails again is tried as often as a new one, and dies again with its new cause. Other
    groups see nothing of it. It is safe while everything runs.

    \b
    Examples:
      preau dead-letters replay metrics community.post/3/1207 community.post/5/88
      preau dead-letters replay --cause "KeyError: 'title'" --group metrics --dry-run
      preau dead-letters replay --all-of metrics
    """
    _decide("replay", **chosen)


@dead_letters.command()
@click.option("--reason", help="Why; kept with who and when.")
@_choosing
def skip(*, reason: str | None, **chosen: Any) -> None:
    """Leave them out for good; what waits behind them goes on. Say why: it is kept.

    \b
    Example: preau dead-letters skip metrics community.post/3/1207 --reason "a test record"
    """
    if not reason and not chosen["dry_run"]:
        reason = click.prompt("Reason")
    _decide("skip", reason=reason, **chosen)


def _decide(  # noqa: PLR0913  the options, by name
    decision: str,
    *,
    group_and_places: Sequence[str],
    cause: str | None,
    group: str | None,
    all_of: str | None,
    dry_run: bool,
    as_json: bool,
    reason: str | None = None,
) -> None:
    if bool(group_and_places) + (cause is not None) + (all_of is not None) != 1:
        raise click.UsageError("Name GROUP and PLACE…, or --cause TEXT, or --all-of GROUP.")
    body: dict[str, Any] = {"decision": decision, "dry_run": dry_run, "reason": reason}
    groups = _groups(group or all_of)
    if group_and_places:
        groups, body["places"] = _groups(group_and_places[0]), list(group_and_places[1:])
        if not body["places"] or groups[0] not in PUBLISHERS:
            raise click.UsageError("GROUP first, then PLACE… as `list` prints them.")
    elif cause is not None:
        body["cause"] = cause
    else:
        body["everything"] = True
    client = ApiClient()
    done = {each: client.post(f"/{each}/{DEAD_LETTERS_PATH}", body) for each in groups}
    _print_decided(decision, done, dry_run=dry_run, as_json=as_json)


def _print_decided(decision: str, done: Mapping[str, Any], *, dry_run: bool, as_json: bool) -> None:
    causes = [{"group": name, **each} for name, said in done.items() for each in said["causes"]]
    letters = sum(said["letters"] for said in done.values())
    unreadable = sum(said["unreadable"] for said in done.values())
    if as_json:
        told = {"decision": decision, "dry_run": dry_run, "letters": letters, "causes": causes}
        click.echo(json.dumps(told | {"unreadable": unreadable}, ensure_ascii=False))
        return
    if not causes:
        raise click.ClickException("No dead letter is meant by this.")
    _print_causes(causes, as_json=False)
    click.echo(f"{'would ' if dry_run else ''}{decision}: {letters:,}")
    if unreadable:
        click.echo(f"cannot be read, so not replayed: {unreadable:,}")


def _print_causes(causes: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"causes": list(causes)}, ensure_ascii=False))
        return
    if not causes:
        click.echo("No dead letters.")
        return
    rows = [{name: _cell(name, each[name]) for name in _TABLE} for each in causes]
    wide = {name: max(len(name), *(len(row[name]) for row in rows)) for name in _TABLE}
    click.echo(_line({name: name for name in _TABLE}, wide, "cause"))
    for row, each in zip(rows, causes, strict=True):
        click.echo(_line(row, wide, each["cause"]))


def _cell(name: str, value: object) -> str:
    if name in ("oldest", "newest"):
        return f"{str(value)[:19]}Z"
    return f"{value:,}" if name in _NUMBERS else str(value or "unreadable")


def _line(row: Mapping[str, str], wide: Mapping[str, int], cause: str) -> str:
    cells = [
        row[name].rjust(wide[name]) if name in _NUMBERS else row[name].ljust(wide[name])
        for name in _TABLE
    ]
    return "  ".join([*cells, cause])


def _groups(group: str | None) -> list[str]:
    return [group] if group else list(PUBLISHERS)


def _letters(groups: Sequence[str], query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Read page after page, whatever there is."""
    client = ApiClient()
    for group in groups:
        cursor = None
        while True:
            page = client.get(f"/{group}/{DEAD_LETTERS_PATH}", **query, cursor=cursor)
            yield from ({"group": group, **letter} for letter in page["items"])
            cursor = page["next"]
            if cursor is None:
                break


def _causes(groups: Sequence[str], query: Mapping[str, Any]) -> list[dict[str, Any]]:
    client = ApiClient()
    found = [
        {"group": group, **cause}
        for group in groups
        for cause in client.get(f"/{group}/{DEAD_LETTERS_PATH}/causes", **query)["items"]
    ]
    return sorted(found, key=lambda each: -each["letters"])


def _trace_url(environment: Mapping[str, str], trace_id: str | None) -> str | None:
    template = environment.get(TRACE_URL_VARIABLE)
    if not template or not trace_id:
        return None
    if "{trace_id}" not in template:
        raise click.ClickException(f"{TRACE_URL_VARIABLE} holds no {{trace_id}}: {template}")
    return template.replace("{trace_id}", trace_id)
