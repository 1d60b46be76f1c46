from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services.community.imports.handlers.read_stackexchange import (
    MAX_TEXT_CHARACTERS,
    ConvertedRow,
    Dump,
    DumpError,
    RejectedRow,
)

DATED = 'CreationDate="2012-01-31T23:30:00.123"'


def _write_table(folder: Path, table: str, *rows: str) -> Dump:
    text = f"<?xml version='1.0' encoding='utf-8'?><{table}>{''.join(rows)}</{table}>"
    (folder / f"{table}.xml").write_text(text, encoding="utf-8")
    return Dump(folder)


def test_members_keep_accents_emoji_and_system_flag(tmp_path: Path) -> None:
    dump = _write_table(
        tmp_path,
        "Users",
        f'<row Id="-1" DisplayName="Community" {DATED}/>',
        f'<row Id="7" DisplayName="Zoé Ô&#x1F3B8; l&apos;Œuvre" {DATED}/>',
        f'<row Id="8" {DATED}/>',
    )
    payloads = [row.payload for row in dump.members() if isinstance(row, ConvertedRow)]
    names = [line["display_name"] for line in payloads]
    assert names == ["Community", "Zoé Ô🎸 l'Œuvre", "user8"]
    assert [line["system"] for line in payloads] == [True, False, False]
    assert payloads[0]["joined_at"] == "2012-01-31T23:30:00.123000+00:00"


def test_times_are_read_in_the_given_zone(tmp_path: Path) -> None:
    _write_table(tmp_path, "Users", f'<row Id="7" {DATED}/>')
    (converted,) = Dump(tmp_path, ZoneInfo("Indian/Reunion")).members()
    assert isinstance(converted, ConvertedRow)
    assert converted.payload["joined_at"] == "2012-01-31T19:30:00.123000+00:00"


@pytest.mark.parametrize(
    "attributes", [DATED, 'Id="7"', 'Id="7" CreationDate="hier"', f'Id="" {DATED}']
)
def test_row_without_id_or_date_is_rejected_and_others_follow(
    tmp_path: Path, attributes: str
) -> None:
    good = f'<row Id="9" PostTypeId="1" Body="" {DATED}/>'
    dump = _write_table(tmp_path, "Posts", f'<row PostTypeId="1" {attributes}/>', good)
    _write_table(tmp_path, "Users", f"<row {attributes}/>", f'<row Id="9" {DATED}/>')
    _write_table(tmp_path, "Comments", f'<row Text="é" {attributes}/>', f'<row Id="9" {DATED}/>')
    for rows in (dump.posts("1"), dump.members(), dump.comments()):
        rejected, converted = rows
        assert isinstance(rejected, RejectedRow)
        assert rejected.reason == "it has no Id or no valid CreationDate"
        assert isinstance(converted, ConvertedRow)


def test_posts_yield_questions_answers_and_acceptances(tmp_path: Path) -> None:
    dump = _write_table(
        tmp_path,
        "Posts",
        f'<row Id="2" PostTypeId="2" ParentId="1" Body="&lt;p&gt;Là&lt;/p&gt;" {DATED}/>',
        f'<row Id="1" PostTypeId="1" Title="Où ?" AcceptedAnswerId="2" OwnerUserId="7" {DATED}/>',
        f'<row Id="3" PostTypeId="5" {DATED}/>',
    )
    (question,) = dump.posts("1")
    (answer,) = dump.posts("2")
    (other,) = dump.unsupported_posts()
    assert isinstance(question, ConvertedRow)
    assert isinstance(answer, ConvertedRow)
    assert (question.payload["author"], question.payload["title"]) == ("7", "Où ?")
    assert (answer.payload["parent"], answer.payload["body"]) == ("post:1", "<p>Là</p>")
    assert "author" not in answer.payload, "the owner's account was deleted"
    assert other == RejectedRow("post 3", "posts of type 5 are not taken")
    assert [row.payload for row in dump.acceptances()] == [{"answer": "post:2", "at": None}]


def test_votes_give_the_day_of_acceptance(tmp_path: Path) -> None:
    _write_table(
        tmp_path,
        "Votes",
        '<row Id="1" PostId="2" VoteTypeId="1" CreationDate="2012-02-01T00:00:00"/>',
        '<row Id="2" PostId="2" VoteTypeId="2" CreationDate="2012-03-01T00:00:00"/>',
    )
    dump = Dump(tmp_path, UTC, {"1": "2"})
    (converted,) = dump.acceptances()
    assert converted.payload["at"] == "2012-02-01T00:00:00+00:00"


def test_plain_text_of_comment_is_escaped_to_html(tmp_path: Path) -> None:
    row = f'<row Id="5" PostId="2" Text="a &lt; b &amp; c 🎸" UserId="7" {DATED}/>'
    (converted,) = _write_table(tmp_path, "Comments", row).comments()
    assert isinstance(converted, ConvertedRow)
    assert converted.payload["body"] == "a &lt; b &amp; c 🎸"
    assert (converted.payload["parent"], converted.payload["author"]) == ("post:2", "7")


def test_missing_tables_have_no_rows(tmp_path: Path) -> None:
    dump = Dump(tmp_path, UTC, {"1": "2"})
    reads = (dump.members(), dump.posts("1"), dump.unsupported_posts(), dump.comments())
    assert [list(read) for read in reads] == [[], [], [], []]
    assert [row.payload["at"] for row in dump.acceptances()] == [None]


def test_text_above_limit_is_rejected(tmp_path: Path) -> None:
    body = "a" * (MAX_TEXT_CHARACTERS + 1)
    row = f'<row Id="1" PostTypeId="1" Body="{body}" {DATED}/>'
    (rejected,) = _write_table(tmp_path, "Posts", row).posts("1")
    assert isinstance(rejected, RejectedRow)
    assert str(MAX_TEXT_CHARACTERS) in rejected.reason


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "Users.xml"),
        (b"<users><row Id='1' CreationDate='2012-01-01'/><row Id='2'", "line 1"),
        (b"<users><row Id='1' CreationDate='2012-01-01'/>", "no element found"),
        (b"<users>\n<row Id='1' DisplayName='\xff\xfe'/></users>", "line 2"),
        (b"not xml", "syntax error"),
    ],
)
def test_broken_file_error_names_file_and_line(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    (tmp_path / "Users.xml").write_bytes(content)
    with pytest.raises(DumpError, match=r"Users\.xml") as caught:
        list(Dump(tmp_path).members())
    assert expected in str(caught.value)


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    bomb = b"<!DOCTYPE u [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><u><row Id='&b;'/></u>"
    (tmp_path / "Users.xml").write_bytes(bomb)
    with pytest.raises(DumpError, match=r"Users\.xml"):
        list(Dump(tmp_path).members())
