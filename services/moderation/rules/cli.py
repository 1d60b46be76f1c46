"""`preau screen`: evaluate the rules on texts, without a server or a database."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import BinaryIO

import click

from services.moderation.rules.domain.rule import RuleRefused
from services.moderation.rules.handlers.engine import Evaluation, RuleEngine
from services.moderation.rules.handlers.open_engine import open_engine
from services.moderation.text.domain.markup import text_of_html, text_of_markdown

EPILOG = """\b
Exit codes: 0 all lines screened; 1 some lines are invalid (each is named on standard error);
2 the command line, or a rule of --rules, is invalid.

\b
Examples:
  echo "bonjour à tous" | preau screen
  preau screen < messages.txt
  preau screen --json < messages.ndjson | jq 'select(.verdict != "pass")'
  preau screen --rules my-rules/ < messages.txt

\b
A rule, one TOML file each:
  id = "no-homework-sales"
  version = 1
  owner = "vie scolaire"
  policy = "spam"
  verdict = "review"
  score = 0.5
  when = "text.contains(' vends devoir ')"
  reason = "homework"
  message = { fr = "On ne vend pas de devoirs ici.", en = "No homework for sale here." }
  cases = { match = ["Je vends devoir de maths"], spare = ["Le devoir est fini"] }
"""
Show = Callable[[int, Evaluation], None]
_MAX_SHOWN_CHARACTERS = 72
_ROW = "{:>5}  {:<7} {:>5}  {}"


@dataclass(frozen=True, slots=True)
class InputLine:
    """A line to screen, or the error in it."""

    number: int
    text: str = ""
    language: str | None = None
    error: str | None = None


@click.command(epilog=EPILOG)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per text, for programs."
)
@click.option("--html", is_flag=True, help="The texts are HTML; screen the visible text.")
@click.option("--plain", is_flag=True, help="Read every line as a text, even if it starts with {.")
@click.option(
    "--language",
    type=click.Choice(["fr", "en"]),
    help="Language of texts that are too short to detect it.",
)
@click.option(
    "--rules",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Use the rules (*.toml) in DIR instead of the shipped ones; each must pass its own cases.",
)
def screen(
    *, as_json: bool, html: bool, plain: bool, language: str | None, rules: Path | None
) -> None:
    """Print which texts would be hidden, reviewed or passed, and by which rules.

    Texts are Markdown, as posts are; the visible text is screened.

    Reads standard input: one text per line, or NDJSON (a line that starts with { is an object with
    "text" and, if you like, "language": "fr" or "en"). Empty lines are skipped.
    """
    engine = _engine(rules)
    stdin = sys.stdin.buffer
    if stdin.isatty():
        click.echo("Type one text per line; end with Ctrl-D.", err=True)
    show: Show = _show_json if as_json else _show_row
    if not as_json:
        click.echo(_ROW.format("line", "verdict", "score", "text and rules"))
    has_errors = False
    for line in _read_lines(stdin, plain=plain):
        if line.error:
            has_errors = True
            click.echo(f"line {line.number}: {line.error}", err=True)
            continue
        text = text_of_html(line.text) if html else text_of_markdown(line.text)
        show(line.number, engine.screen(text, language_hint=line.language or language))
    if has_errors:
        raise click.exceptions.Exit(1)


def _today() -> date:
    return datetime.now(UTC).date()


def _engine(rules: Path | None) -> RuleEngine:
    try:
        engine = open_engine(today=_today, catalogue=rules)
    except RuleRefused as error:
        raise click.BadParameter(str(error), param_hint="--rules") from error
    if not engine.rules:
        raise click.BadParameter(f"no rule (*.toml) in {rules}", param_hint="--rules")
    return engine


def _read_lines(stdin: BinaryIO, *, plain: bool) -> Iterator[InputLine]:
    for number, raw in enumerate(stdin, 1):
        try:
            text = raw.removeprefix(b"\xef\xbb\xbf").decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            yield InputLine(number, error=f"not UTF-8 (byte {error.start + 1}); save it as UTF-8")
            continue
        if not text.strip():
            continue
        if text.lstrip().startswith("{") and not plain:
            yield _parse_json_line(number, text)
        else:
            yield InputLine(number, text)


def _parse_json_line(number: int, source: str) -> InputLine:
    try:
        record = json.loads(source)
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        return InputLine(number, error=f"not JSON: {reason} (use --plain if it is a text)")
    text, language = record.get("text"), record.get("language")
    if not isinstance(text, str):
        return InputLine(number, error='has no "text", which must be a string')
    if language not in (None, "fr", "en"):
        return InputLine(number, error='"language" is "fr", "en" or left out')
    return InputLine(number, text, language)


def _show_json(number: int, screening: Evaluation) -> None:
    verdict = screening.verdict
    record = {
        "line": number,
        "verdict": verdict.verdict,
        "score": verdict.score,
        "rules": [asdict(rule) for rule in verdict.rules],
        "policies": verdict.policies,
        "reasons": verdict.reasons,
        "help": verdict.help,
        "masked": screening.masked,
    }
    click.echo(json.dumps(record, ensure_ascii=False))


def _show_row(number: int, screening: Evaluation) -> None:
    verdict = screening.verdict
    # Control characters in a text must not reach the terminal.
    printable = "".join(c if c.isprintable() else " " for c in screening.masked)
    text = " ".join(printable.split())
    text = text if len(text) <= _MAX_SHOWN_CHARACTERS else f"{text[: _MAX_SHOWN_CHARACTERS - 1]}…"
    click.echo(_ROW.format(number, verdict.verdict, f"{verdict.score:.2f}", text))
    if verdict.rules:
        rule_names = ", ".join(f"{rule.id} v{rule.version}" for rule in verdict.rules)
        click.echo(_ROW.format("", "", "", f"  ← {rule_names}"))
