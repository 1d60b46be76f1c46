"""Screen a batch of texts with the activity around each of them."""

from collections.abc import Sequence
from dataclasses import replace

from services.moderation.screening.domain import ScreeningRequest, ScreeningResult, SealedText
from services.moderation.screening.handlers.activity import (
    count_activity,
    count_harsh_authors,
    target_of,
)
from services.moderation.screening.ports import ScreeningDeps
from shared.contracts.community import ContentText
from shared.contracts.community.contents import TextFact
from shared.contracts.event import Origin
from shared.kit.core.unit_of_work import Delivery


async def screen_texts(
    deps: ScreeningDeps, deliveries: Sequence[Delivery[TextFact]]
) -> Sequence[ScreeningResult]:
    """Return the result for each text, in this order. Raises `SealedText`.

    Without Redis the counts are of this process only, and live texts are `degraded`.
    """
    contents = [_text(delivery) for delivery in deliveries]
    activities, degraded = await count_activity(deps.windows, deliveries)
    texts = [ScreeningRequest(*pair) for pair in zip(contents, activities, strict=True)]
    screened = list(await deps.screener.screen(texts))
    degraded |= await _screen_harsh_again(deps, deliveries, texts, screened)
    if not degraded:
        return screened
    return [
        replace(result, degraded=True) if delivery.origin is Origin.LIVE else result
        for delivery, result in zip(deliveries, screened, strict=True)
    ]


async def _screen_harsh_again(
    deps: ScreeningDeps,
    deliveries: Sequence[Delivery[TextFact]],
    texts: Sequence[ScreeningRequest],
    screened: list[ScreeningResult],
) -> bool:
    """Screen harsh texts again if other people recently wrote such words to the same person.

    Replaces their results in `screened`; returns whether Redis was unavailable.
    """
    harsh = [
        number
        for number, (delivery, result) in enumerate(zip(deliveries, screened, strict=True))
        if result.is_harsh
        and delivery.origin is Origin.LIVE
        and target_of(delivery.fact) is not None
    ]
    earlier_counts = [texts[number].activity for number in harsh]
    counts, degraded = await count_harsh_authors(
        deps.windows, [deliveries[n] for n in harsh], earlier_counts
    )
    changed = [
        (n, count)
        for n, count, earlier in zip(harsh, counts, earlier_counts, strict=True)
        if count != earlier
    ]
    again = [ScreeningRequest(texts[number].content, count) for number, count in changed]
    results = await deps.screener.screen(again) if again else ()
    for (number, _), result in zip(changed, results, strict=True):
        screened[number] = result
    return degraded


def _text(delivery: Delivery[TextFact]) -> ContentText:
    content = delivery.fact.content.clear
    if content is None:
        raise SealedText(content_id=delivery.fact.ref.id)
    return content
