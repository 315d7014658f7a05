"""How well one property of images predicts whether they have a label, on images that the prediction has not seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
"""Numbers of images: (values of the property, folds)."""

_PRIOR = 1.0
"""Images with the usual share of the label that are added to each value: values of a few images say little."""

_PERMUTATIONS = 99
"""Random assignments of the label, of which none may predict as well: a chance of 1%."""

_SEED = 1


def held_out_auroc(images: Counts, labeled: Counts) -> float:
    """Probability that an image with the label is ranked above one without it: 0.5 by chance, 1 at best.

    An image is ranked by the share of the label among the images of the other folds with the same value, compared with
    the share among all images of these folds. So values that occur once predict nothing.

    Args:
        images: Images with each value in each fold.
        labeled: Those of them that have the label; neither none nor all.
    """
    trained, hits = (counts.sum(1, keepdims=True) - counts for counts in (images, labeled))
    usual = hits.sum(0) / np.maximum(trained.sum(0), 1)
    ranks = ((hits + _PRIOR * usual) / (trained + _PRIOR) - usual).ravel()
    # Rounded, so that equal shares of different folds are ties whatever the order of additions.
    _, place = np.unique(ranks.round(9), return_inverse=True)
    yes = np.bincount(place, weights=labeled.ravel())
    no = np.bincount(place, weights=(images - labeled).ravel())
    below = np.cumsum(no) - no / 2
    return float(yes @ below / (yes.sum() * no.sum()))


def is_above_chance(images: Counts, labeled: Counts) -> bool:
    """Whether no random assignment of the label to as many images predicts as well. Arguments as above."""
    generator = np.random.default_rng(_SEED)
    drawn = generator.multivariate_hypergeometric(
        images.ravel(), int(labeled.sum()), size=_PERMUTATIONS, method="marginals"
    )
    reached = held_out_auroc(images, labeled)
    return all(held_out_auroc(images, each.reshape(images.shape)) < reached for each in drawn)
