"""Greedy matching of predicted boxes with the boxes of a data set, as evaluations of object detectors do it.

Source: Everingham et al., "The Pascal Visual Object Classes (VOC) challenge", IJCV 2010: the most confident prediction
chooses first, and each box can be matched once; a second prediction on it is a false positive.
"""

from __future__ import annotations

from collections.abc import Iterable


def greedy_matches(pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Match predictions with boxes, each at most once.

    Args:
        pairs: Numbers of a prediction and of a box that it may match, the preferred ones first.

    Returns:
        The box of each matched prediction.
    """
    matches: dict[int, int] = {}
    taken: set[int] = set()
    for prediction, box in pairs:
        if prediction not in matches and box not in taken:
            matches[prediction] = box
            taken.add(box)
    return matches
