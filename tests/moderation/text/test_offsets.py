"""Spans lead back to the original for any text."""

# ruff: noqa: RUF001  letters that are taken for others are the subject

from functools import cache
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from services.moderation.text.domain.analysis import TextAnalyser
from services.moderation.text.domain.folding import fold_text
from services.moderation.text.domain.masking import MASK, mask_text
from services.moderation.text.domain.normalisation import SENTENCE_BREAK, Normaliser
from services.moderation.text.domain.vocabulary import Vocabulary
from services.moderation.text.handlers.open_analyser import load_folding_table, open_analyser

SIGNS = st.sampled_from(
    ["é", "e\u0301", "œ", "½", "ﬁ", "\u200b", "а", "🅒", "𝓬", "ß", "@", "$", "!", "*", ".", " ",
     "c o n n a r d", "c0nnard", "conn\u200bard", "06 12 34 56 78", "sale pédé", "a@b.fr", "«", "»"]
)  # fmt: skip
# One-letter clitics are expanded.
CLITICS = ("je", "te", "me", "se", "le", "de", "ne", "ce", "que", "tu", "es", "vais", "suis", "toi")
TEXTS = st.lists(st.one_of(SIGNS, st.text(max_size=4)), max_size=20).map("".join)


@cache
def shared_analyser() -> TextAnalyser:
    return open_analyser()


@cache
def shared_normaliser() -> Normaliser:
    return Normaliser(load_folding_table(), Vocabulary(["connard", "salope"]))


@settings(deadline=None)  # the first example waits for the reader
@given(TEXTS)
def test_words_are_in_order_within_the_text_and_never_empty(text: str) -> None:
    at = 0
    for word in shared_normaliser().normalise(text).words:
        assert word.text
        assert at <= word.span.start < word.span.end <= len(text)
        # A ligature or a fraction is one character of two words: there they may share it.
        at = word.span.end - 1


@settings(deadline=None)  # the first example waits for the reader
@given(TEXTS)
def test_a_plain_word_is_its_own_folding(text: str) -> None:
    normaliser = shared_normaliser()
    for word in normaliser.normalise(text).words:
        spelt = fold_text(word.span.of(text), normaliser.folding).text
        if (
            word.text not in (SENTENCE_BREAK, *CLITICS)
            and spelt.isalpha()
            and not any(a == b for a, b in pairwise(spelt))
        ):
            assert word.text in spelt


@settings(deadline=None)  # the first example waits for the reader
@given(TEXTS)
def test_any_part_of_the_normalised_text_has_its_place(text: str) -> None:
    normalised = shared_normaliser().normalise(text)
    at = 1
    for word in normalised.words:
        assert normalised.text[at : at + len(word.text)] == word.text
        assert normalised.original_span(at, at + len(word.text)) == word.span
        assert normalised.original_span(at, at + 1) == word.span
        at += len(word.text) + 1
    assert normalised.original_span(0, 1) is None
    if normalised.words:
        whole_span = normalised.original_span(0, len(normalised.text))
        assert whole_span is not None
        assert whole_span.start == normalised.words[0].span.start


@settings(deadline=None)  # the first example waits for the reader
@given(TEXTS)
def test_masking_keeps_the_length_and_every_other_character(text: str) -> None:
    reading = shared_analyser().analyse(text)
    shown = mask_text(reading)
    assert len(shown) == len(text) == len(reading.text)
    assert all(a in (b, MASK) for a, b in zip(shown, reading.text, strict=True))


@given(st.lists(st.text(alphabet="abdfé", min_size=2, max_size=9)).map(" ".join))
def test_disguises_do_not_move_neighbouring_spans(around: str) -> None:
    text = f"{around} s.a.l.o.p.e\u200b c0n\u200bnard {around}"
    spans = [hit.span.of(text) for hit in shared_analyser().analyse(text).hits]
    assert "c0n\u200bnard" in spans
    assert any(span.startswith("s.a.l.o.p.e") for span in spans)
