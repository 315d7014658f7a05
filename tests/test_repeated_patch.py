"""A part of an image is found where it is repeated, and only where no box is."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from groundlint_rules.algorithms.repeated_patch import repetition

PART = (2, 3, 15, 14)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 51), st.integers(16, 53), st.integers(0, 2**32 - 1))
def test_a_copy_is_found_where_it_is(left: int, top: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (64, 64), np.uint8)
    image[top : top + 11, left : left + 13] = image[3:14, 2:15]
    found = repetition(image, PART, [PART])
    assert found is not None
    assert found.edges == (left, top, left + 13, top + 11)
    assert found.correlation > 0.999


def test_a_copy_with_a_box_does_not_count() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    image[40:51, 40:53] = image[3:14, 2:15]
    found = repetition(image, PART, [PART, (40, 40, 53, 51)])
    assert found is not None
    assert found.correlation < 0.7


def test_a_flat_part_is_not_looked_for() -> None:
    assert repetition(np.full((64, 64), 128, np.uint8), PART, [PART]) is None
