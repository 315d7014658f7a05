"""Nearest neighbors among embeddings, by exact search in blocks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COMPONENTS = 128
"""Numbers to which embeddings are reduced."""

_AT_ONCE = 4096
_BLOCK_NUMBERS = 8_000_000


def reduced(roots: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Embeddings on their principal components, normalized so that dot products are cosines.

    Args:
        roots: Shape (n, numbers). The result depends on their order only by rounding.

    Returns:
        Shape (n, up to 128).
    """
    count, width = roots.shape
    mean = roots.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((width, width))
    for start in range(0, count, _AT_ONCE):
        # Whole numbers, whose products are exact in double precision.
        part = roots[start : start + _AT_ONCE].astype(np.float64)
        covariance += part.T @ part
    covariance -= count * np.outer(mean, mean)
    axes = np.linalg.eigh(covariance)[1][:, ::-1][:, : min(COMPONENTS, count)].astype(np.float32)
    result = np.empty((count, axes.shape[1]), np.float32)
    for start in range(0, count, _AT_ONCE):
        part = roots[start : start + _AT_ONCE].astype(np.float32) - mean.astype(np.float32)
        result[start : start + _AT_ONCE] = part @ axes
    result /= np.maximum(np.linalg.norm(result, axis=1, keepdims=True), np.float32(1e-6))
    return result


def nearest(embeddings: NDArray[np.float32], neighbors: int, min_cosine: float) -> NDArray[np.intp]:
    """Pairs of rows of which one is among the nearest neighbors of the other.

    Args:
        embeddings: As `reduced` returns them.
        neighbors: Neighbors of each row.
        min_cosine: Cosine that a pair has at least.

    Returns:
        Shape (pairs, 2): the lower row first, each pair once, sorted.
    """
    count = len(embeddings)
    wanted = min(neighbors, count - 1)
    if wanted < 1:
        return np.empty((0, 2), np.intp)
    step = max(1, _BLOCK_NUMBERS // count)
    found = []
    for start in range(0, count, step):
        cosines = embeddings[start : start + step] @ embeddings.T
        own = np.arange(start, start + len(cosines))
        cosines[np.arange(len(cosines)), own] = -np.inf
        near = np.argpartition(cosines, count - wanted, axis=1)[:, count - wanted :]
        is_close = np.take_along_axis(cosines, near, axis=1) >= min_cosine
        one = np.repeat(own, is_close.sum(axis=1))
        found.append(np.sort(np.stack([one, near[is_close]], axis=1), axis=1))
    return np.unique(np.concatenate(found), axis=0)
