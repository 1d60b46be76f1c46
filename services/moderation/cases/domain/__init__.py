"""Cases, decisions and statements of reasons. Pure."""

from services.moderation.cases.domain.case import (
    CLAIM_DURATION,
    DEADLINE_BY_SEVERITY,
    MODERATORS,
    SEVERITY_BY_FLAG_REASON,
    Case,
    CaseEntry,
    CaseFlag,
    CaseIsClaimed,
    CaseIsClosed,
    CaseNotFound,
    CaseQueueKey,
    CaseReason,
    ContentChanged,
)
from services.moderation.cases.domain.case_file import CaseFile, Evidence, TextVersion
from services.moderation.cases.domain.decision import (
    Decision,
    PastDecision,
    Restriction,
    Statement,
    issue_statement,
    resulting_restriction,
    show_decision,
)
from services.moderation.cases.domain.subject import Subject

__all__ = [
    "CLAIM_DURATION",
    "DEADLINE_BY_SEVERITY",
    "MODERATORS",
    "SEVERITY_BY_FLAG_REASON",
    "Case",
    "CaseEntry",
    "CaseFile",
    "CaseFlag",
    "CaseIsClaimed",
    "CaseIsClosed",
    "CaseNotFound",
    "CaseQueueKey",
    "CaseReason",
    "ContentChanged",
    "Decision",
    "Evidence",
    "PastDecision",
    "Restriction",
    "Statement",
    "Subject",
    "TextVersion",
    "issue_statement",
    "resulting_restriction",
    "show_decision",
]
