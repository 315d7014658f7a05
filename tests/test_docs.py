"""The documents: what is generated is fresh, and says what a reader needs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from groundlint.engine.registry import load

DOCS = Path(__file__).parents[1] / "docs"
sys.path.insert(0, str(DOCS))

from renew import generated  # noqa: E402 - the script lies beside the documents

REGISTRY = load(isolated=True)


@pytest.mark.parametrize(("name", "text"), generated().items(), ids=lambda part: part if len(part) < 40 else "")
def test_a_generated_document_is_fresh(name: str, text: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == text, "renew it with: make docs"


def test_no_page_is_left_of_a_rule_that_is_gone() -> None:
    assert {path.stem for path in (DOCS / "rules").glob("*.md")} == {*REGISTRY.rules, "index"}


@pytest.mark.parametrize("code", REGISTRY.rules)
def test_a_page_tells_why_and_how_to_mend(code: str) -> None:
    page = (DOCS / f"rules/{code}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {code} {REGISTRY.rules[code].name}\n")
    assert "## Why is this bad?" in page
    assert "## How to mend it" in page
    assert "Finds nothing:" in page
