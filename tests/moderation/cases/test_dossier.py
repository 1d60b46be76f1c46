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


def test_the_flagged_words_stand_beside_the_present_ones() -> None:
    dossier = CaseFile(a_case(), [FIRST, SECOND], FLAGS, [CaseEntry("edited", LATER, 3)])
    assert (dossier.version, dossier.text, dossier.edited_at) == (3, "Plus gentils", LATER)
    assert [(e.version, e.text, e.why) for e in dossier.evidence] == [
        (2, "Les mots signalés", ("flags",)),
        (3, "Plus gentils", ("edited", "flags")),
    ]


def test_people_are_numbered_by_their_first_flag() -> None:
    assert dict(CaseFile(a_case(), [], FLAGS, []).flagger_numbers) == {ZOE: 1, OTHER: 2}


def test_a_text_that_its_author_removed_is_evidence_only() -> None:
    dossier = CaseFile(a_case(), [FIRST], FLAGS[:1], [], removed_at=LATER)
    assert (dossier.text, dossier.evidence[0].text) == (None, "Les mots signalés")


def test_a_version_whose_text_is_not_kept_is_named_all_the_same() -> None:
    dossier = CaseFile(a_case(), [], FLAGS[:1], [CaseEntry("claimed", LATER)])
    assert [(e.version, e.text) for e in dossier.evidence] == [(2, None)]
    assert (dossier.version, dossier.edited_at) == (2, None)


def test_flags_and_entries_make_one_timeline() -> None:
    entries = [CaseEntry("rule", NOON - timedelta(hours=1), 2), CaseEntry("claimed", LATER)]
    timeline = CaseFile(a_case(), [], [CaseFlag(HAMID, 2, "insult", NOON)], entries).timeline
    assert [entry.what for entry in timeline] == ["rule", "flag", "claimed"]
