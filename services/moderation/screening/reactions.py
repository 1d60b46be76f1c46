"""Screen what is published or edited; a rule's verdict is a decision."""

from collections.abc import Sequence

from services.moderation.cases.domain import Subject
from services.moderation.cases.handlers.record import carry_out, open_or_join
from services.moderation.screening.domain import (
    Screened,
    SealedText,
    decision_of,
    fingerprint,
    plain,
)
from services.moderation.screening.ports import Record, ScreeningDeps
from shared.contracts.community import CommentEdited, CommentPublished, PostEdited, PostPublished
from shared.contracts.event import Origin
from shared.contracts.ids import DecisionId
from shared.contracts.moderation import ContentScreened, Verdict
from shared.kit.unit import Delivery, Unit

Written = PostPublished | PostEdited | CommentPublished | CommentEdited


async def screen_content(
    deps: ScreeningDeps, unit: Unit, deliveries: Sequence[Delivery[Written]]
) -> None:
    """Read every text by the rules, and act on what is live. History is read, never acted on."""
    records = []
    for delivery in deliveries:
        fact = delivery.fact
        if fact.content.clear is None:
            raise SealedText(content_id=fact.ref.id)
        text = plain(fact.content.clear)
        screened = deps.screener.screen(text, fact.content.clear.language)
        subject = Subject.of(fact.ref, fact.space_id, fact.structure_id, fact.author)
        record = Record(delivery.tenant, subject, screened, fingerprint(text))
        records.append(record)
        unit.record(
            ContentScreened(
                ref=fact.ref,
                space_id=fact.space_id,
                structure_id=fact.structure_id,
                content_hash=record.content_hash,
                verdict=screened.verdict,
                score=screened.score,
                rules=screened.rules,
                author=fact.author,
                degraded=screened.degraded,
            ),
            because=delivery,
        )
        if delivery.origin is Origin.LIVE:
            await _act(deps, unit, delivery, subject, screened)
    await deps.screenings.keep(unit, records)


async def _act(
    deps: ScreeningDeps,
    unit: Unit,
    delivery: Delivery[Written],
    subject: Subject,
    screened: Screened,
) -> None:
    if screened.verdict is Verdict.PASS:
        return
    if screened.verdict is Verdict.HIDE:
        decision = decision_of(DecisionId(deps.new_id()), screened)
        await carry_out(deps.cases, unit, delivery, decision, subject)
    await open_or_join(deps.cases, unit, delivery, subject, "rule", screened.severity)
