"""How far each crop stands out from its surroundings in the way of its label, and which do so less than is usual.

1. A crop's picture v is what a small net sees in the middle of its box less what it sees round it. The mean m of its
   label's other crops is the way in which the label's objects stand out; v'm / m'm says how far this one does. Five
   folds by image: no crop is compared with those of its own image.
2. A crop that stands out in the way of another label, further than in its own and unlike the rest of its label, is
   rather mislabelled than hidden.
3. Small and blurred crops show less of anything. A quadratic in the logarithms of size and sharpness is fitted by
   least absolute deviations, which the hidden ones hardly bend (reweighted least squares: Schlossmacher, "An iterative
   technique for absolute deviations curve fitting", JASA 1973), and taken out; what remains is counted in robust
   deviations, 1.4826 times the median of the absolute ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from groundlint_rules.algorithms.discriminant import FOLDS, fold_of

Floats = NDArray[np.float64]

_TINY = np.finfo(np.float64).tiny
_ROUNDS = 50
_BLOCK = 8_192
"""Crops that are made double precision at once: 100 MB."""

_ODD = 3
"""Robust deviations from which a crop is unlike the rest of its label."""


def standing_out(pictures: NDArray[np.int8], images: Sequence[str]) -> Floats:
    """How far crops stand out in the way of the others: step 1.

    Args:
        pictures: middle less surroundings, (crops, channels).
        images: the image of each crop.

    Returns:
        (crops,): 1 for as far as the mean of those of other images; NaN where there are none.
    """
    folds = np.array([fold_of(image.encode("utf-8", "surrogatepass")) for image in images], np.intp)
    figures = np.full(len(pictures), np.nan)
    sums = np.zeros((FOLDS, pictures.shape[1]))
    members = [np.flatnonzero(folds == fold) for fold in range(FOLDS)]
    for fold, rows in enumerate(members):
        for start in range(0, len(rows), _BLOCK):
            sums[fold] += pictures[rows[start : start + _BLOCK]].sum(0, dtype=np.int64)
    for fold, rows in enumerate(members):
        others = len(pictures) - len(rows)
        if others:
            way = (sums.sum(0) - sums[fold]) / others
            slope = way / max(float(way @ way), _TINY)
            for start in range(0, len(rows), _BLOCK):
                some = rows[start : start + _BLOCK]
                figures[some] = pictures[some].astype(np.float64) @ slope
    return figures


def elsewhere(pictures: NDArray[np.int8], figures: Floats, ways: Sequence[Floats]) -> NDArray[np.bool_]:
    """Which crops stand out in the way of another label: step 2.

    Args:
        pictures: as above, of one label.
        figures: how far they stand out in the way of their own.
        ways: the mean pictures of the other labels.
    """
    if not ways:
        return np.zeros(len(pictures), np.bool_)
    slopes = np.stack([way / max(float(way @ way), _TINY) for way in ways], 1)
    best = np.concatenate([(part @ slopes).max(1) for part in np.array_split(pictures, -(-len(pictures) // _BLOCK))])
    further: Floats = best - figures
    return (further > 0) & (_deviations(further - np.median(further)) > _ODD)


def unusual(values: Floats, conditions: Floats) -> Floats:
    """How far values lie above what is usual under like conditions, in robust deviations: step 3.

    Args:
        values: (rows,).
        conditions: what explains them, (rows, conditions).

    Returns:
        (rows,); about normal where nothing is unusual.
    """
    centred = (conditions - conditions.mean(0)) / np.maximum(conditions.std(0), _TINY)
    count = conditions.shape[1]
    products = [centred[:, i] * centred[:, j] for i in range(count) for j in range(i, count)]
    terms = np.stack([np.ones(len(values)), *centred.T, *products], 1)
    least = max(1e-4 * float(values.std()), _TINY)
    weights = np.ones(len(values))
    for _ in range(_ROUNDS):
        weighted = terms * weights[:, None]
        slopes = np.linalg.lstsq(weighted.T @ terms, weighted.T @ values)[0]
        rest: Floats = values - terms @ slopes
        weights = 1 / np.maximum(np.abs(rest), least)
    return _deviations(rest)


def _deviations(rest: Floats) -> Floats:
    """What is left, in robust deviations."""
    return rest / max(1.4826 * float(np.median(np.abs(rest))), _TINY)
