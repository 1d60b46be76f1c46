"""Consequences of a verdict: help for the author, a decision, a case, or a corrected text shown."""

from datetime import UTC

from services.moderation.cases.domain import (
    CaseEntry,
    CaseReason,
    Restriction,
    Subject,
    show_decision,
)
from services.moderation.cases.handlers.record import open_or_update_case, record_decision
from services.moderation.screening.domain import (
    Consequence,
    ScreeningResult,
    consequence_of,
    hide_decision,
)
from services.moderation.screening.ports import HelpOffer, ScreeningDeps
from shared.contracts.event import Fact
from shared.contracts.ids import DecisionId
from shared.contracts.moderation import HelpOffered, Verdict
from shared.kit.core.unit_of_work import Delivery, Unit

SEVERITY_OF_CORRECTION = 2
"""Severity of a text that passes after a person hid an earlier version: reviewed in a day."""


async def apply_verdict(
    deps: ScreeningDeps,
    unit: Unit,
    delivery: Delivery[Fact],
    subject: Subject,
    screened: ScreeningResult,
) -> None:
    """Act on the verdict on a live text; repeating it for the same text changes nothing."""
    await _offer_help(deps, unit, delivery, subject, screened)
    restriction = Restriction.NEVER
    if subject.version > 1:
        # The case is locked first, so that a decision on it and this edit wait for each other.
        case = await deps.cases.cases.find_open_and_lock(unit, delivery.tenant, subject.content_id)
        restriction = await deps.cases.decisions.lock_restriction(
            unit, delivery.tenant, subject.content_id
        )
        if case is not None:
            entry = CaseEntry("edited", delivery.time, subject.version)
            await deps.cases.histories.add_entry(unit, case, entry)
    consequence = consequence_of(screened, restriction)
    if consequence is Consequence.SHOW:
        decision = show_decision(DecisionId(deps.new_id()))
        await record_decision(deps.cases, unit, delivery, decision, subject)
    if consequence is Consequence.HIDE:
        decision = hide_decision(DecisionId(deps.new_id()), screened)
        await record_decision(deps.cases, unit, delivery, decision, subject)
    if consequence in {Consequence.HIDE, Consequence.REVIEW, Consequence.WAIT}:
        case_reason = _case_reason(screened, consequence, delivery)
        await open_or_update_case(deps.cases, unit, delivery, subject, case_reason)


def _case_reason(
    screened: ScreeningResult, consequence: Consequence, delivery: Delivery[Fact]
) -> CaseReason:
    if consequence is Consequence.WAIT and screened.verdict is Verdict.PASS:
        return CaseReason("corrected", SEVERITY_OF_CORRECTION, delivery.time)
    return CaseReason(
        "unread" if screened.is_unscreened else "rule", screened.severity, delivery.time
    )


async def _offer_help(
    deps: ScreeningDeps,
    unit: Unit,
    delivery: Delivery[Fact],
    subject: Subject,
    screened: ScreeningResult,
) -> None:
    """Offer the author the message of the first rule that offers help; once per content and day."""
    if not screened.help or subject.author is None:
        return
    reason = screened.help[0]
    offer = HelpOffer(
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
            words=deps.messages[reason],
        )
        unit.record(fact, caused_by=delivery)
