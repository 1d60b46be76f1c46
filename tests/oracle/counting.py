"""What a Stack Exchange dump holds, counted straight from its XML.

Shares no code with the services, on purpose: what both have wrong, no comparison finds.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from defusedxml.ElementTree import iterparse

SYSTEM = "-1"
KINDS = {"1": "questions", "2": "answers"}
"""Post types; all others (tag wikis and what moderators keep) are nobody's contribution."""
KPIS = ("questions", "answers", "comments", "contributors")


@dataclass(frozen=True)
class Counted:
    """Rows of one kind; `placed` are the rows that must be in the community, once each."""

    read: int = 0
    placed: int = 0
    repeated: int = 0
    refused: int = 0


@dataclass(frozen=True)
class Expected:
    """Rows by kind; then, by KPI, a figure for each month that has one (`2011-08`)."""

    rows: Mapping[str, Counted]
    months: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Written:
    """A post or comment, as far as it is counted."""

    id: str
    kind: str
    parent: str | None
    author: str | None
    month: str
    blank: bool


def count(folder: Path, zone: tzinfo = UTC) -> Expected:
    """Count a dump. Raises `FileNotFoundError` without posts, `ParseError` where it is cut off."""
    posts = list(_posts(folder, zone))
    questions = _place([post for post in posts if post.kind == "questions"], None)
    kinds = {"questions": questions}
    kinds["answers"] = _place(
        [post for post in posts if post.kind == "answers"],
        {content.id for content in questions.placed},
    )
    standing = {content.id for kind in kinds.values() for content in kind.placed}
    kinds["comments"] = _place(list(_comments(folder, zone)), standing)
    written = [content for kind in kinds.values() for content in kind.placed]
    rows = {name: kind.counted() for name, kind in kinds.items()}
    return Expected({**rows, "members": _members(folder)}, _months(written))


@dataclass(frozen=True)
class _Placing:
    read: int
    placed: list[Written]
    repeated: int

    def counted(self) -> Counted:
        refused = self.read - len(self.placed) - self.repeated
        return Counted(self.read, len(self.placed), self.repeated, refused)


def _place(rows: list[Written], parents: set[str] | None) -> _Placing:
    """Keep rows that have a text and, unless they are questions, an existing parent."""
    fit = [row for row in rows if not row.blank and (parents is None or row.parent in parents)]
    once = {row.id: row for row in reversed(fit)}
    return _Placing(len(rows), list(once.values()), len(fit) - len(once))


def _months(written: Iterable[Written]) -> Mapping[str, Mapping[str, int]]:
    figures: dict[str, dict[str, int]] = {kpi: defaultdict(int) for kpi in KPIS}
    people: dict[str, set[str]] = defaultdict(set)
    for content in written:
        figures[content.kind][content.month] += 1
        if content.author not in {None, SYSTEM}:
            people[content.month].add(str(content.author))
    figures["contributors"] = {month: len(who) for month, who in people.items()}
    return {kpi: dict(sorted(months.items())) for kpi, months in figures.items()}


def _members(folder: Path) -> Counted:
    named = [row["Id"] for row in _rows(folder / "Users.xml")]
    return Counted(len(named), len(set(named)), len(named) - len(set(named)))


def _posts(folder: Path, zone: tzinfo) -> Iterator[Written]:
    if not (folder / "Posts.xml").is_file():
        raise FileNotFoundError(f"{folder}: no Posts.xml, so this is no Stack Exchange dump")
    for row in _rows(folder / "Posts.xml"):
        kind = KINDS.get(row["PostTypeId"])
        if kind:
            parent, author = row.get("ParentId"), row.get("OwnerUserId")
            yield _written(row, kind, (parent, author), row.get("Body", ""), zone)


def _comments(folder: Path, zone: tzinfo) -> Iterator[Written]:
    for row in _rows(folder / "Comments.xml"):
        yield _written(
            row, "comments", (row["PostId"], row.get("UserId")), row.get("Text", ""), zone
        )


def _written(
    row: Mapping[str, str],
    kind: str,
    about: tuple[str | None, str | None],
    text: str,
    zone: tzinfo,
) -> Written:
    moment = datetime.fromisoformat(row["CreationDate"]).replace(tzinfo=UTC).astimezone(zone)
    return Written(row["Id"], kind, *about, f"{moment:%Y-%m}", not text.strip())


def _rows(file: Path) -> Iterator[Mapping[str, str]]:
    """Read a table row by row, none at all where it is not in the dump."""
    if not file.is_file():
        return
    root = None
    for event, element in iterparse(file, events=("start", "end")):
        root = element if root is None else root
        if event == "end" and element.tag == "row":
            yield dict(element.attrib)
            root.clear()
