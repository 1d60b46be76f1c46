"""Read one content by the rules; the work of a screening process."""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from services.moderation.rules.handlers.open_engine import open_engine
from services.moderation.rules.handlers.screen_text import Engine
from services.moderation.screening.domain import Screened, fingerprint, plain
from shared.contracts.community import ContentText
from shared.contracts.moderation import RuleRef, Verdict

_VERDICTS = {"hide": Verdict.HIDE, "review": Verdict.REVIEW}
encode = msgspec.msgpack.Encoder().encode
decode_content = msgspec.msgpack.Decoder(ContentText).decode
decode_screened = msgspec.msgpack.Decoder(Screened).decode


def read_text(engine: Engine, content: ContentText) -> Screened:
    """Say what the rules make of a content; rules that failed leave it degraded."""
    text = plain(content)
    found = engine.screen(text, language_hint=content.language)
    verdict = found.verdict
    return Screened(
        verdict=_VERDICTS.get(verdict.verdict, Verdict.PASS),
        score=verdict.score,
        rules=tuple(RuleRef(id=rule.id, version=rule.version) for rule in verdict.rules),
        policies=tuple(verdict.policies),
        reasons=verdict.reasons,
        masked=found.masked,
        content_hash=fingerprint(text),
        degraded=bool(verdict.failed),
        help=verdict.help,
    )


def open_reading() -> Callable[[bytes], bytes]:
    """Open the engine, once in each process; give what reads an encoded `ContentText`."""
    engine = open_engine(today=lambda: datetime.now(UTC).date())

    def read(content: bytes) -> bytes:
        return encode(read_text(engine, decode_content(content)))

    return read
