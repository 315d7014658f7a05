"""Bootstrap: how much a figure would vary if other images of the same kind had been drawn.

Source: Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 1979; percentile intervals.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DRAWS = 1000
"""Resamples: the limits of a 95% interval vary by about 0.1 of its width with the seed."""

_AT_ONCE = 100

_PERCENTILES = (2.5, 97.5)


def resampled_sums(counts: NDArray[np.float64], images: int) -> NDArray[np.float64]:
    """Sums of counts over images drawn with replacement, the same ones in each run.

    Args:
        counts: (counted images, columns). Images whose counts are all 0 may be left out.
        images: Number of images that are drawn from, at least that of the counted ones.

    Returns:
        (1000, columns).
    """
    random = np.random.default_rng(0)
    counted = len(counts)
    # The images left out share one place, whose counts are 0.
    shares = np.full(counted + 1, 1 / images)
    shares[-1] = max(0.0, 1 - counted / images)
    parts = [
        random.multinomial(images, shares / shares.sum(), size=_AT_ONCE)[:, :counted] @ counts
        for _ in range(DRAWS // _AT_ONCE)
    ]
    return np.concatenate(parts)


def interval(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The 95% interval of resampled values, (draws, columns), as (2, columns); NaN where none is defined."""
    limits = np.full((len(_PERCENTILES), values.shape[1]), np.nan)
    is_defined = np.isfinite(values).any(axis=0)
    limits[:, is_defined] = np.nanpercentile(values[:, is_defined], _PERCENTILES, axis=0)
    return limits
