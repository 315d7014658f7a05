"""The documents: what is generated is fresh, and says what a reader needs."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import create_model

from groundlint import Option, pages
from groundlint.engine.base_tables import BASE
from groundlint.engine.registry import load

DOCS = Path(__file__).parents[1] / "docs"
sys.path.insert(0, str(DOCS))

from renew import generated  # noqa: E402 - the script is beside the documents

REGISTRY = load(isolated=True)
SECTIONS = (
    "Why it matters",
    "Causes",
    "How to fix it",
    "How reliable it is",
    "Measured",
    "Options",
    "Example",
    "Undocumented service behavior",
)


@pytest.mark.parametrize(("name", "text"), generated().items(), ids=lambda part: part if len(part) < 40 else "")
def test_a_generated_document_is_fresh(name: str, text: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == text, "update it with: make docs"


def test_removed_rules_have_no_page() -> None:
    assert {path.stem for path in (DOCS / "rules").glob("*.md")} == {*REGISTRY.rules, "index"}


@pytest.mark.parametrize("code", REGISTRY.rules)
def test_a_page_has_its_sections_in_order(code: str) -> None:
    page = (DOCS / f"rules/{code}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {code} {REGISTRY.rules[code].name}\n")
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert {"Why it matters", "How to fix it"} <= set(headings)
    assert headings == [heading for heading in SECTIONS if heading in headings]


def test_a_page_says_what_a_rule_is() -> None:
    page = pages.page(REGISTRY, "BOX301")
    facts = "- Severity: warning\n- Status: stable\n- Cost: fast\n- Targets: rekognition, ground-truth\n"
    assert facts in page
    assert "| `iou` | `0.95` | `0.5 <= value <= 1` | " in page
    assert "- Service code: `ERROR_INVALID_BOUNDING_BOX`" in pages.page(REGISTRY, "BOX101")


@pytest.mark.parametrize(
    ("annotation", "limits", "constraint"),
    [
        (float, {"gt": 0, "le": 0.01}, "0 < value <= 0.01"),
        (int, {"ge": 1}, "value >= 1"),
        (int, {"lt": 5}, "value < 5"),
        (str, {"min_length": 1}, "length >= 1"),
        (Literal["a", "b"], {}, 'one of "a", "b"'),
        (bool, {}, ""),
    ],
)
def test_the_constraint_of_an_option_is_put_in_words(annotation: Any, limits: dict[str, Any], constraint: str) -> None:
    model = create_model("Options", option=(annotation, Option(None, description="x", **limits)))
    assert pages.constraint(model.model_fields["option"]) == constraint


@pytest.mark.parametrize("code", REGISTRY.rules)
def test_examples_on_a_page_are_lines_of_manifests(code: str) -> None:
    page = (DOCS / f"rules/{code}.md").read_text(encoding="utf-8")
    section = page.partition("\n## Example\n")[2].partition("\n## ")[0]
    causes = REGISTRY.rules[code].messages
    if len(causes) > 1:
        assert [line.removeprefix("### ") for line in section.splitlines() if line.startswith("### ")] == [*causes]
        assert section.count("Reported") == len(causes)
    else:
        assert section.count("Reported") <= 2
    for table in BASE:
        assert f'{{"{table}": ' not in section


def test_the_index_lists_every_rule_under_its_family() -> None:
    parts = re.split(r"^## (\w{3}): .+$", pages.index(REGISTRY), flags=re.MULTILINE)[1:]
    listed = {
        family: re.findall(r"^\| \[(\w+)\]", text, re.MULTILINE)
        for family, text in zip(*[iter(parts)] * 2, strict=True)
    }
    assert sorted(code for codes in listed.values() for code in codes) == sorted(REGISTRY.rules)
    assert all(code.startswith(family) for family, codes in listed.items() for code in codes)
