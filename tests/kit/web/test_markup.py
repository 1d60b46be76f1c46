"""Texts of strangers, as a browser gets them."""

import re
import time

import pytest

from shared.kit.web.markup import DEEPEST, html_of

_REL = 'rel="noopener noreferrer nofollow ugc"'


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("**Été** 👩🏽‍🏫 `x`", "<p><strong>Été</strong> 👩🏽‍🏫 <code>x</code></p>\n"),
        (
            "[là](https://exemple.fr/ç)",
            f'<p><a href="https://exemple.fr/%C3%A7" {_REL}>là</a></p>\n',
        ),
        ("a <b>b</b>", "<p>a &lt;b&gt;b&lt;/b&gt;</p>\n"),
        ("<script>x()</script>", "&lt;script&gt;x()&lt;/script&gt;\n"),
        ("<img src=x onerror=x()>", "&lt;img src=x onerror=x()&gt;\n"),
        ("<b onclick=x()>b</b>\\\né", "<p>&lt;b onclick=x()&gt;b&lt;/b&gt;<br />\né</p>\n"),
        ("```\n<script>\n```", "<pre><code>&lt;script&gt;\n</code></pre>\n"),
    ],
)
def test_markdown_is_rendered_and_html_in_it_is_text(written: str, shown: str) -> None:
    assert html_of(written) == shown


@pytest.mark.parametrize(
    "link", ["[x](javascript:x())", "![x](data:text/html,x)", "<javascript:x()>", "[x](VbScript:x)"]
)
def test_no_link_runs_code(link: str) -> None:
    assert not re.search(r'(href|src)="[^"]*(script|data):', html_of(link), re.IGNORECASE)


def test_html_from_elsewhere_is_cleaned() -> None:
    assert html_of("<p onclick=x()>é<script>x()</script></p>", "html") == "<p>é</p>"


@pytest.mark.parametrize("part", ["[", "[a](", ">", "- ", "*a **a ", "`e", "<", "![[]()", "**"])
def test_no_text_takes_long(part: str) -> None:
    began = time.process_time()
    assert html_of(part * (60_000 // len(part)) + "é")
    # Linear: milliseconds. What was quadratic took seven seconds.
    assert time.process_time() - began < 1


def test_what_is_too_deep_is_shown_as_it_was_typed() -> None:
    deep = "> " * DEEPEST
    assert html_of(deep + "é").count("<blockquote>") == DEEPEST
    assert html_of(f"> {deep}é") == f"<pre>{'&gt; ' * (DEEPEST + 1)}é</pre>"
    assert html_of("- *é*\n" * 200).count("<li>") == 200
