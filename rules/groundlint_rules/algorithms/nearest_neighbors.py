"""Nearest neighbors among embeddings: by exact search, and by an index where there are too many for it.

The index is an inverted file (Sivic and Zisserman, "Video Google", ICCV 2003) without compression: k-means divides the
embeddings into lists, and each is compared with those of the lists whose centers are nearest to it. It needs numpy
only. A library such as faiss would be larger than all other dependencies together.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

COMPONENTS = 128
"""Numbers to which embeddings are reduced."""

MAX_EXACT = 100_000
"""Embeddings up to which all are compared with all: time grows with their square."""

LIST_LENGTH = 500
"""Mean number of embeddings in a list of the index."""

PROBED = 24
"""Lists with which an embedding is compared."""

_TRAINED_ON = 32
"""Embeddings for each list of which k-means finds the centers."""

_ROUNDS = 8
"""Rounds of k-means."""

_AT_ONCE = 4096
_BLOCK_NUMBERS = 8_000_000

_GROUPS = 128
"""Groups of columns, of which the greatest cosines bound the cosine of the last neighbor from below."""


class Reduction(NamedTuple):
    """Principal components of embeddings.

    Attributes:
        mean: The mean embedding, shape (numbers,).
        axes: The components, shape (numbers, up to 128).
    """

    mean: NDArray[np.float32]
    axes: NDArray[np.float32]

    def __call__(self, roots: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embeddings on the components, normalized so that dot products are cosines: (n, numbers) to (n, up to 128)."""
        result = (roots.astype(np.float32) - self.mean) @ self.axes
        result /= np.maximum(np.linalg.norm(result, axis=1, keepdims=True), np.float32(1e-6))
        return np.asarray(result, np.float32)


def reduction(roots: NDArray[np.uint8]) -> Reduction:
    """The principal components of embeddings.

    Args:
        roots: Shape (n, numbers). The result depends on their order only by rounding.
    """
    count, width = roots.shape
    mean = roots.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((width, width))
    for start in range(0, count, _AT_ONCE):
        # Whole numbers, whose products are exact in double precision.
        part = roots[start : start + _AT_ONCE].astype(np.float64)
        covariance += part.T @ part
    covariance -= count * np.outer(mean, mean)
    axes = np.linalg.eigh(covariance)[1][:, ::-1][:, : min(COMPONENTS, count)]
    return Reduction(mean.astype(np.float32), axes.astype(np.float32))


def nearest(embeddings: NDArray[np.float32], neighbors: int, min_cosine: float) -> NDArray[np.intp]:
    """Pairs of rows of which one is among the nearest neighbors of the other.

    Of more than 100,000 rows, those that the index finds; see benchmarks/README.md for how many these are.

    Args:
        embeddings: Rows of length 1, as a `Reduction` returns them.
        neighbors: Neighbors of each row.
        min_cosine: Cosine that a pair has at least.

    Returns:
        Shape (pairs, 2): the lower row first, each pair once, sorted.
    """
    count = len(embeddings)
    search = exact if count <= MAX_EXACT else indexed
    found = search(embeddings, neighbors, min_cosine)
    # A pair as one number, because sorting rows of two takes ten times as long.
    keys = np.unique(found.min(axis=1) * count + found.max(axis=1))
    return np.stack(np.divmod(keys, max(count, 1)), axis=1)


