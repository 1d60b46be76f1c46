"""Reactions that screen published and edited contents; a verdict of a rule is a decision."""

from collections.abc import Sequence

from services.moderation.cases.domain import Subject
from services.moderation.screening.domain import ScreeningResult
from services.moderation.screening.handlers.apply_verdict import apply_verdict
from services.moderation.screening.handlers.screen_texts import screen_texts
from services.moderation.screening.ports import ScreeningDeps, ScreeningRecord
from shared.contracts.community import CommentEdited, CommentPublished, PostEdited, PostPublished
from shared.contracts.event import Origin
from shared.contracts.moderation import ContentScreened
from shared.kit.core.unit_of_work import Delivery, PreparedDelivery, Unit

WrittenContent = PostPublished | PostEdited | CommentPublished | CommentEdited


async def prepare_screenings(
    deps: ScreeningDeps, deliveries: Sequence[Delivery[WrittenContent]]
) -> Sequence[ScreeningResult]:
    """Screen every text before the transaction opens. Raises `SealedText`."""
    return await screen_texts(deps, deliveries)


async def screen_content(
    deps: ScreeningDeps,
    unit: Unit,
    prepared: Sequence[PreparedDelivery[WrittenContent, ScreeningResult]],
) -> None:
    """Publish the result for every text, and act on live ones only, never on imported history."""
    records = []
    for item in prepared:
        delivery, screened = item.delivery, item.value
        fact = delivery.fact
        subject = Subject.of(fact.ref, fact.space_id, fact.structure_id, fact.author)
        record = ScreeningRecord(
            delivery.tenant, subject, screened, screened.content_hash, delivery.time
        )
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
            caused_by=delivery,
        )
        if delivery.origin is Origin.LIVE:
            await apply_verdict(deps, unit, delivery, subject, screened)
    await deps.screenings.save(unit, records)
