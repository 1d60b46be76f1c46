"""Facts that moderation publishes: verdicts, cases, decisions, statements, appeals; no texts."""

from shared.contracts.event import Fact
from shared.contracts.moderation.appeals import AppealDecided, AppealReceived, Outcome
from shared.contracts.moderation.base import Action, DecidedBy, RuleRef, Verdict
from shared.contracts.moderation.cases import CaseAssigned, CaseClosed, CaseOpened
from shared.contracts.moderation.decisions import DecisionMade, DecisionReversed, StatementIssued
from shared.contracts.moderation.screening import ContentScreened, HelpOffered, HelpWords

PUBLISHES: tuple[type[Fact], ...] = (
    ContentScreened,
    HelpOffered,
    CaseOpened,
    CaseAssigned,
    CaseClosed,
    DecisionMade,
    DecisionReversed,
    StatementIssued,
    AppealReceived,
    AppealDecided,
)

__all__ = [
    "PUBLISHES",
    "Action",
    "AppealDecided",
    "AppealReceived",
    "CaseAssigned",
    "CaseClosed",
    "CaseOpened",
    "ContentScreened",
    "DecidedBy",
    "DecisionMade",
    "DecisionReversed",
    "HelpOffered",
    "HelpWords",
    "Outcome",
    "RuleRef",
    "StatementIssued",
    "Verdict",
]
