"""`preau dead-letters`: list, show, replay and skip events that could not be applied."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import click

from shared.contracts.catalogue import PUBLISHERS
from shared.kit.tools.cli.api_client import ApiClient

DEAD_LETTERS_PATH = "v1/operating/dead-letters"
TRACE_URL_VARIABLE = "PREAU_TRACE_URL"
_CAUSE_COLUMNS = (
    "group",
    "type",
    "state",
    "letters",
    "keys",
    "waiting",
    "oldest",
    "newest",
    "example",
)
_NUMERIC_COLUMNS = ("letters", "keys", "waiting")
_FIELDS_NOT_LISTED = (
    "event",
    "record",
    "stack",
    "behind",
    "waiting",
    "topic",
    "partition",
    "offset",
)
"""Fields that `show` prints in a section of their own, or that the reader typed."""

_group = click.option("--group", type=click.Choice(list(PUBLISHERS)), help="Only this group.")
_cause = click.option("--cause", metavar="TEXT", help="Only those whose cause contains this text.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


@click.group("dead-letters")
def dead_letters() -> None:
    """List, show, replay or skip the events that could not be applied.

    An event is a fact and is never edited: correct the code or the data, then replay the event.

    \b
    Examples:
      preau dead-letters list --by-cause
      preau dead-letters show metrics community.post/3/1207
      preau dead-letters replay metrics community.post/3/1207
      preau dead-letters replay --cause "KeyError: 'title'" --dry-run
    """


@dead_letters.command("list")
@click.option("--by-cause", is_flag=True, help="Count dead letters with the same cause.")
@_cause
@_group
@click.option("--all", "include_closed", is_flag=True, help="Also list parked and skipped events.")
@_json
def list_letters(
    *, by_cause: bool, cause: str | None, group: str | None, include_closed: bool, as_json: bool
) -> None:
    """List dead letters, the oldest of each group first, or count them by cause.

    `keys` and `waiting` count the blocked keys and the events that wait on them. Ids, numbers and
    quoted values in a cause are shown as “…” when counting.

    \b
    Example: preau dead-letters list --by-cause --group metrics
    """
    query = {"everything": str(include_closed).lower(), "cause": cause}
    if by_cause:
        _print_causes(_fetch_causes(_group_names(group), query), as_json=as_json)
        return
    letters = _fetch_dead_letters(_group_names(group), query)
    if as_json:
        click.echo(json.dumps({"dead_letters": list(letters)}, ensure_ascii=False))
        return
    empty = True
    for letter in letters:
        empty = False
        line = f"{letter['group']:14} {letter['place']:32} {letter['state']:8}"
        click.echo(f"{line} {letter['cause'] or 'waits behind another event of its key'}")
    if empty:
        click.echo("No dead letters.")


@dead_letters.command()
@click.argument("group", type=click.Choice(list(PUBLISHERS)))
@click.argument("position", metavar="PLACE")
@_json
def show(group: str, position: str, *, as_json: bool) -> None:
    """Show one dead letter: cause, trace, event, stack, and the events that wait on its key.

    PLACE is topic/partition/offset, as `list` prints it. If you have a user interface for traces,
    set PREAU_TRACE_URL to its address with {trace_id} in it: the trace id becomes a link.

    \b
    Example: PREAU_TRACE_URL=https://traces.example/trace/{trace_id} \\
      preau dead-letters show metrics community.post/3/1207
    """
    letter = ApiClient().get(f"/{group}/v1/operating/dead-letter", place=position)
    trace_url = _make_trace_url(os.environ, letter["trace_id"])
    if as_json:
        fields = {"group": group, **letter, "trace_url": trace_url}
        click.echo(json.dumps(fields, ensure_ascii=False))
        return
    for name, value in {"group": group, **letter}.items():
        if name not in _FIELDS_NOT_LISTED and value is not None:
            click.echo(f"{name:14} {value}")
    if trace_url:
        click.echo(f"{'trace':14} {trace_url}")
    event = letter["event"]
    text = letter["record"] if event is None else json.dumps(event, indent=2, ensure_ascii=False)
    click.echo(f"\nevent\n{text}")
    if letter["stack"]:
        click.echo(f"\nstack\n{letter['stack']}")
    click.echo(f"\nwaits behind it: {letter['waiting']}")
    for blocked in letter["behind"]:
        click.echo(f"  {blocked['place']:32} {blocked['type']}")


def _selection_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the arguments and options that select dead letters to a command."""
    for decorate in (
        click.argument("group_and_places", nargs=-1, metavar="[GROUP PLACE…]"),
        _cause,
        _group,
        click.option(
            "--all-of", type=click.Choice(list(PUBLISHERS)), help="All dead letters of this group."
        ),
        click.option("--dry-run", is_flag=True, help="Only print what would be done."),
        _json,
    ):
        command = decorate(command)
    return command


