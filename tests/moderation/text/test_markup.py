"""Screening sees the visible text, with any markup around and within a word."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.moderation.text.domain import markup
from services.moderation.text.domain.analysis import TextAnalyser
from services.moderation.text.domain.markup import (
    append_reversed_lines,
    text_of_html,
    text_of_markdown,
)
from shared.kit.text.markup import render_html


@pytest.mark.parametrize(
    "body",
    [
        "con**n**ard", "c*on*nard", "c***on***nard", "**con**nard",
        "con&#110;ard", "con&#x6e;ard", "&#99;onnard", "con`n`ard", "`con`nard", "con[n](x)ard",
        "[con](https://e.fr)nard", "con![n](x)ard", "co\u00adnnard", "con&shy;nard", "con&zwj;nard",
        "con\u200b`n`\u200bard", "\u202edrannoc", "con[n][a]ard\n\n[a]: https://e.fr",
    ],
)  # fmt: skip
def test_markdown_within_a_word_changes_nothing_of_it(body: str, analyser: TextAnalyser) -> None:
    hits = analyser.analyse(text_of_markdown(f"Tu es un {body}")).hits
    assert [hit.form for hit in hits] == ["connard"]


@pytest.mark.parametrize(
    "body",
    [
        "con<b>n</b>ard", "con<wbr>nard", "con<!-- -->nard", "con<span hidden>n</span>ard",
        "con<script>x</script>nard", "con<style>x</style>nard", "con<a href=x>n</a>ard",
        "con<code>n</code>ard", "c<x-y>onnard", "&#x63;onnard", "con&shy;nard", "con<b></i>nard",
        "<bdo dir=rtl>\u202edrannoc</bdo>", "con<textarea>nard</textarea>", "con<![x>nard",
        "con<template>x</template>nard", "con<img src=x alt=n>ard",
    ],
)  # fmt: skip
def test_html_within_a_word_changes_nothing_of_it(body: str, analyser: TextAnalyser) -> None:
    hits = analyser.analyse(text_of_html(f"<p>Tu es un {body}</p>")).hits
    assert [hit.form for hit in hits] == ["connard"]


@pytest.mark.parametrize("spelling", ["\u202edrannoc", "con\u202edran", "c\u202enno\u202card"])
def test_reversed_letters_are_read_as_seen(spelling: str, analyser: TextAnalyser) -> None:
    for text in (
        append_reversed_lines(f"Tu es un {spelling}"),
        text_of_markdown(f"Tu es un\n*{spelling}*"),
    ):
        assert "connard" in [hit.form for hit in analyser.analyse(text).hits]


def test_stars_for_letters_are_read_though_markdown_takes_them(analyser: TextAnalyser) -> None:
    hits = analyser.analyse(text_of_markdown("Un c*nnard, une sal*pe")).hits
    assert [hit.form for hit in hits] == ["connard", "salope"]
    assert text_of_markdown("con**n**ard") == "connard"


def test_text_shown_as_typed_is_no_code(analyser: TextAnalyser) -> None:
    body = "- a\n" + "*a* " * 6_000 + "Tu es un connard"
    (hit,) = analyser.analyse(text_of_markdown(body)).hits
    assert not hit.mentioned
    (hit,) = analyser.analyse(text_of_html("<b>" * 200 + "Tu es un connard")).hits
    assert not hit.mentioned


def test_lines_of_one_paragraph_are_one_sentence(analyser: TextAnalyser) -> None:
    assert text_of_markdown("fils de\npute") == "fils de pute"
    assert analyser.analyse(text_of_markdown("fils de\npute")).hits[0].form == "fils de pute"


def test_titles_and_link_targets_follow_the_text() -> None:
    body = (
        'Vois [ceci](https://bit.ly/x "un titre") et ![un chat](https://e.fr/c.png), <https://e.fr>'
    )
    assert text_of_markdown(body) == (
        "Vois ceci et un chat, https://e.fr\nun titre\nhttps://bit.ly/x\nhttps://e.fr/c.png"
    )
    assert text_of_html("<abbr title='un titre'>t</abbr>") == "t\nun titre"


def test_targets_of_links_are_links(analyser: TextAnalyser) -> None:
    links = analyser.analyse(text_of_markdown("Voir [là](https://bit.ly/x)")).links
    assert [link.domain for link in links] == ["bit.ly"]


def test_markdown_reads_as_quotes_code_and_lines() -> None:
    body = "> cité\n> encore\n\n- un `mot`\n- deux\n\n```py\nx = 1\n```\n| a |"
    assert text_of_markdown(body) == ("> cité encore\nun `mot`\ndeux\n```\nx = 1\n```\n| a |")


def test_html_in_markdown_is_seen_as_typed() -> None:
    assert text_of_markdown("con<!-- -->nard") == "con<!-- -->nard"


@example("; \ufdd0 ;")
@given(st.text(alphabet="ab *_\n\\&<>\"'#\u202e\ufdd0;é", max_size=60))
def test_paragraphs_are_read_alike_with_and_without_a_tree(body: str) -> None:
    shown = render_html(body)
    if markup._PARAGRAPHS.fullmatch(shown):
        assert markup._text_of_paragraphs(shown) == markup._text(shown)
