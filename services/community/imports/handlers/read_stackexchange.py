"""Read a Stack Exchange dump: one XML file per table, one element per row, in constant memory."""

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

QUESTION_TYPE, ANSWER_TYPE = "1", "2"
ACCEPTED_VOTE = "1"
SYSTEM = "-1"
MAX_TEXT_CHARACTERS = 1_000_000
"""Longer texts are rejected here, before they are sent."""
KINDS = {QUESTION_TYPE: "question", ANSWER_TYPE: "answer"}
Row = Mapping[str, str]


class DumpError(Exception):
    """A file is missing, truncated or malformed."""


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that cannot be imported, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class ConvertedRow:
    """A row in the form of the import API."""

    name: str
    payload: dict[str, object]


@dataclass
class Dump:
    """A folder with `Users.xml`, `Posts.xml` and optionally `Comments.xml` and `Votes.xml`.

    Times in a dump have no zone; `zone` is the zone to read them in.
    """

    folder: Path
    zone: tzinfo = UTC
    accepted: dict[str, str] = field(default_factory=dict)
    """Question → its accepted answer, filled while the questions are read."""

    def rows(self, table: str) -> Iterator[Row]:
        """Read the rows of a table; a missing file has none. Raises `DumpError`."""
        path = self.folder / f"{table}.xml"
        if not path.exists():
            return
        try:
            with path.open("rb") as stream:
                events = iterparse(stream, events=("start", "end"))
                _, root = next(events)
                for event, element in events:
                    if event == "end" and element.tag == "row":
                        yield dict(element.attrib)
                        root.clear()
        except StopIteration as error:
            raise DumpError(f"{path.name}: the file is empty") from error
        except (ParseError, DefusedXmlException) as error:
            raise DumpError(f"{path.name}: {error}") from error

    def members(self) -> Iterator[ConvertedRow | RejectedRow]:
        """Read the accounts; account -1 is the system's."""
        for row in self.rows("Users"):
            number = row.get("Id", "")
            joined = self._time(row.get("CreationDate"))
            if not number or joined is None:
                yield RejectedRow(f"user {number or '?'}", "it has no Id or no valid CreationDate")
                continue
            payload = {
                "outside_id": number,
                "display_name": row.get("DisplayName") or f"user{number}",
                "joined_at": joined,
                "system": number == SYSTEM,
            }
            yield ConvertedRow(f"user {number}", payload)

    def posts(self, kind: str) -> Iterator[ConvertedRow | RejectedRow]:
        """Read the posts of one type; questions must be read first, to collect accepted answers."""
        for row in self.rows("Posts"):
            if row.get("PostTypeId") == kind:
                yield self._post(row, kind)

    def unsupported_posts(self) -> Iterator[RejectedRow]:
        """Reject posts that are neither question nor answer, such as tag wikis."""
        for row in self.rows("Posts"):
            kind = row.get("PostTypeId", "?")
            if kind not in KINDS:
                yield RejectedRow(
                    f"post {row.get('Id', '?')}", f"posts of type {kind} are not taken"
                )

    def comments(self) -> Iterator[ConvertedRow | RejectedRow]:
        """Read the comments; their plain text is escaped to HTML."""
        for row in self.rows("Comments"):
            number = row.get("Id", "")
            body = html.escape(row.get("Text", ""), quote=False)
            content = self._content(row, f"comment:{number}", "comment", body)
            if isinstance(content, ConvertedRow):
                content.payload["parent"] = f"post:{row.get('PostId', '')}"
                if row.get("UserId"):
                    content.payload["author"] = row["UserId"]
            yield content

    def acceptances(self) -> Iterator[ConvertedRow]:
        """Read the accepted answers; votes, if present, give the day of acceptance."""
        answers = set(self.accepted.values())
        days = {
            row["PostId"]: self._time(row.get("CreationDate"))
            for row in self.rows("Votes")
            if row.get("VoteTypeId") == ACCEPTED_VOTE and row.get("PostId") in answers
        }
        for question, answer in self.accepted.items():
            payload: dict[str, object] = {"answer": f"post:{answer}", "at": days.get(answer)}
            yield ConvertedRow(f"accepted answer of post {question}", payload)

    def _post(self, row: Row, kind: str) -> ConvertedRow | RejectedRow:
        number = row.get("Id", "")
        content = self._content(row, f"post:{number}", KINDS[kind], row.get("Body", ""))
        if isinstance(content, RejectedRow):
            return content
        if row.get("OwnerUserId"):
            content.payload["author"] = row["OwnerUserId"]
        if kind == QUESTION_TYPE:
            content.payload["title"] = row.get("Title") or None
            if row.get("AcceptedAnswerId"):
                self.accepted[number] = row["AcceptedAnswerId"]
        else:
            content.payload["parent"] = f"post:{row.get('ParentId', '')}"
        return content

    def _content(
        self, row: Row, outside_id: str, kind: str, body: str
    ) -> ConvertedRow | RejectedRow:
        name = outside_id.replace(":", " ")
        created = self._time(row.get("CreationDate"))
        if not row.get("Id") or created is None:
            return RejectedRow(name, "it has no Id or no valid CreationDate")
        if len(body) > MAX_TEXT_CHARACTERS:
            return RejectedRow(name, f"the text is longer than {MAX_TEXT_CHARACTERS} characters")
        payload: dict[str, object] = {
            "outside_id": outside_id,
            "kind": kind,
            "body": body,
            "created_at": created,
        }
        return ConvertedRow(name, payload)

    def _time(self, text: str | None) -> str | None:
        try:
            moment = datetime.fromisoformat(text or "")
        except ValueError:
            return None
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=self.zone)
        return zoned.astimezone(UTC).isoformat()
