"""Every installed rule keeps what its examples promise, and the house's conventions."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from groundlint.engine import examples
from groundlint.engine.registry import load

REGISTRY = load(isolated=True)
ENGINE = Path(__file__).parents[1] / "linter"
FAMILIES = {
    "manifests": "MAN",
    "references": "REF",
    "labels": "LBL",
    "boxes": "BOX",
    "images": "IMG",
    "splits": "SPL",
    "balance": "BAL",
    "suspects": "SUS",
    "configuration": "CFG",
    "duplicates": "DUP",
    "visibility": "VIS",
    "clutter": "CLU",
}


@pytest.mark.parametrize("code", REGISTRY.rules)
def test_the_examples_of_a_rule_hold(code: str) -> None:
    assert examples.faults(REGISTRY, REGISTRY.rules[code]) == []


@pytest.mark.parametrize("code", REGISTRY.rules)
def test_a_code_tells_its_family(code: str) -> None:
    module = REGISTRY.rules[code].__module__.split(".")[1]
    assert code.startswith(FAMILIES[module])


def test_the_engine_never_imports_the_rules() -> None:
    imported = set()
    for path in ENGINE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module or "")
    assert not {name for name in imported if name.startswith("groundlint_rules")}
