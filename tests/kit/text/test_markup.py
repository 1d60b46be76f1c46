"""Untrusted texts, as HTML for a browser."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from shared.kit.text.html_balancing import (
    MAX_DEPTH,
    MAX_ELEMENTS,
    MAX_TEXT_NODE_CHARACTERS,
    balance_html,
)
from shared.kit.text.markup import render_html

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
    assert render_html(written) == shown


@pytest.mark.parametrize(
    "link", ["[x](javascript:x())", "![x](data:text/html,x)", "<javascript:x()>", "[x](VbScript:x)"]
)
def test_no_link_runs_code(link: str) -> None:
    assert not re.search(r'(href|src)="[^"]*(script|data):', render_html(link), re.IGNORECASE)


def test_html_from_elsewhere_is_cleaned() -> None:
    assert render_html("<p onclick=x()>é<script>x()</script></p>", "html") == "<p>é</p>"


_FETCHED = "https://tracker.example/p.png?u=1"
_LINK = f'<a href="{_FETCHED}" {_REL}>{_FETCHED}</a>'
_FORMS = (
    f"<img src={_FETCHED} alt=chat>",
    f"<IMG SRC=\"{_FETCHED}\" ALT='chat' loading=eager>",
    f"<img/src='{_FETCHED}'/alt=chat/>",
    f"<image src={_FETCHED} alt=chat>",
    f"chat <picture><source srcset={_FETCHED}><img srcset='{_FETCHED} 2x'></picture>",
    f"<video poster={_FETCHED} src={_FETCHED} autoplay>chat</video>",
    f"<audio src={_FETCHED} autoplay>chat</audio>",
    f"chat<iframe src={_FETCHED}>x</iframe>",
    f"<p style='background:url({_FETCHED})'>chat</p>",
    f"<table background={_FETCHED}><tr><td background={_FETCHED}>chat</table>",
    f"<body background={_FETCHED}>chat",
    f"chat<style>@import '{_FETCHED}';</style>",
    f"chat<link rel=stylesheet href={_FETCHED}>",
    f"<svg><image href={_FETCHED} /><use xlink:href={_FETCHED} /><text>chat</text></svg>",
    f"<object data={_FETCHED}>chat</object><embed src={_FETCHED}>",
    f"chat<input type=image src={_FETCHED}>",
    f"<math><mtext href={_FETCHED}>chat</mtext></math>",
    f"<p>chat<noscript><img src={_FETCHED}></noscript>",
    f"chat<base href={_FETCHED}><meta http-equiv=refresh content='0;url={_FETCHED}'>",
    f'<p title="<img src={_FETCHED}>">chat</p>',
    f"<a ping={_FETCHED} href=https://e.fr>chat</a>",
)


@pytest.mark.parametrize(
    "html", [*_FORMS, f"![chat]({_FETCHED})", f"![chat][a]\n\n[a]: {_FETCHED}"]
)
def test_no_form_of_html_fetches_anything(html: str) -> None:
    shown = render_html(html, "markdown" if html.startswith("!") else "html")
    page = LexborHTMLParser(shown)
    attributes = {
        name for node in page.css("body *") for name in node.attributes if node.tag != "a"
    }
    assert not page.css(
        "img, image, source, video, audio, iframe, object, embed, input, link, base"
    )
    assert attributes <= {"colspan", "rowspan"}
    assert {name for node in page.css("a") for name in node.attributes} <= {"href", "rel", "title"}
    assert "chat" in page.text()


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (f"![chat]({_FETCHED})", f'<p><a href="{_FETCHED}" {_REL}>chat</a></p>\n'),
        (f"![]({_FETCHED})", f'<p><a href="{_FETCHED}" {_REL}>{_FETCHED}</a></p>\n'),
        (
            f"[![chat]({_FETCHED})](https://e.fr)",
            f'<p><a href="https://e.fr" {_REL}>chat</a> ({_LINK})</p>\n',
        ),
    ],
)
def test_image_becomes_its_text_and_a_link(written: str, shown: str) -> None:
    assert render_html(written) == shown


_REFUSED = (
    "//tracker.example/a", "\\\\tracker.example/a", "/\\tracker.example", "ssh:a@b",
    "tel:+33612345678",
    "magnet:?xt=a", "ftp://e.fr", "javascript:x()", "JaVaScRiPt:x()", "java&#09;script:x()",
    "&#106;avascript:x()", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "blob:https://e.fr/a",
    "view-source:https://e.fr", "intent://e.fr", "sms:1", "callto:1", "https:e.fr", "https:/e.fr",
    "https:\\\\e.fr", "https:///e.fr", "http://\\e.fr", "h&#10;ttps://e.fr", "/v1/me", "?a=b", "#a",
    "mailto://e.fr/a", "x", "https:&#9;//e.fr", "http&colon;//&sol;e.fr",
)  # fmt: skip


@pytest.mark.parametrize("address", _REFUSED)
def test_other_link_schemes_are_removed(address: str) -> None:
    written = (
        f'<a href="{address}">x</a>',
        f"<a href='{address}'>x</a>",
        f'<a href=" {address} ">x</a>',
        f'<img src="{address}" alt=x>',
        f'<area href="{address}">x<map><area href="{address}">',
    )
    for html in written:
        assert "href" not in render_html(html, "html"), html
    for markdown in (f"[x](<{address}>)", f"[x][a]\n\n[a]: {address}", f"![x]({address})"):
        assert "href" not in render_html(markdown), markdown


@pytest.mark.parametrize("address", ["https://e.fr", "HTTP://e.fr/a?b=c#d", "mailto:anne@e.fr"])
def test_allowed_addresses_stay_links(address: str) -> None:
    assert f'href="{address}"' in render_html(f'<a href="{address}">x</a>', "html")
    assert f'href="{address}"' in render_html(f"[x]({address})")


def test_markdown_too_deep_is_shown_as_typed() -> None:
    deep = "> " * MAX_DEPTH
    assert render_html(deep + "é").count("<blockquote>") == MAX_DEPTH
    assert render_html(f"> {deep}é") == f"<pre>{'&gt; ' * (MAX_DEPTH + 1)}é</pre>"
    assert render_html("- *é*\n" * 200).count("<li>") == 200


@pytest.mark.parametrize("tag", ["b", "div", "blockquote", "ul><li", "b a=1", "table><tr><td"])
def test_html_too_deep_is_shown_as_typed(tag: str) -> None:
    assert "<pre>" not in render_html(f"<{tag}>" * (MAX_DEPTH // 3) + "é", "html")
    assert render_html(f"<{tag}>" * (MAX_DEPTH + 1) + "é", "html").startswith("<pre>&lt;")


def test_texts_of_too_many_elements_are_shown_as_typed() -> None:
    assert render_html("*a* " * MAX_ELEMENTS).startswith("<pre>*a*")
    assert render_html("<i>a</i>" * (MAX_ELEMENTS + 1), "html").startswith("<pre>&lt;i")
    assert render_html("<i>a</i>" * MAX_ELEMENTS, "html").endswith("<i>a</i>")


@given(st.lists(st.sampled_from(["a", "é« ", "&eacute;", "&#233;", "&", "&amp"])))
def test_long_text_keeps_every_reference(parts: list[str]) -> None:
    html = "".join(parts) * (3 * MAX_TEXT_NODE_CHARACTERS // max(len("".join(parts)), 1)) + "<i>"
    shown = LexborHTMLParser(render_html(html, "html")).text()
    assert shown == LexborHTMLParser(html).text()


@pytest.mark.parametrize(
    ("written", "rebuilt"),
    [
        ("<p>a<p>b", "<p>a</p><p>b</p>"),
        ("<ul><li>a<li>b<ul><li>c</ul></ul>", "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>"),
        ("<b><i>a</b>c</i>d", "<b><i>a</i></b>cd"),
        ("<i><p>a</i>b", "<i><p>ab</p></i>"),
        ("<a href=x>a<a href=y>b", '<a href="x">a</a><a href="y">b</a>'),
        ("</p>a</b>", "a"),
        ("a < b <c> &lt; <", "a &lt; b  &lt; &lt;"),
        ("a<!-- <b> -->b<!x>c<?y?>d</ z>e", "abcde"),
        ("<section>a</section><Script>b</SCRIPT >c<style>d", "<div>a</div>c"),
        ("<a title='\"><b>' href=\"it's\">a", '<a title="&quot;><b>" href="it\'s">a</a>'),
        ("<td colspan=2 x=y colspan=3>a</div>", '<td colspan="2">a</td>'),
        ("a<b", "a<b></b>"),
    ],
)
def test_balanced_html_has_closed_and_known_tags_only(written: str, rebuilt: str) -> None:
    assert balance_html(written) == rebuilt
