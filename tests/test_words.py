"""What a person reads follows the style guide, as far as a program can tell."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from groundlint.engine.base_tables import BASE
from groundlint.engine.registry import load
from groundlint.engine.rule import Rule
from groundlint.pages import page

ROOT = Path(__file__).parents[1]
REGISTRY = load(isolated=True)
RULES = [pytest.param(rule, id=f"{code} {rule.name}") for code, rule in sorted(REGISTRY.rules.items())]

BANNED = {
    r"\bmend(s|ed|ing)?\b": "fix",
    r"\bpictures?\b": "image",
    r"(?<!there )\bis no (?!longer\b|better\b)": "is not a",
    r"(?<!there )\bare no (?!longer\b)": "are not",
    r"\bwhereof\b|\bthereof\b|\btherein\b": "say it plainly",
    r"\btells? of\b": "report",
    r"\bstands? twice\b": "appears twice",
    r"\blies? below\b": "is below",
    r"\bspoil(s|t|ed)?\b": "harm",
    r"\banew\b": "again",
    r"\bgrey|colour|labell|neighbour|centre\b": "American spelling",
    r"\bin vain\b": "not found",
    r"\bso on \{?": "and",
    r"\bdear(er)?\b": "expensive",
    r"\bof whom\b|\bof which none\b": "say it plainly",
    r"\bround it\b": "around it",
}
"""Words that the style guide replaces, and what to write instead."""

NUMBERS = {
    r"(?<![\d.\w/])\.\d": "write 0.95, not .95",
    r"\d %": "write 95%, not 95 %",
    r"\b(?!0)\d{5,}(?! ?px)\b(?![-/.])": "write 12,345",
}
"""Forms of numbers that the style guide replaces."""


def faults(text: str) -> list[str]:
    """What in a text breaks the style guide; code between backticks and fences is not prose."""
    prose = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)
    prose = re.sub(r"https?://\S+|s3://\S+", "", prose)
    found = []
    for pattern, instead in (BANNED | NUMBERS).items():
        found += [f"{match[0]!r}: {instead}" for match in re.finditer(pattern, prose, re.IGNORECASE)]
    return found


@pytest.mark.parametrize("rule", RULES)
def test_messages_of_a_rule_are_plain_english(rule: type[Rule]) -> None:
    messages = list(rule.messages.values()) or [rule.message]
    for message in messages:
        assert faults(re.sub(r"\{[^}]*\}", "x", message)) == [], message
        assert not message.endswith(".")
        action = message.partition("; ")[0]
        assert len(re.sub(r"\{[^}]*\}", "xxxxx", action)) <= 130, message


@pytest.mark.parametrize("rule", RULES)
def test_the_page_of_a_rule_is_plain_english(rule: type[Rule]) -> None:
    text = page(REGISTRY, rule.code)
    assert faults(text) == []
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    known = [
        "Causes",
        "Why it matters",
        "How to fix it",
        "How reliable it is",
        "Measured",
        "Options",
        "Example",
        "Undocumented service behavior",
    ]
    assert set(headings) <= set(known)
    assert "annotated_types" not in text
    assert not re.search(r"\b(Ge|Gt|Le|Lt)\(", text)


def test_descriptions_of_tables_are_plain_english() -> None:
    for table in BASE.values():
        for name, column in table.columns.items():
            assert faults(column.description) == [], (table.name, name)
    for name, derived in REGISTRY.tables.items():
        assert faults(derived.function.__doc__ or "") == [], name
    for name, feature in REGISTRY.features.items():
        assert faults(feature.function.__doc__ or "") == [], name
    for kind, note in REGISTRY.notes.items():
        assert faults(re.sub(r"\{[^}]*\}", "x", note.message)) == [], kind


@pytest.mark.parametrize(
    "command",
    ["", "check", "export", "rule", "tables", "config", "baseline", "init", "clean", "test", "review", "apply"],
)
def test_help_is_plain_english(command: str) -> None:
    words = [sys.executable, "-m", "groundlint", *command.split(), "--help"]
    shown = subprocess.run(words, capture_output=True, encoding="utf-8", check=True).stdout
    assert faults(shown) == []


DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "benchmarks/README.md",
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")),
]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_are_plain_english(name: str) -> None:
    assert faults((ROOT / name).read_text(encoding="utf-8")) == []


def test_code_is_commented_in_plain_english() -> None:
    found = {}
    for source in (*ROOT.glob("linter/**/*.py"), *ROOT.glob("rules/**/*.py")):
        lines = source.read_text(encoding="utf-8").splitlines()
        words = [r"\bmend(s|ed|ing)?\b", r"\bpictures?\b", r"\banew\b", r"\bgrey\b", r"colour", r"labelled|labelling"]
        # A row of the service's documents is named as it is there.
        own = [line.strip() for line in lines if "CodeNote(" not in line]
        bad = [line for line in own if any(re.search(word, line, re.IGNORECASE) for word in words)]
        if bad:
            found[str(source.relative_to(ROOT))] = bad[:3]
    assert found == {}
