"""What a verdict leads to: help for the author, a decision, a case, or a corrected text shown."""

from datetime import UTC

from services.moderation.cases.domain import (
    Cause,
    Entry,
    Restriction,
    Subject,
    correction_of,
)
from services.moderation.cases.handlers.record import carry_out, open_or_join
from services.moderation.screening.domain import (
    Consequence,
    Screened,
    consequence_of,
    decision_of,
)
from services.moderation.screening.ports import Offer, ScreeningDeps
from shared.contracts.event import Fact
from shared.contracts.ids import DecisionId
from shared.contracts.moderation import HelpOffered, Verdict
from shared.kit.core.unit_of_work import Delivery, Unit

SEVERITY_OF_CORRECTION = 2
"""Of a text that passes, by an author whose earlier text a person hid: a day to look at it."""


async def follow_verdict(
    deps: ScreeningDeps,
    unit: Unit,
    delivery: Delivery[Fact],
    subject: Subject,
    screened: Screened,
) -> None:
    """Act on the verdict on a live text; the same text again leads to the same."""
    await _offer_help(deps, unit, delivery, subject, screened)
    restriction = Restriction.NEVER
    if subject.version > 1:
        # The case's lock comes first, so that a decision on it and this edit wait for each other.
        case = await deps.cases.cases.open_on(unit, delivery.tenant, subject.content_id)
        restriction = await deps.cases.decisions.in_force(unit, delivery.tenant, subject.content_id)
        if case is not None:
            entry = Entry("edited", delivery.time, subject.version)
            await deps.cases.records.add_entry(unit, case, entry)
    consequence = consequence_of(screened, restriction)
    if consequence is Consequence.SHOW:
        decision = correction_of(DecisionId(deps.new_id()))
        await carry_out(deps.cases, unit, delivery, decision, subject)
    if consequence is Consequence.HIDE:
        decision = decision_of(DecisionId(deps.new_id()), screened)
        await carry_out(deps.cases, unit, delivery, decision, subject)
    if consequence in {Consequence.HIDE, Consequence.REVIEW, Consequence.WAIT}:
        cause = _cause(screened, consequence, delivery)
        await open_or_join(deps.cases, unit, delivery, subject, cause)


def _cause(screened: Screened, consequence: Consequence, delivery: Delivery[Fact]) -> Cause:
    if consequence is Consequence.WAIT and screened.verdict is Verdict.PASS:
        return Cause("corrected", SEVERITY_OF_CORRECTION, delivery.time)
    return Cause("unread" if screened.unread else "rule", screened.severity, delivery.time)


async def _offer_help(
    deps: ScreeningDeps,
    unit: Unit,
    delivery: Delivery[Fact],
    subject: Subject,
    screened: Screened,
) -> None:
    """Give the author the words of the first rule that offers help; once per content and day."""
    if not screened.help or subject.author is None:
        return
    reason = screened.help[0]
    offer = Offer(
        delivery.tenant,
        subject.content_id,
        subject.version,
        delivery.time.astimezone(UTC).date(),
        reason,
        subject.author.member_id,
    )
    if await deps.offers.add(unit, offer):
        fact = HelpOffered(
            ref=subject.ref,
            space_id=subject.space_id,
            structure_id=subject.structure_id,
            recipient=subject.author,
            reason=reason,
            words=deps.words[reason],
        )
        unit.record(fact, because=delivery)