@dead_letters.command()
@_selection_options
def replay(**selection: Any) -> None:
    """Apply dead letters again in their group, then the events that wait on their keys, in order.

    First correct the code or the data that made them fail. The event itself is a fact and does not
    change. An event that fails again is retried as often as a new one and becomes a dead letter
    again, with its new cause. Other groups are not affected. Safe while the platform runs.

    \b
    Examples:
      preau dead-letters replay metrics community.post/3/1207 community.post/5/88
      preau dead-letters replay --cause "KeyError: 'title'" --group metrics --dry-run
      preau dead-letters replay --all-of metrics
    """
    _decide("replay", **selection)


@dead_letters.command()
@click.option("--reason", help="Why; stored with your name and the time.")
@_selection_options
def skip(*, reason: str | None, **selection: Any) -> None:
    """Skip dead letters permanently; the events that wait on their keys continue. State a reason.

    \b
    Example: preau dead-letters skip metrics community.post/3/1207 --reason "a test record"
    """
    if not reason and not selection["dry_run"]:
        reason = click.prompt("Reason")
    _decide("skip", reason=reason, **selection)


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
    groups = _group_names(group or all_of)
    if group_and_places:
        groups, body["places"] = _group_names(group_and_places[0]), list(group_and_places[1:])
        if not body["places"] or groups[0] not in PUBLISHERS:
            raise click.UsageError("GROUP first, then PLACE… as `list` prints them.")
    elif cause is not None:
        body["cause"] = cause
    else:
        body["everything"] = True
    client = ApiClient()
    decisions = {name: client.post(f"/{name}/{DEAD_LETTERS_PATH}", body) for name in groups}
    _print_decision(decision, decisions, dry_run=dry_run, as_json=as_json)


def _print_decision(
    decision: str, decisions: Mapping[str, Any], *, dry_run: bool, as_json: bool
) -> None:
    causes = [
        {"group": name, **cause}
        for name, decision_result in decisions.items()
        for cause in decision_result["causes"]
    ]
    letters = sum(decision_result["letters"] for decision_result in decisions.values())
    unreadable = sum(decision_result["unreadable"] for decision_result in decisions.values())
    if as_json:
        result = {"decision": decision, "dry_run": dry_run, "letters": letters, "causes": causes}
        click.echo(json.dumps(result | {"unreadable": unreadable}, ensure_ascii=False))
        return
    if not causes:
        raise click.ClickException("No dead letter matches this selection.")
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
    rows = [{name: _format_cell(name, cause[name]) for name in _CAUSE_COLUMNS} for cause in causes]
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in _CAUSE_COLUMNS}
    click.echo(_format_row({name: name for name in _CAUSE_COLUMNS}, widths, "cause"))
    for row, cause in zip(rows, causes, strict=True):
        click.echo(_format_row(row, widths, cause["cause"]))


def _format_cell(name: str, value: object) -> str:
    if name in ("oldest", "newest"):
        return f"{str(value)[:19]}Z"
    return f"{value:,}" if name in _NUMERIC_COLUMNS else str(value or "unreadable")


def _format_row(row: Mapping[str, str], widths: Mapping[str, int], cause: str) -> str:
    cells = [
        row[name].rjust(widths[name]) if name in _NUMERIC_COLUMNS else row[name].ljust(widths[name])
        for name in _CAUSE_COLUMNS
    ]
    return "  ".join([*cells, cause])


def _group_names(group: str | None) -> list[str]:
    return [group] if group else list(PUBLISHERS)


def _fetch_dead_letters(
    groups: Sequence[str], query: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield the dead letters of these groups, page after page."""
    client = ApiClient()
    for group in groups:
        cursor = None
        while True:
            page = client.get(f"/{group}/{DEAD_LETTERS_PATH}", **query, cursor=cursor)
            yield from ({"group": group, **letter} for letter in page["items"])
            cursor = page["next"]
            if cursor is None:
                break


def _fetch_causes(groups: Sequence[str], query: Mapping[str, Any]) -> list[dict[str, Any]]:
    client = ApiClient()
    causes = [
        {"group": group, **cause}
        for group in groups
        for cause in client.get(f"/{group}/{DEAD_LETTERS_PATH}/causes", **query)["items"]
    ]
    return sorted(causes, key=lambda item: -item["letters"])


def _make_trace_url(environment: Mapping[str, str], trace_id: str | None) -> str | None:
    template = environment.get(TRACE_URL_VARIABLE)
    if not template or not trace_id:
        return None
    if "{trace_id}" not in template:
        raise click.ClickException(
            f"{TRACE_URL_VARIABLE} does not contain {{trace_id}}: {template}"
        )
    return template.replace("{trace_id}", trace_id)
