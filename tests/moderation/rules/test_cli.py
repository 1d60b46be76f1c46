import json
import textwrap
import tomllib
from pathlib import Path

from click.testing import CliRunner, Result

from services.moderation.rules.cli import screen
from tests.moderation.rules.builders import a_rule


def run(stdin: bytes | str, *arguments: str) -> Result:
    return CliRunner().invoke(screen, arguments, input=stdin)


def test_a_text_a_line_makes_a_table_a_person_reads() -> None:
    result = run("bonjour\n\nT'es un connard, 06 12 34 56 78\n")
    assert result.exit_code == 0
    first, passed, hidden, named = result.stdout.splitlines()
    assert first.split()[:3] == ["line", "verdict", "score"]
    assert passed.split() == ["1", "pass", "0.00", "bonjour"]
    assert hidden.split()[:3] == ["3", "hide", "0.90"]
    assert "06 12" not in hidden
    assert "insult-strong v1" in named


def test_json_is_one_object_a_text() -> None:
    result = run('bonjour\n{"text": "kys", "language": "en"}\r\n', "--json")
    passed, hidden = map(json.loads, result.stdout.splitlines())
    assert passed == {
        "line": 1, "verdict": "pass", "score": 0.0, "rules": [], "policies": [],
        "reasons": [], "help": [], "masked": "bonjour",
    }  # fmt: skip
    assert (hidden["line"], hidden["verdict"]) == (2, "hide")
    assert {"id": "harassment-incitement", "version": 1} in hidden["rules"]


def test_invalid_line_is_named_and_other_lines_are_screened() -> None:
    stdin = (
        b'\xef\xbb\xbfun\n\xff\xfe\n{"a": 1}\n{bad\n{"text": 3}\n{"text": "a", "language": "de"}\n'
        + (b'{"text": ' + b"[" * 100_000 + b"\nsept\n")
    )
    result = run(stdin, "--json")
    assert result.exit_code == 1
    assert [json.loads(line)["line"] for line in result.stdout.splitlines()] == [1, 8]
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == [
        f"line {number}" for number in range(2, 8)
    ]
    assert "not UTF-8 (byte 1)" in result.stderr


def test_a_text_may_start_with_a_brace() -> None:
    assert run("{bonjour\n").exit_code == 1
    assert run("{bonjour\n", "--plain").exit_code == 0


def test_no_text_is_no_error() -> None:
    assert (run("", "--json").exit_code, run("", "--json").stdout) == (0, "")


def test_control_characters_do_not_reach_the_terminal() -> None:
    shown = run("a\x1b]0;titre\x07\u202erouge\n").stdout
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)


def test_html_option_screens_visible_text() -> None:
    shown = run("<p>T'es un con<b>nard</b></p>\n", "--json", "--html").stdout
    assert json.loads(shown)["masked"] == "T'es un connard"


def test_rules_option_replaces_shipped_rules(tmp_path: Path) -> None:
    (tmp_path / "sales.toml").write_text(a_rule(), "utf-8")
    shown = run("je vends un vélo, connard\n", "--json", "--rules", str(tmp_path)).stdout
    assert json.loads(shown)["rules"] == [{"id": "no-sales", "version": 1}]


def test_invalid_rule_is_a_usage_error(tmp_path: Path) -> None:
    assert "no rule (*.toml)" in run("", "--rules", str(tmp_path)).stderr
    (tmp_path / "sales.toml").write_text(a_rule(when='"wrods > 1"'), "utf-8")
    result = run("bonjour\n", "--rules", str(tmp_path))
    assert result.exit_code == 2
    assert "sales.toml: rule no-sales: there is no fact named wrods" in result.stderr
    assert run("", "--rules", str(tmp_path / "absent")).exit_code == 2


def test_the_rule_in_the_help_is_a_rule(tmp_path: Path) -> None:
    shown = run("", "--help").stdout
    example = textwrap.dedent(shown[shown.index('    id = "no-homework') :])
    assert tomllib.loads(example)["version"] == 1
    (tmp_path / "homework.toml").write_text(example, "utf-8")
    assert run("Je vends devoir de maths\n", "--rules", str(tmp_path)).exit_code == 0
