import pytest

from services.moderation.cases.domain import PastDecision, Restriction, resulting_restriction
from services.moderation.screening.domain import Consequence, consequence_of
from shared.contracts.moderation import Action, DecidedBy, Verdict
from tests.moderation.content_scenario import a_screening_result

KEEP = PastDecision(Action.KEEP, DecidedBy.MEMBER)
RULE_HIDES = PastDecision(Action.HIDE, DecidedBy.RULE)
PERSON_HIDES = PastDecision(Action.HIDE, DecidedBy.MEMBER)
PERSON_REMOVES = PastDecision(Action.REMOVE, DecidedBy.MEMBER)
REVERSED = PastDecision(Action.HIDE, DecidedBy.MEMBER, reversed=True)


@pytest.mark.parametrize(
    ("judgements", "restriction"),
    [
        ([], Restriction.NEVER),
        ([KEEP], Restriction.NEVER),
        ([RULE_HIDES], Restriction.RULE),
        ([PERSON_HIDES], Restriction.MEMBER),
        ([PERSON_REMOVES], Restriction.MEMBER),
        ([PERSON_HIDES, RULE_HIDES], Restriction.MEMBER),
        ([RULE_HIDES, PERSON_HIDES], Restriction.MEMBER),
        ([PERSON_HIDES, KEEP], Restriction.LIFTED),
        ([RULE_HIDES, KEEP, RULE_HIDES], Restriction.RULE),
        ([REVERSED], Restriction.LIFTED),
        ([RULE_HIDES, REVERSED], Restriction.LIFTED),
        ([REVERSED, PERSON_HIDES], Restriction.MEMBER),
    ],
)
def test_decisions_result_in_the_restriction_not_lifted(
    judgements: list[PastDecision], restriction: Restriction
) -> None:
    assert resulting_restriction(judgements) is restriction


@pytest.mark.parametrize("verdict", Verdict)
def test_only_a_person_lifts_what_a_person_decided(verdict: Verdict) -> None:
    assert consequence_of(a_screening_result(verdict), Restriction.MEMBER) is Consequence.WAIT


@pytest.mark.parametrize(
    ("verdict", "restriction", "consequence"),
    [
        (Verdict.PASS, Restriction.NEVER, Consequence.NOTHING),
        (Verdict.PASS, Restriction.RULE, Consequence.SHOW),
        (Verdict.PASS, Restriction.LIFTED, Consequence.SHOW),
        (Verdict.REVIEW, Restriction.NEVER, Consequence.REVIEW),
        (Verdict.REVIEW, Restriction.RULE, Consequence.HIDE),
        (Verdict.HIDE, Restriction.LIFTED, Consequence.HIDE),
    ],
)
def test_verdict_and_restriction_determine_the_consequence(
    verdict: Verdict, restriction: Restriction, consequence: Consequence
) -> None:
    assert consequence_of(a_screening_result(verdict), restriction) is consequence
