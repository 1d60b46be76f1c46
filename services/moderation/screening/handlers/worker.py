"""The work of a screening process: screen one encoded content."""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from services.moderation.rules.domain.facts import Facts
from services.moderation.rules.handlers.engine import RuleEngine
from services.moderation.rules.handlers.open_engine import open_engine
from services.moderation.screening.domain import (
    ScreeningRequest,
    ScreeningResult,
    rendered_text,
    text_hash,
)
from shared.contracts.moderation import RuleRef, Verdict

_VERDICTS = {"hide": Verdict.HIDE, "review": Verdict.REVIEW}
encode = msgspec.msgpack.Encoder().encode
decode_text = msgspec.msgpack.Decoder(ScreeningRequest).decode
decode_screened = msgspec.msgpack.Decoder(ScreeningResult).decode


def screen_content_text(engine: RuleEngine, request: ScreeningRequest) -> ScreeningResult:
    """Screen a text; rules that failed make the result degraded."""
    content = request.content
    text = rendered_text(content)
    evaluation = engine.screen(text, language_hint=content.language, around=request.activity)
    verdict = evaluation.verdict
    return ScreeningResult(
        verdict=_VERDICTS.get(verdict.verdict, Verdict.PASS),
        score=verdict.score,
        rules=tuple(RuleRef(id=rule.id, version=rule.version) for rule in verdict.rules),
        policies=tuple(verdict.policies),
        reasons=verdict.reasons,
        masked=evaluation.masked,
        content_hash=text_hash(text),
        degraded=bool(verdict.failed),
        help=verdict.help,
        is_harsh=_is_harsh(evaluation.facts),
    )


def _is_harsh(facts: Facts) -> bool:
    used = facts.used
    return facts.attacks > 0 or max(used.threat, used.harassment, used.sexual) > 0


def open_screening_worker() -> Callable[[bytes], bytes]:
    """Open the engine, once in each process; return the function that screens encoded requests."""
    engine = open_engine(today=lambda: datetime.now(UTC).date())

    def screen(request: bytes) -> bytes:
        return encode(screen_content_text(engine, decode_text(request)))

    return screen
