"""What a case is, what is decided, and the reasons that an author is owed. Pure."""

from services.moderation.cases.domain.case import (
    DEADLINES,
    LEASE,
    MODERATORS,
    SEVERITY_OF_FLAG,
    Case,
    CaseIsClosed,
    CaseIsTaken,
    CaseNotFound,
    Cause,
    ContentChanged,
    Entry,
    Flag,
    Urgency,
)
from services.moderation.cases.domain.decision import (
    Decision,
    Judgement,
    Restriction,
    Statement,
    correction_of,
    restriction_of,
    statement_of,
)
from services.moderation.cases.domain.dossier import Dossier, Evidence, TextVersion
from services.moderation.cases.domain.subject import Subject

__all__ = [
    "DEADLINES",
    "LEASE",
    "MODERATORS",
    "SEVERITY_OF_FLAG",
    "Case",
    "CaseIsClosed",
    "CaseIsTaken",
    "CaseNotFound",
    "Cause",
    "ContentChanged",
    "Decision",
    "Dossier",
    "Entry",
    "Evidence",
    "Flag",
    "Judgement",
    "Restriction",
    "Statement",
    "Subject",
    "TextVersion",
    "Urgency",
    "correction_of",
    "restriction_of",
    "statement_of",
]
