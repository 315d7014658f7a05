"""How much each object differs from its surroundings in the way typical of its label, and which differ less than usual.

1. The vector v of a crop is the activation of a small net in the middle of its box minus that in its surroundings. The
   mean m of its label's other crops is the direction in which objects of the label differ from their surroundings, and
   v'm / m'm, its foreground, says how far this one does. Five folds by image: no crop is compared with crops of its own
   image.
2. A crop that differs more in the direction of another label than in that of its own, and by more than the rest of its
   label does, is mislabeled rather than occluded.
3. Small and blurred crops show less of any object. A quadratic in the logarithms of size and sharpness is fitted by
   least absolute deviations, which the occluded crops hardly bend, and subtracted; what remains is expressed in robust
   standard deviations. The fit is by reweighted least squares (Schlossmacher, "An iterative technique for absolute
   deviations curve fitting", JASA 1973).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from groundlint_rules.algorithms.discriminant import FOLDS, fold_of
from groundlint_rules.algorithms.robust import sigma_of_residuals

Floats = NDArray[np.float64]

_TINY = np.finfo(np.float64).tiny
_ROUNDS = 50
_BLOCK = 8_192
"""Crops that are converted to double precision at once: 100 MB."""

_UNLIKE = 3
"""Robust standard deviations from which a crop is unlike the rest of its label."""


def foreground_of(vectors: NDArray[np.int8], images: Sequence[str]) -> Floats:
    """The foreground of crops: how far they differ from their surroundings in the direction of their label: step 1.

    Args:
        vectors: Middle minus surroundings, (crops, channels).
        images: The image of each crop.

    Returns:
        (crops,): 1 for as far as the mean of the crops of other images; NaN where there are none.
    """
    folds = np.array([fold_of(image.encode("utf-8", "surrogatepass")) for image in images], np.intp)
    foreground = np.full(len(vectors), np.nan)
    sums = np.zeros((FOLDS, vectors.shape[1]))
    members = [np.flatnonzero(folds == fold) for fold in range(FOLDS)]
    for fold, rows in enumerate(members):
        for start in range(0, len(rows), _BLOCK):
            sums[fold] += vectors[rows[start : start + _BLOCK]].sum(0, dtype=np.int64)
    for fold, rows in enumerate(members):
        others = len(vectors) - len(rows)
        if others:
            mean = (sums.sum(0) - sums[fold]) / others
            slope = mean / max(float(mean @ mean), _TINY)
            for start in range(0, len(rows), _BLOCK):
                some = rows[start : start + _BLOCK]
                foreground[some] = vectors[some].astype(np.float64) @ slope
    return foreground


def resembles_another(vectors: NDArray[np.int8], foreground: Floats, means: Sequence[Floats]) -> NDArray[np.bool_]:
    """Which crops differ from their surroundings more in the direction of another label than of their own: step 2.

    Args:
        vectors: Middle minus surroundings, (crops, channels).
        foreground: Their foreground, as from `foreground_of`.
        means: The mean vectors of the other labels.

    Returns:
        (crops,), true for crops that are probably mislabeled.
    """
    if not means:
        return np.zeros(len(vectors), np.bool_)
    slopes = np.stack([mean / max(float(mean @ mean), _TINY) for mean in means], 1)
    best = np.concatenate([(part @ slopes).max(1) for part in np.array_split(vectors, -(-len(vectors) // _BLOCK))])
    further: Floats = best - foreground
    return (further > 0) & (_deviations(further - np.median(further)) > _UNLIKE)


def excess(values: Floats, conditions: Floats) -> Floats:
    """How far values lie above what is usual under similar conditions: step 3.

    Args:
        values: (rows,).
        conditions: What explains them, (rows, conditions).

    Returns:
        (rows,), in robust standard deviations; about normally distributed where nothing is unusual.
    """
    centered = (conditions - conditions.mean(0)) / np.maximum(conditions.std(0), _TINY)
    count = conditions.shape[1]
    products = [centered[:, i] * centered[:, j] for i in range(count) for j in range(i, count)]
    terms = np.stack([np.ones(len(values)), *centered.T, *products], 1)
    least = max(1e-4 * float(values.std()), _TINY)
    weights = np.ones(len(values))
    for _ in range(_ROUNDS):
        weighted = terms * weights[:, None]
        slopes = np.linalg.lstsq(weighted.T @ terms, weighted.T @ values)[0]
        residuals: Floats = values - terms @ slopes
        weights = 1 / np.maximum(np.abs(residuals), least)
    return _deviations(residuals)


def _deviations(residuals: Floats) -> Floats:
    """Residuals in robust standard deviations."""
    return residuals / max(sigma_of_residuals(residuals), _TINY)
