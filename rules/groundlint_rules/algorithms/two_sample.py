"""A classifier two-sample test: two samples differ if a classifier tells apart rows that it has not seen.

Lopez-Paz and Oquab, "Revisiting Classifier Two-Sample Tests", ICLR 2017. The statistic is the area under the ROC curve
(AUROC), which does not depend on the sizes of the samples and measures the effect: 0.5 for equal samples, 1 for samples
that do not overlap. The classifier is a linear discriminant (Fisher 1936) with a shrunken covariance (Ledoit and Wolf
2004). Permuting which rows belong to which sample gives the p-value, with all steps of the test repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PERMUTATIONS = 999
"""Permutations: the p-value of samples that differ more than all of these is 0.001."""

_SHRINKAGE = 0.3
"""Share of the covariance that is replaced by a sphere."""

_LEAST_VARIANCE = 1e-9
"""Added to the variances, so that constant features do no harm."""


class Comparison(NamedTuple):
    """How well a classifier tells two samples apart.

    Attributes:
        auroc: That of the block of features which tells them apart best, 0 to 1.
        p_value: Share of the permutations, with the samples themselves as one of them, that reach this AUROC; None if
            it is below `min_auroc`.
        scores: Scores of the rows by classifiers that have not seen them, (rows,): high if like the second sample.
    """

    auroc: float
    p_value: float | None
    scores: Floats


def compare(
    blocks: Sequence[NDArray[np.floating]],
    is_second: NDArray[np.bool_],
    folds: NDArray[np.intp],
    seed: bytes,
    *,
    min_auroc: float,
) -> Comparison:
    """Compare two samples by each of several blocks of features, and return the block that tells them apart best.

    Args:
        blocks: Features of comparable scale, each (rows, features).
        is_second: Whether each row belongs to the second sample, (rows,).
        folds: Fold of each row, (rows,): it is scored by a classifier of the other folds.
        seed: Chooses the permutations.
        min_auroc: AUROC below which the p-value, which takes most of the time, does not matter.
    """
    wide = [np.asarray(block, np.float64) for block in blocks]
    scores = [_held_out(block, is_second[:, None].astype(np.float64), folds)[:, 0] for block in wide]
    # Rounded, because the last digits depend on how a machine adds up.
    areas = [round(auroc(of, is_second), 6) for of in scores]
    best = int(np.argmax(areas))
    if areas[best] < min_auroc:
        return Comparison(areas[best], None, scores[best])
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(blake2b(seed, digest_size=8).digest())))
    belongs = np.stack([generator.permutation(is_second) for _ in range(PERMUTATIONS)], axis=1)
    reached = np.zeros(PERMUTATIONS, np.bool_)
    for block in wide:
        permuted = _held_out(block, belongs.astype(np.float64), folds)
        found = [auroc(of, positive) for of, positive in zip(permuted.T, belongs.T, strict=True)]
        reached |= np.round(found, 6) >= areas[best]
    return Comparison(areas[best], float(1 + reached.sum()) / (1 + PERMUTATIONS), scores[best])


def auroc(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """Probability that a positive row has a higher score than another one; equal scores count half.

    Args:
        scores: Finite numbers, (rows,).
        positive: (rows,), some true and some false.
    """
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    count = int(positive.sum())
    above = ranks[positive].sum() - count * (count + 1) / 2
    return float(above / (count * (len(scores) - count)))


def _held_out(block: Floats, belongs: Floats, folds: NDArray[np.intp]) -> Floats:
    """Scores of each row for each column of `belongs` by discriminants of the other folds, (rows, columns)."""
    scores = np.zeros(belongs.shape)
    for fold in np.unique(folds):
        is_seen = folds != fold
        if not is_seen.any():
            continue
        seen, given = block[is_seen], belongs[is_seen]
        mean = seen.mean(axis=0)
        centered = seen - mean
        covariance = centered.T @ centered / len(seen)
        sphere = covariance.trace() / len(covariance) + _LEAST_VARIANCE
        shrunken = (1 - _SHRINKAGE) * covariance + _SHRINKAGE * sphere * np.eye(len(covariance))
        # The discriminant of two classes is a regression on which of them a row belongs to.
        weights = np.linalg.solve(shrunken, centered.T @ (given - given.mean(axis=0)) / len(seen))
        scores[~is_seen] = (block[~is_seen] - mean) @ weights
    return scores
