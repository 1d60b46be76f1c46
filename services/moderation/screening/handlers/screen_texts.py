"""Screen a batch of texts, with what happened around each of them."""

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
    """Return what the rules make of each text, in this order. Raises `SealedText`.

    While Redis is away the counts are of this process only, and what is live is `degraded`.
    """
    contents = [_text(delivery) for delivery in deliveries]
    around, degraded = await count_activity(deps.windows, deliveries)
    texts = [ScreeningRequest(*pair) for pair in zip(contents, around, strict=True)]
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
    """Screen harsh words again where others wrote such words to the same person not long ago.

    Replaces their results in `screened`; tells whether Redis was away.
    """
    harsh = [
        number
        for number, (delivery, result) in enumerate(zip(deliveries, screened, strict=True))
        if result.is_harsh
        and delivery.origin is Origin.LIVE
        and target_of(delivery.fact) is not None
    ]
    before = [texts[number].activity for number in harsh]
    around, degraded = await count_harsh_authors(
        deps.windows, [deliveries[n] for n in harsh], before
    )
    changed = [(n, now) for n, now, then in zip(harsh, around, before, strict=True) if now != then]
    again = [ScreeningRequest(texts[number].content, now) for number, now in changed]
    results = await deps.screener.screen(again) if again else ()
    for (number, _), result in zip(changed, results, strict=True):
        screened[number] = result
    return degraded


def _text(delivery: Delivery[TextFact]) -> ContentText:
    content = delivery.fact.content.clear
    if content is None:
        raise SealedText(content_id=delivery.fact.ref.id)
    return content