def exact(embeddings: NDArray[np.float32], neighbors: int, min_cosine: float) -> NDArray[np.intp]:
    """Rows and a neighbor of each, shape (n, 2), by comparing all with all."""
    count = len(embeddings)
    parts = [np.empty((0, 2), np.intp)]
    step = max(1, _BLOCK_NUMBERS // max(count, 1))
    for start in range(0, count, step):
        cosines = embeddings[start : start + step] @ embeddings.T
        own = np.arange(len(cosines))
        cosines[own, start + own] = -np.inf
        row, column, _ = _best(cosines, neighbors, np.float32(min_cosine))
        parts.append(np.stack([start + row, column], axis=1))
    return np.concatenate(parts)


def indexed(embeddings: NDArray[np.float32], neighbors: int, min_cosine: float) -> NDArray[np.intp]:
    """Rows and a neighbor of each, shape (n, 2), by comparing each row with the lists whose centers are nearest."""
    count = len(embeddings)
    centers = _centers(embeddings, max(1, count // LIST_LENGTH))
    probed = _probed(embeddings, centers, min(PROBED, len(centers)))
    lists = _grouped(probed[:, 0], len(centers))
    best = np.full((count, neighbors), min_cosine, np.float32)
    found = np.full((count, neighbors), -1, np.int32)
    for probing, members in zip(_grouped(probed.ravel(), len(centers)), lists, strict=True):
        step = max(1, _BLOCK_NUMBERS // max(len(members), 1))
        for start in range(0, len(probing), step):
            rows = probing[start : start + step] // probed.shape[1]
            cosines = embeddings[rows] @ embeddings[members].T
            cosines[rows[:, None] == members] = -np.inf
            row, column, rank = _best(cosines, neighbors, best[rows].min(axis=1))
            hit, position = np.unique(row, return_inverse=True)
            values = np.full((len(hit), 2 * neighbors), -np.inf, np.float32)
            names = np.full(values.shape, -1, np.int32)
            values[:, neighbors:], names[:, neighbors:] = best[rows[hit]], found[rows[hit]]
            values[position, rank], names[position, rank] = cosines[row, column], members[column]
            chosen = np.argsort(-values, axis=1, kind="stable")[:, :neighbors]
            best[rows[hit]] = np.take_along_axis(values, chosen, axis=1)
            found[rows[hit]] = np.take_along_axis(names, chosen, axis=1)
    row, column = np.nonzero(found >= 0)
    return np.stack([row, found[row, column]], axis=1)


def _centers(embeddings: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Centers of spherical k-means, shape (count, components)."""
    size = min(count * _TRAINED_ON, len(embeddings))
    # Drawn with a seed and not evenly: neighboring rows are often alike.
    sample = embeddings[np.sort(np.random.default_rng(0).choice(len(embeddings), size, replace=False))]
    centers = sample[np.linspace(0, size - 1, count).astype(np.intp)]
    for _ in range(_ROUNDS):
        for number, members in enumerate(_grouped(_probed(sample, centers, 1)[:, 0], count)):
            total = sample[members].sum(axis=0)
            length = np.linalg.norm(total)
            # An empty list keeps its center.
            if length > 0:
                centers[number] = total / length
    return centers


def _probed(embeddings: NDArray[np.float32], centers: NDArray[np.float32], count: int) -> NDArray[np.int32]:
    """For each row the centers that are nearest to it, the nearest first: shape (n, count)."""
    chosen = np.empty((len(embeddings), count), np.int32)
    for start in range(0, len(embeddings), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        cosines = embeddings[part] @ centers.T
        chosen[part] = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        chosen[part, 0], before = cosines.argmax(axis=1), chosen[part, 0].copy()
        # The nearest center changes places with the first.
        row, column = np.nonzero(chosen[part, 1:] == chosen[part, :1])
        chosen[start + row, column + 1] = before[row]
    return chosen


def _grouped(numbers: NDArray[np.int32], count: int) -> list[NDArray[np.intp]]:
    """The positions of each number below `count`, in ascending order."""
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.searchsorted(numbers[order], np.arange(1, count)))


def _best(
    cosines: NDArray[np.float32], count: int, least: np.float32 | NDArray[np.float32]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """The greatest cosines of each row that are at `least` or above: row, column, and rank in the row, from 0."""
    bound = np.maximum(_bound(cosines, count), least)
    row, column = np.divmod(np.flatnonzero(cosines >= bound[:, None]), max(cosines.shape[1], 1))
    # Of equal ones, the first.
    order = np.lexsort((-cosines[row, column], row))
    row, column = row[order], column[order]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    is_best = (rank < count) & np.isfinite(cosines[row, column])
    return row[is_best], column[is_best], rank[is_best]


def _bound(cosines: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """A number for each row that at least `count` of its cosines reach, if it has as many; usually few more do.

    It is the `count`-th greatest of the maxima of groups of columns, which takes a tenth of the time of a partition of
    the row.
    """
    rows, columns = cosines.shape
    width = columns // _GROUPS
    if width < 2 or count > _GROUPS:
        return np.full(rows, -np.inf, np.float32) if columns <= count else np.partition(cosines, -count)[:, -count]
    greatest = cosines[:, : width * _GROUPS].reshape(rows, width, _GROUPS).max(axis=1)
    return np.partition(greatest, -count)[:, -count]
