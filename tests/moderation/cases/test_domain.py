from dataclasses import replace
from datetime import timedelta

import pytest

from services.moderation.cases.domain import (
    CLAIM_DURATION,
    DEADLINE_BY_SEVERITY,
    SEVERITY_BY_FLAG_REASON,
    Case,
    CaseIsClaimed,
    CaseIsClosed,
    Decision,
    Subject,
    issue_statement,
)
from shared.contracts.community import ContentKind, ContentRef
from shared.contracts.example_data import (
    CASE,
    COLLEGE,
    COMMENT,
    DECISION,
    HAMID,
    NOON,
    PUPIL,
    QUESTION,
    SPACE,
    STATEMENT,
    TENANT,
    ZOE,
)
from shared.contracts.ids import MemberId
from shared.contracts.moderation import Action, DecidedBy

REF = ContentRef(
    kind=ContentKind.COMMENT, id=COMMENT, root_id=QUESTION, parent_id=QUESTION, version=2
)
SUBJECT = Subject.of(REF, SPACE, COLLEGE, PUPIL)
OTHER = MemberId(CASE)


def a_case(severity: int = 1, **changes: object) -> Case:
    case = Case(
        TENANT,
        CASE,
        SUBJECT,
        "flags",
        severity,
        NOON,
        NOON + DEADLINE_BY_SEVERITY[severity],
        flags=1,
    )
    return replace(case, **changes)  # type: ignore[arg-type]  # whichever fields a test names


def a_decision(action: Action) -> Decision:
    return Decision(DECISION, action, "insult", "insult.direct", DecidedBy.MEMBER, HAMID, CASE)


def test_subject_keeps_the_fields_of_the_event() -> None:
    assert (SUBJECT.ref, SUBJECT.author) == (REF, PUPIL)
    assert Subject.of(REF, SPACE, COLLEGE, None).author is None


@pytest.mark.parametrize(
    ("seconds", "by", "taken"),
    [
        (0, HAMID, False),
        (0, OTHER, True),
        (CLAIM_DURATION.total_seconds() - 1, OTHER, True),
        (CLAIM_DURATION.total_seconds(), OTHER, False),
    ],
)
def test_claim_on_a_case_lasts_five_minutes(seconds: float, by: MemberId, *, taken: bool) -> None:
    claimed, fact = a_case().claim(HAMID, NOON)
    assert (fact.moderator_id, claimed.claimed_until) == (HAMID, NOON + CLAIM_DURATION)
    later = NOON + timedelta(seconds=seconds)
    if taken:
        with pytest.raises(CaseIsClaimed):
            claimed.claim(by, later)
    else:
        assert claimed.claim(by, later)[0].claimed_by == by


def test_decided_case_cannot_be_claimed() -> None:
    with pytest.raises(CaseIsClosed):
        a_case(state="closed").claim(HAMID, NOON)


def test_only_a_more_severe_reason_advances_the_deadline() -> None:
    graver = a_case(2).add_reason("rule", 4, 0)
    assert (graver.severity, graver.due_at) == (4, NOON + DEADLINE_BY_SEVERITY[4])
    assert graver.because == "flags+rule"
    again = graver.add_reason("flags", 1, 2)
    assert (again.severity, again.due_at, again.flags) == (4, graver.due_at, 3)
    assert again.because == "flags+rule", "each reason once"


def test_every_flag_has_a_severity_and_every_severity_a_deadline() -> None:
    assert set(SEVERITY_BY_FLAG_REASON.values()) <= set(DEADLINE_BY_SEVERITY)
    waits = [DEADLINE_BY_SEVERITY[severity] for severity in sorted(DEADLINE_BY_SEVERITY)]
    assert waits == sorted(waits, reverse=True)


@pytest.mark.parametrize("action", [item for item in Action if item is not Action.KEEP])
def test_author_of_restricted_content_gets_a_statement(action: Action) -> None:
    owed = issue_statement(STATEMENT, a_decision(action), SUBJECT, NOON)
    assert owed is not None
    statement, fact = owed
    assert (statement.recipient, fact.recipient) == (ZOE, PUPIL)
    assert (fact.decision_id, fact.reason, fact.action) == (DECISION, "insult.direct", action)


def test_no_statement_for_keep_or_without_author() -> None:
    assert issue_statement(STATEMENT, a_decision(Action.KEEP), SUBJECT, NOON) is None
    nobodys = Subject.of(REF, SPACE, COLLEGE, None)
    assert issue_statement(STATEMENT, a_decision(Action.HIDE), nobodys, NOON) is None


def test_facts_of_a_case_name_the_content_and_its_version() -> None:
    case = a_case(3)
    assert (case.opened().ref, case.opened().severity) == (REF, 3)
    assert (case.closed("keep").ref, case.closed("keep").outcome) == (REF, "keep")
    decision_made = a_decision(Action.HIDE).made(SUBJECT)
    assert (decision_made.ref, decision_made.author, decision_made.moderator_id) == (
        REF,
        PUPIL,
        HAMID,
    )
