"""Links between documents lead to files that exist."""

import re
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT

DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("examples/**/*.md"),
        *ROOT.glob("tests/**/*.md"),
    ]
)
LINK = re.compile(r"\]\(([^)\s#]+)[^)\s]*\)")


def missing_targets(document: Path) -> list[str]:
    """Return the relative links of a document that lead to no file."""
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [target for target in LINK.findall(text) if "://" not in target]
    return [target for target in targets if not (document.parent / target).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_links_of_a_document_lead_to_files(document: Path) -> None:
    assert missing_targets(document) == []


def test_a_link_to_a_missing_file_is_found(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text("[there](page.md), [gone](gone.md#part), [web](https://a.example)")
    assert missing_targets(document) == ["gone.md"]


def test_every_document_is_on_the_map() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert {name for name in pages if f"({name})" not in index} == set()
