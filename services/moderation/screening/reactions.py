"""Screen what is published or edited; a rule's verdict is a decision."""

from collections.abc import Sequence

from services.moderation.cases.domain import Subject
from services.moderation.cases.handlers.record import carry_out, open_or_join
from services.moderation.screening.domain import Screened, decision_of
from services.moderation.screening.handlers.screen_texts import screen_texts
from services.moderation.screening.ports import Record, ScreeningDeps
from shared.contracts.community import CommentEdited, CommentPublished, PostEdited, PostPublished
from shared.contracts.event import Origin
from shared.contracts.ids import DecisionId
from shared.contracts.moderation import ContentScreened, Verdict
from shared.kit.unit import Delivery, Prepared, Unit

Written = PostPublished | PostEdited | CommentPublished | CommentEdited


async def read_texts(
    deps: ScreeningDeps, deliveries: Sequence[Delivery[Written]]
) -> Sequence[Screened]:
    """Screen every text, before the transaction opens. Raises `SealedText`."""
    return await screen_texts(deps, deliveries)


async def screen_content(
    deps: ScreeningDeps, unit: Unit, prepared: Sequence[Prepared[Written, Screened]]
) -> None:
    """Tell what was read in every text, and act on what is live. History is never acted on."""
    records = []
    for item in prepared:
        delivery, screened = item.delivery, item.value
        fact = delivery.fact
        subject = Subject.of(fact.ref, fact.space_id, fact.structure_id, fact.author)
        record = Record(delivery.tenant, subject, screened, screened.content_hash)
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
    cause = "unread" if screened.unread else "rule"
    await open_or_join(deps.cases, unit, delivery, subject, cause, screened.severity)
