"""Causes are grouped by the kind of error, without the values in the message."""

import pytest

from shared.kit.inbox.error_patterns import MAX_PATTERN_CHARACTERS, format_counts, mask_literals

ID, OTHER = "0191a2b3-0000-7000-8000-00000000000a", "7f000001-1111-4222-8333-abcdefabcdef"
ALIKE = {
    "KeyError: '…'": ("KeyError: 'title'", "KeyError: 'Été à Sète 🏖'"),
    'KeyError: "…"': ('KeyError: "l’été"', 'KeyError: "it\'s"'),
    "PostNotFound: post_not_found post_id=… offset=…": (
        f"PostNotFound: post_not_found post_id={ID} offset=12",
        f"PostNotFound: post_not_found post_id={OTHER} offset=9000000",
    ),
    "ValueError: … is not after …": (
        "ValueError: 2026-11-25T12:00:00.5+01:00 is not after 2026-01-01 00:00:00Z",
        "ValueError: 3,5 is not after -12.75",
    ),
    "TypeError: […] of … at … can't be": (
        "TypeError: [1, 2, 3] of zoe@demo.example at 0x7f00beef can't be",
        "TypeError: [4] of hamid@école.example at 0x1 can't be",
    ),
    "RuntimeError: first line": ("RuntimeError: first line\nDETAIL: 1", "RuntimeError: first line"),
}
DIFFERENT = (
    'IntegrityError: duplicate key value violates unique constraint "pk_members"',
    'IntegrityError: duplicate key value violates unique constraint "pk_posts"',
    "IntegrityError: <class 'asyncpg.exceptions.UniqueViolationError'>: duplicate key",
    "ValidationError: Expected `str`, got `int` - at `$.data.reason`",
    "NoDecoder: community.post.published.v1",
    "NoDecoder: community.post.published.v2",
)


@pytest.mark.parametrize("pattern", ALIKE)
def test_ids_numbers_and_quoted_values_are_masked(pattern: str) -> None:
    assert {mask_literals(cause) for cause in ALIKE[pattern]} == {pattern}


def test_names_of_the_program_are_not_masked() -> None:
    assert [mask_literals(cause) for cause in DIFFERENT] == list(DIFFERENT)


def test_pattern_is_truncated_and_masking_is_idempotent() -> None:
    assert len(mask_literals("x" * 100_000)) == MAX_PATTERN_CHARACTERS
    for pattern in ALIKE:
        assert mask_literals(pattern) == pattern


def test_causes_are_formatted_by_count() -> None:
    counted = {"A: b": 2, "C: d": 30, "E: f": 1, "G: h": 1, "I: j": 1}
    assert format_counts(counted) == "30 × C: d; 2 × A: b; 1 × E: f; 2 of other causes"
