"""A class of the frame is named by standard terms, or explained in docs/glossary.md."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.source_tree import ROOT, python_files

GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
LISTED = frozenset(re.findall(r"`(\w+)`", GLOSSARY))
ROWS = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", GLOSSARY, flags=re.MULTILINE)
STANDARD_TERMS = frozenset(
    """
    accepting access acl adaptive allowed alter api apply attempt audit audited backoff bad batch
    batched big body bound boundary bounds breaker broker buffered bus cause causes check checker
    chunk circuit claims client clock cluster command committer comparison complex concurrency
    config conflict conflicting connection consistency consumer controlled count counter counts
    cursor database dead decision decoded delivery denied detail difference driver ed25519 encoded
    ended entry envelope error event exemplar failed failure fallback fetch forbidden formatter
    given group guard head heads http idempotency idempotent ignored incoming index indexer insert
    int invalid job json jwks kafka key keys large lazy letter limit limited limiter limits line
    link list listen load log logger malformed memory messages method metric metrics missing model
    member monitor move notifier number observation offset open operation options order otel outbox
    outcome outgoing overloaded page parked parsed partition pattern pause pending plan platform
    policy pool position preau prefetch preparation prepared preparer problem program progress
    protocol proxies published publisher pusher query rate reaction read reader reason rebuild
    rebuilder rebuilt reconcile record recorded redeliver redis reference refused rejection
    renamable replay report request requests required resource responder response responses result
    resume resumed retrier retry rights role route routes runner running schema scram sender sent
    sequence series server servers service session setting settings shadow shedder signer size slow
    source span sql start state statement status still store stored subscriber subscription summary
    suspended suspension table task telemetry text threshold token topic transient transport trusted
    unauthorised unavailable unit units unreadable unrecorded unsafe users uvicorn values verdict
    verifier versions violation wait window windows worker write wrong
    a an as cannot found get many no not nothing to too up
    """.split()
)
"""Words of the field: of Python, Kafka, PostgreSQL, HTTP, telemetry, and grammar between them."""


def words_of(name: str) -> Iterator[str]:
    """Yield the words of a class name, in lower case."""
    for word in re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z][a-z0-9]*|[A-Z]+", name):
        yield word.lower()


def class_names() -> dict[str, str]:
    """Return the public classes of the frame, and the file of each."""
    return {
        node.name: file.relative_to(ROOT).as_posix()
        for file in python_files("shared/kit")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    }


def test_class_names_of_the_frame_are_standard_or_in_the_glossary() -> None:
    unknown = {
        name: file
        for name, file in class_names().items()
        if name not in LISTED and not STANDARD_TERMS.issuperset(words_of(name))
    }
    assert not unknown, "name it by the field's term, or explain it in docs/glossary.md"


def test_a_word_of_our_own_is_refused() -> None:
    assert not STANDARD_TERMS.issuperset(words_of("Gather"))
    assert list(words_of("JwksVerifier")) == ["jwks", "verifier"]


@pytest.mark.parametrize("row", ROWS[1:], ids=lambda row: row[0])
def test_glossary_rows_lead_to_code_that_is_there(row: tuple[str, ...]) -> None:
    term, _, _, where = row
    if where in {"where", "---"}:
        return
    (pattern,) = re.findall(r"`([\w/.*]+)`", where)
    files = list(ROOT.glob(pattern))
    assert files, f"{pattern} is gone"
    name = re.fullmatch(r"`(\w+)`", term)
    if name is None:
        return
    sources = [
        path.read_text(encoding="utf-8")
        for file in files
        for path in (file.rglob("*.py") if file.is_dir() else [file])
    ]
    assert any(name.group(1) in source for source in sources), f"{where} has no {term}"
