"""`/v1/imports`: import a chunk of content, with an outcome per line."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field
from pydantic.json_schema import SkipJsonSchema

from services.community.imports.domain import AcceptedAnswer, ImportRow, Outcome
from services.community.imports.handlers.import_contents import ImportContents, import_contents
from services.community.imports.policy import may_send_imports
from services.community.imports.ports import ImportsDeps
from shared.contracts.community import ContentKind
from shared.contracts.ids import SpaceId
from shared.kit.web.context import ActorDep, CallerDep
from shared.kit.web.cursors import ApiModel
from shared.kit.web.import_lines import UnreadableLine, merge_outcomes, validate_line_alone
from shared.kit.web.routes import Routes

MAX_CHUNK_LINES = 500
MAX_IMPORT_BYTES = 20_000_000


class ContentLine(ApiModel):
    """A content as the source system has it; `body` is HTML."""

    outside_id: str = Field(min_length=1, max_length=200, examples=["post:42"])
    kind: Literal["discussion", "question", "announcement", "answer", "comment"]
    body: str
    created_at: AwareDatetime
    parent: str | None = Field(default=None, max_length=200)
    author: str | None = Field(default=None, max_length=200)
    title: str | None = None


class AcceptedLine(ApiModel):
    """An answer that its asker accepted."""

    answer: str = Field(min_length=1, max_length=200)
    at: AwareDatetime | None = None


class ContentImport(ApiModel):
    """A chunk of at most 500 lines of one source."""

    space_id: SpaceId
    source: str = Field(min_length=1, max_length=200, examples=["stackexchange:entraide"])
    lines: list[
        Annotated[ContentLine | SkipJsonSchema[UnreadableLine], validate_line_alone(ContentLine)]
    ] = Field(default_factory=list, max_length=MAX_CHUNK_LINES)
    accepted: list[
        Annotated[AcceptedLine | SkipJsonSchema[UnreadableLine], validate_line_alone(AcceptedLine)]
    ] = Field(default_factory=list, max_length=MAX_CHUNK_LINES)


class LineVerdict(ApiModel):
    """The outcome of one line."""

    outcome: Literal["created", "unchanged", "repeated", "refused"]
    reason: str | None = None


class ImportVerdicts(ApiModel):
    """One verdict per line, in the order of the lines."""

    lines: list[LineVerdict]
    accepted: list[LineVerdict]


def _to_verdict(outcome: Outcome) -> LineVerdict:
    return LineVerdict.model_validate({"outcome": outcome[0], "reason": outcome[1]})


def routes(deps: ImportsDeps) -> Routes:
    """Build the routes of imports."""
    router = Routes("moving_in")

    @router.post(
        "/imports",
        action="content.import",
        max_body_bytes=MAX_IMPORT_BYTES,
        gate=may_send_imports,
        cost="import",
    )
    async def import_chunk(
        caller: CallerDep, actor: ActorDep, chunk: ContentImport
    ) -> ImportVerdicts:
        lines = [
            ImportRow(**{**line.model_dump(), "kind": ContentKind(line.kind)})
            for line in chunk.lines
            if isinstance(line, ContentLine)
        ]
        accepted = [
            AcceptedAnswer(line.answer, line.at)
            for line in chunk.accepted
            if isinstance(line, AcceptedLine)
        ]
        command = ImportContents(chunk.space_id, chunk.source, lines, accepted)
        outcomes = await import_contents(deps, caller, actor, command)
        return ImportVerdicts(
            lines=[_to_verdict(outcome) for outcome in merge_outcomes(chunk.lines, outcomes.rows)],
            accepted=[
                _to_verdict(outcome)
                for outcome in merge_outcomes(chunk.accepted, outcomes.accepted)
            ],
        )

    return router
