"""The oracle's numbers, compared with numbers counted by hand in tests/system/dump."""

import shutil
from pathlib import Path
from xml.etree.ElementTree import ParseError
from zoneinfo import ZoneInfo

import pytest

from tests.oracle.counting import Counted, count

DUMP = Path(__file__).parents[1] / "system" / "dump"


def test_rows_are_counted_by_kind_and_outcome() -> None:
    assert count(DUMP).rows == {
        # Question 2 stands twice, 13 has no text.
        "questions": Counted(read=6, placed=4, repeated=1, refused=1),
        # Answer 9 is to a question that is not there; 3 comes before its question.
        "answers": Counted(read=6, placed=5, refused=1),
        # 9 stands twice; 5 is under nothing, 6 under a tag wiki, 10 under the refused answer.
        "comments": Counted(read=12, placed=8, repeated=1, refused=3),
        "members": Counted(read=6, placed=5, repeated=1),
    }


def test_months_in_utc() -> None:
    assert count(DUMP).months == {
        "questions": {"2024-01": 1, "2024-02": 2, "2024-03": 1},
        "answers": {"2024-02": 3, "2024-03": 2},
        "comments": {"2024-01": 1, "2024-02": 4, "2024-03": 2, "2024-05": 1},
        "contributors": {"2024-01": 2, "2024-02": 3, "2024-03": 3, "2024-05": 1},
    }


def test_months_start_earlier_in_paris_than_in_utc() -> None:
    months = count(DUMP, ZoneInfo("Europe/Paris")).months
    assert months["questions"] == {"2024-02": 3, "2024-03": 1}
    assert months["comments"] == {"2024-02": 4, "2024-03": 2, "2024-04": 1, "2024-05": 1}
    assert months["contributors"] == {"2024-02": 3, "2024-03": 3, "2024-04": 1, "2024-05": 1}


def test_only_posts_file_is_required(tmp_path: Path) -> None:
    shutil.copy(DUMP / "Posts.xml", tmp_path)
    counted = count(tmp_path)
    assert (counted.rows["comments"], counted.rows["members"]) == (Counted(), Counted())
    assert counted.rows["answers"].placed == 5
    with pytest.raises(FileNotFoundError, match=r"no Posts\.xml"):
        count(tmp_path / "elsewhere")


def test_truncated_dump_is_refused(tmp_path: Path) -> None:
    text = (DUMP / "Posts.xml").read_bytes()
    (tmp_path / "Posts.xml").write_bytes(text[: len(text) // 2])
    with pytest.raises(ParseError):
        count(tmp_path)
