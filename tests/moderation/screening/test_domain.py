import pytest

from services.moderation.cases.domain import DEADLINE_BY_SEVERITY
from services.moderation.screening.domain import (
    SEVERITY_OF_POLICY,
    ScreeningResult,
    hide_decision,
    rendered_text,
    text_hash,
)
from shared.contracts.community import ContentText
from shared.contracts.example_data import DECISION
from shared.contracts.moderation import Action, DecidedBy, RuleRef, Verdict


def a_screening(*policies: str, reasons: tuple[str, ...] = ()) -> ScreeningResult:
    rules = (RuleRef(id="insult-aimed", version=1),)
    return ScreeningResult(Verdict.HIDE, 0.9, rules, policies, reasons, "…", text_hash("…"))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (ContentText(body="Où ça ? 🎸"), "Où ça ? 🎸"),
        (ContentText(body="Là", title="Où ?"), "Où ?\n\nLà"),
        (ContentText(body="a < b", format="markdown"), "a < b"),
        (ContentText(body="", title="Où ?"), "Où ?\n\n"),
    ],
)
def test_a_text_is_read_with_its_title_first(content: ContentText, text: str) -> None:
    assert rendered_text(content) == text


def test_html_is_rendered_as_visible_text() -> None:
    text = rendered_text(ContentText(body="<p>L&#39;<b>&eacute;</b>t&eacute;</p>", format="html"))
    assert text.strip() == "L'été"


def test_text_hash_identifies_text_without_revealing_it() -> None:
    assert text_hash("é") == text_hash("é") != text_hash("e")
    assert len(text_hash("Zoé 🎸")) == 64


@pytest.mark.parametrize(
    ("policies", "severity"),
    [((), 1), (("spam",), 1), (("insult",), 2), (("spam", "threat", "insult"), 4)],
)
def test_the_gravest_policy_counts(policies: tuple[str, ...], severity: int) -> None:
    assert a_screening(*policies).severity == severity


def test_every_severity_has_a_deadline() -> None:
    assert set(SEVERITY_OF_POLICY.values()) <= set(DEADLINE_BY_SEVERITY)


def test_hide_decision_has_the_rules_first_reason() -> None:
    screened = a_screening("insult", "spam", reasons=("insult.direct", "spam.links"))
    decision = hide_decision(DECISION, screened)
    assert (decision.action, decision.decided_by) == (Action.HIDE, DecidedBy.RULE)
    assert (decision.policy, decision.reason) == ("insult", "insult.direct")
    assert (decision.rules, decision.case_id) == (screened.rules, None)
    assert hide_decision(DECISION, a_screening()).policy == "other"
