"""Rules on how varied the images of a label are: the size and the position of objects, shortcuts, and likeness."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars import DataFrame

from groundlint.engine.evaluate import evaluate
from groundlint.engine.examples import Example, Row
from groundlint.engine.registry import Registry, load
from groundlint.testing import example_tables

REGISTRY = load(isolated=True)


def findings(rule: str, example: Example, registry: Registry = REGISTRY) -> DataFrame:
    """What a rule with its default options finds."""
    evaluation = evaluate(registry.graph.plan([registry.find(rule)()]), example_tables(registry, example))
    assert not evaluation.raised
    return evaluation.findings


def boxes(count: int, width: int, height: int, off: float, label: str = "cat", seed: int = 0) -> Iterator[Row]:
    """Boxes whose center is up to a share `off` of the image from its center."""
    draw = random.Random(seed)
    for line in range(count):
        x, y = (draw.uniform(-off, off) for _ in range(2))
        left, top = 320 - width / 2 + 640 * x, 240 - height / 2 + 480 * y
        yield {"line": line, "label": label, "left": left, "top": top, "width": width, "height": height}


def test_objects_in_the_center_are_found_whatever_their_size_with_room_to_be_elsewhere() -> None:
    for side in (20, 100, 300):
        assert findings("objects-always-centered", Example(boxes=list(boxes(40, side, side, off=0.03)))).height == 1


@given(seed=st.integers(0, 1000), side=st.integers(20, 280))
def test_objects_placed_at_random_are_not_always_centered(seed: int, side: int) -> None:
    off = (480 - side) / 2 / 640
    assert findings("objects-always-centered", Example(boxes=list(boxes(40, side, side, off, seed=seed)))).is_empty()


def test_only_the_label_that_is_always_in_the_center_is_named() -> None:
    both = [*boxes(40, 100, 100, off=0.03), *boxes(40, 100, 100, off=0.3, label="dog")]
    assert findings("objects-always-centered", Example(boxes=both))["label"].to_list() == ["cat"]


@pytest.mark.parametrize("rule", ["objects-small", "objects-always-centered"])
def test_test_data_and_unusable_boxes_do_not_count(rule: str) -> None:
    found = [{**box, "width": 20, "height": 20} for box in boxes(40, 20, 20, off=0)]
    assert findings(rule, Example(boxes=found)).height == 1
    for change in ({"split": "test", "manifest": "test.manifest"}, {"usable": False}):
        assert findings(rule, Example(boxes=[{**box, **change} for box in found])).is_empty()


def test_a_label_of_two_jobs_has_the_images_that_it_has() -> None:
    small = [{**box, "attribute": job} for box in boxes(9, 20, 20, off=0.3) for job in ("first", "second")]
    assert findings("objects-small", Example(boxes=small)).is_empty()


def test_smaller_objects_have_a_higher_score() -> None:
    large, small = (
        findings("objects-small", Example(boxes=list(boxes(10, side, side, off=0.3))))["score"].item()
        for side in (20, 10)
    )
    assert 0.5 < large < small < 1
