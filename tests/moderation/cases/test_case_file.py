from datetime import timedelta

from services.moderation.cases.domain import CaseEntry, CaseFile, CaseFlag, TextVersion
from shared.contracts.example_data import HAMID, NOON, ZOE
from tests.moderation.cases.test_domain import OTHER, a_case

LATER = NOON + timedelta(hours=1)
FIRST, SECOND = TextVersion(2, "Les mots signalés", NOON), TextVersion(3, "Plus gentils", LATER)
FLAGS = [
    CaseFlag(ZOE, 2, "insult", NOON),
    CaseFlag(OTHER, 2, "spam", NOON),
    CaseFlag(ZOE, 3, "other", LATER),
]


def test_case_file_has_flagged_and_current_text() -> None:
    case_file = CaseFile(a_case(), [FIRST, SECOND], FLAGS, [CaseEntry("edited", LATER, 3)])
    assert (case_file.version, case_file.text, case_file.edited_at) == (3, "Plus gentils", LATER)
    assert [(e.version, e.text, e.why) for e in case_file.evidence] == [
        (2, "Les mots signalés", ("flags",)),
        (3, "Plus gentils", ("edited", "flags")),
    ]


def test_people_are_numbered_by_their_first_flag() -> None:
    assert dict(CaseFile(a_case(), [], FLAGS, []).flagger_numbers) == {ZOE: 1, OTHER: 2}


def test_removed_text_is_evidence_only() -> None:
    case_file = CaseFile(a_case(), [FIRST], FLAGS[:1], [], removed_at=LATER)
    assert (case_file.text, case_file.evidence[0].text) == (None, "Les mots signalés")


def test_version_without_stored_text_is_still_listed() -> None:
    case_file = CaseFile(a_case(), [], FLAGS[:1], [CaseEntry("claimed", LATER)])
    assert [(e.version, e.text) for e in case_file.evidence] == [(2, None)]
    assert (case_file.version, case_file.edited_at) == (2, None)


def test_flags_and_entries_make_one_timeline() -> None:
    entries = [CaseEntry("rule", NOON - timedelta(hours=1), 2), CaseEntry("claimed", LATER)]
    timeline = CaseFile(a_case(), [], [CaseFlag(HAMID, 2, "insult", NOON)], entries).timeline
    assert [entry.what for entry in timeline] == ["rule", "flag", "claimed"]
