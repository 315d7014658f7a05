"""Label names: one fault is reported by one rule, and a label without a name is none."""

from __future__ import annotations

import pytest

from groundlint.engine.examples import Example
from groundlint.engine.registry import Registry, load
from groundlint.testing import judged


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load(isolated=True)


def reported(registry: Registry, *names: str | None) -> set[tuple[str, str]]:
    """Rules and labels of all findings on label names, of a data set with one image of each label."""
    data = Example(labels=[{"line": line, "label": name} for line, name in enumerate(names, 1)])
    found = set()
    for rule in ("similar-label-names", "hidden-characters-in-label"):
        evaluation = judged(registry, registry.find(rule), data)
        assert not evaluation.raised
        found |= set(evaluation.findings.select("name", "label").rows())
    return found


@pytest.mark.parametrize("name", ["cat\u200b", "cat ", " cat", "\ufeffcat\u200b "])
def test_a_hidden_character_is_reported_by_one_rule(registry: Registry, name: str) -> None:
    assert reported(registry, name, "dog") == {("hidden-characters-in-label", name)}
    assert {rule for rule, _ in reported(registry, name, "cat")} == {"similar-label-names"}


def test_two_labels_with_other_hidden_characters_are_one_fault(registry: Registry) -> None:
    assert {rule for rule, _ in reported(registry, "cat\u200b", "cat ")} == {"similar-label-names"}


def test_a_label_that_differs_by_more_than_hidden_characters_is_reported_by_both(registry: Registry) -> None:
    assert reported(registry, "cat", "cat", "Cat\u200b") == {
        ("similar-label-names", "Cat\u200b"),
        ("hidden-characters-in-label", "Cat\u200b"),
    }


def test_a_label_without_name_is_similar_to_none(registry: Registry) -> None:
    assert reported(registry, None, "cat", "cat", "Cat") == {("similar-label-names", "Cat")}
