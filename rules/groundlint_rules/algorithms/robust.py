"""Robust statistics: how far values lie from their median, in units that outliers barely change.

The median absolute deviation (MAD) is the median distance from the median. Times 1.4826 it estimates the standard
deviation of normally distributed values, and half of the values may be outliers without moving it far (Rousseeuw and
Croux, "Alternatives to the Median Absolute Deviation", JASA 88, 1993). A robust z score is the distance from the median
in units of this estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl
from polars import Expr

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAD_TO_SIGMA = 1.4826
"""Of a normal distribution: standard deviation over median absolute deviation."""


def median_absolute_deviation(values: Expr) -> Expr:
    """Median distance of values from their median: an aggregate, for `select`, `agg` or `over`."""
    return (values - values.median()).abs().median()


def robust_sigma(values: Expr) -> Expr:
    """Standard deviation, estimated from the median absolute deviation: an aggregate as above."""
    return median_absolute_deviation(values) * MAD_TO_SIGMA


def robust_z(values: Expr, *, over: Sequence[str | Expr] = (), min_sigma: float = 0.0) -> Expr:
    """Signed distance of each value from the median, in robust standard deviations.

    Args:
        values: The values; null stays null.
        over: Columns by which values are grouped; each group has its own median and spread.
        min_sigma: Smallest standard deviation to divide by, so that in a group of nearly equal values small differences
            do not stand out.

    Returns:
        One z score for each value; null where the standard deviation is 0 and `min_sigma` is too.
    """
    sigma = robust_sigma(values).clip(lower_bound=min_sigma)
    z = (values - values.median()) / pl.when(sigma > 0).then(sigma)
    return z.over(*over) if over else z


def sigma_of_residuals(residuals: NDArray[np.float64]) -> float:
    """Robust standard deviation of residuals, whose center is 0: as `robust_sigma`, for arrays."""
    import numpy as np

    return MAD_TO_SIGMA * float(np.median(np.abs(residuals)))
