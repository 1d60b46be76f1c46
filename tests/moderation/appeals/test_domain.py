from dataclasses import replace
from datetime import timedelta

import pytest

from services.moderation.appeals.domain import (
    APPEAL_PERIOD,
    MAX_EXCERPT_CHARACTERS,
    Appeal,
    AppealIsDecided,
    AppealTooLate,
    SomeoneElseDecides,
    check_appeal_period,
    excerpt_of,
)
from services.moderation.appeals.policy import may_decide_appeal, may_read_appeal
from services.moderation.cases.domain import Statement
from shared.contracts.example_data import (
    APPEAL,
    DECISION,
    HAMID,
    NOON,
    STATEMENT,
    TENANT,
    ZOE,
)
from shared.contracts.identity import Role
from shared.contracts.moderation import Action, DecidedBy, Outcome
from shared.kit.core.policy import Allowed, Denied
from tests.moderation.cases.test_domain import OTHER, SUBJECT
from tests.support.actors import ANCESTRY, an_actor

THEIRS = Appeal(TENANT, APPEAL, STATEMENT, DECISION, ZOE, SUBJECT, NOON, first_moderator=HAMID)
ISSUED = Statement(
    STATEMENT, DECISION, ZOE, Action.HIDE, "insult", "insult", DecidedBy.RULE, NOON, SUBJECT
)


def test_appeal_is_decided_by_another_moderator() -> None:
    for moderator in (HAMID, ZOE):
        with pytest.raises(SomeoneElseDecides):
            THEIRS.decide(Outcome.UPHELD, "Non.", moderator, NOON)
    decided, fact = THEIRS.decide(Outcome.OVERTURNED, "Oui.", OTHER, NOON)
    assert (decided.state, decided.decided_by, decided.answer) == ("decided", OTHER, "Oui.")
    assert (fact.outcome, fact.appellant.member_id) == (Outcome.OVERTURNED, ZOE)
    with pytest.raises(AppealIsDecided):
        decided.decide(Outcome.UPHELD, "Non.", OTHER, NOON)


def test_a_decision_is_contested_within_six_months() -> None:
    check_appeal_period(ISSUED, NOON + APPEAL_PERIOD)
    with pytest.raises(AppealTooLate):
        check_appeal_period(ISSUED, NOON + APPEAL_PERIOD + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("text", "excerpt"),
    [
        ("Court.", "Court."),
        ("é" * MAX_EXCERPT_CHARACTERS, "é" * MAX_EXCERPT_CHARACTERS),
        ("é" * 400, "é" * (MAX_EXCERPT_CHARACTERS - 1) + "…"),
        ("mot " * 100, " ".join(["mot"] * 74) + "…"),
    ],
)
def test_an_excerpt_ends_at_a_word(text: str, excerpt: str) -> None:
    assert excerpt_of(text) == excerpt


@pytest.mark.parametrize("role", Role)
def test_moderators_read_appeals_and_the_first_one_does_not_decide(role: Role) -> None:
    expected = role in {Role.MODERATOR, Role.ADMINISTRATOR}
    other = an_actor(role, member_id=OTHER)
    assert isinstance(may_read_appeal(other, THEIRS, ANCESTRY), Allowed) is expected
    assert isinstance(may_decide_appeal(other, THEIRS, ANCESTRY), Allowed) is expected
    first = an_actor(role, member_id=HAMID)
    assert may_decide_appeal(first, THEIRS, ANCESTRY) == Denied("appeal.someone_else")
    by_a_rule = replace(THEIRS, first_moderator=None)
    assert isinstance(may_decide_appeal(first, by_a_rule, ANCESTRY), Allowed) is expected
    assert may_read_appeal(an_actor(role, member_id=ZOE), THEIRS, ANCESTRY) == Denied(
        "appeal.not_own"
    )
