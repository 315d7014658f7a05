"""Features made comparable, and a linear discriminant over them that never judges an image by itself or a duplicate.

1. `Block`s of features are made comparable. The activations of a net are heavy-tailed: square root, then unit length
   (Hellinger kernel map, as in Arandjelovic and Zisserman, "Three things everyone should know to improve object
   retrieval", CVPR 2012). Other features are standardized. Each block is reduced to its first principal components and
   scaled as a whole to unit standard deviation.
2. Linear discriminant analysis (Fisher 1936), the pooled covariance S shrunk toward a sphere (Ledoit and Wolf, "A
   well-conditioned estimator for large-dimensional covariance matrices", 2004, with a fixed share a):
   S' = (1 - a) S + a tr(S)/d I;  score(c) = x'S'^-1 m_c - m_c'S'^-1 m_c / 2 + log(n_c / n).
   Five folds: each row is scored by the other four. All near-duplicates of a group are in one fold, which a hash of the
   group's id chooses, so that no image is judged by its own duplicates.
3. The nearest neighbors vote. They are searched in the space whitened by S', in which all labels spread alike, by
   cosine, and in other groups only. Twice the logarithm of each label's share of their cosines is added to its score. A
   discriminant sees what the images of a label have in common, the neighbors what only some of them have.

Memory: the caller's features, at most 256 single-precision numbers per row and block, and working blocks of fixed size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

FOLDS = 5

SHRINKAGE, SHRINKAGE_OF_FEW, FEW = 0.3, 0.6, 300
"""The share a of step 2, and its value for fewer rows than `FEW`."""

NEIGHBORS = 20
"""Neighbors that vote. This and the next two numbers were tuned on the half of the images that benchmarks/mislabel.py
does not report."""

_VOTE_WEIGHT, _ADDED_SHARE = 2.0, 0.02
"""Weight of the logarithm of a share of the votes, and the share that is first added to each."""

_VOTERS = 10_000
"""Maximum number of rows among which neighbors are searched; of more rows, as many evenly spaced ones."""

_MOST_SUMMED = 100_000
"""Rows whose products give the principal components; of more rows, as many evenly spaced ones."""

_MIN_DEVIATION = 1e-6
"""Standard deviation, of numbers around 1, below which there is only rounding."""

_MIN_PROBABILITY = float(np.finfo(np.float32).tiny)
"""Smaller probabilities, such as 0, count as this one, so that their logarithms are finite."""

_BLOCK_NUMBERS = 4_000_000
"""Numbers in a working block: 32 MB in double precision."""


@dataclass(frozen=True)
class Block:
    """Features of one kind.

    Attributes:
        features: (rows, features), floating or unsigned numbers; a memory map works too.
        root: True for heavy-tailed features without negative values, such as a net's last activations: their square
            roots are taken. Other features are standardized.
        components: Number of principal components to keep.
        are_roots: True if the features are the square roots of what they stand for, as whole numbers: bytes take an
            eighth of the memory.
    """

    features: NDArray[np.floating | np.unsignedinteger]
    root: bool
    components: int
    are_roots: bool = False

    def of(self, rows: Ints | NDArray[np.bool_]) -> Floats:
        """Some rows in double precision, (rows, features)."""
        values: Floats = np.array(self.features[rows], np.float64)
        return np.square(values, out=values) if self.are_roots else values


def net_block(features: NDArray[np.floating | np.unsignedinteger]) -> Block:
    """The block for activations of a net, such as `features._efficientnet.Activations.embedding`."""
    return Block(features, root=True, components=256)


class Scores(NamedTuple):
    """Discriminant scores of each row by a model that has not seen it.

    Attributes:
        given: Score of the given label.
        best: The highest score.
        suggested: The label with the highest score.
        log_odds: Log odds against the given label at T = 1: -log(p / (1 - p)), exact also for p near 0 and near 1.
        log_norms: log(sum over labels of exp(score / T)), one column per temperature.
        mixed: Mean softmax at T = 1 of the rows of each given label, (labels, labels).
    """

    given: Floats
    best: Floats
    suggested: Ints
    log_odds: Floats
    log_norms: Floats
    mixed: Floats


def fold_of(group: bytes) -> int:
    """The fold, 0 to 4, in which all rows of a group are scored. It depends only on the group's id."""
    return int.from_bytes(blake2b(group, digest_size=8).digest()) % FOLDS


def in_own_order(blocks: Sequence[Block], given: Sequence[str], ids: Sequence[bytes], names: set[str]) -> Ints:
    """The rows with one of the labels, in an order that does not depend on the order of the input.

    They are sorted by group, label and features; the order of rows that are equal in all three changes no result.
    """
    places: dict[tuple[bytes, str], list[int]] = {}
    for row, key in enumerate(zip(ids, given, strict=True)):
        if key[1] in names:
            places.setdefault(key, []).append(row)
    order: list[int] = []
    for key in sorted(places):
        rows = places[key]
        if len(rows) > 1:
            rows.sort(key=lambda row: b"".join(np.ascontiguousarray(b.features[row]).tobytes() for b in blocks))
        order += rows
    return np.array(order, np.intp)


def numbered(ids: Sequence[bytes]) -> Ints:
    """A number for each row, equal for rows with the same id."""
    numbers = {id_: number for number, id_ in enumerate(dict.fromkeys(ids))}
    return np.array([numbers[id_] for id_ in ids], np.intp)


def runs(count: int, width: int) -> Iterator[slice]:
    """Consecutive slices of rows, each the size of a working block if a row has `width` numbers."""
    step = max(1, _BLOCK_NUMBERS // max(width, 1))
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def _prepared(block: Block, rows: Ints) -> Floats:
    """Some rows of a block in double precision; square roots of unit length if the block asks for them."""
    values = block.of(rows)
    if not np.isfinite(values).all():
        raise ValueError("a feature is not finite")
    if not block.root:
        return values
    if values.size and values.min() < 0:
        raise ValueError("a feature whose root is taken is negative")
    # The length of the roots is the root of the sum.
    values /= np.maximum(values.sum(1, keepdims=True), np.finfo(np.float64).tiny)
    return np.sqrt(values, out=values)


def points_of(blocks: Sequence[Block], rows: Ints) -> NDArray[np.float32]:
    """The principal components of some rows of all blocks, (rows, components)."""
    first, *others = (components(block, rows) for block in blocks)
    # Of a million rows, a copy takes a gigabyte.
    return np.hstack([first, *others]) if others else first


def components(block: Block, rows: Ints) -> NDArray[np.float32]:
    """The principal components of some rows of a block, (rows, components): step 1."""
    return _of_few(block, rows) if len(rows) < block.features.shape[1] else _of_many(block, rows)


def _of_few(block: Block, rows: Ints) -> NDArray[np.float32]:
    """The components of fewer rows than features, from the products of the rows: there are fewer of them."""
    values = _prepared(block, rows)
    # Relative to one row, so that the variance of a constant column is 0 and not that of rounding.
    values -= values[0].copy()
    values -= values.mean(0)
    if not block.root:
        values /= values.std(0) + _MIN_DEVIATION
    variances, directions = np.linalg.eigh(values @ values.T / len(rows))
    kept, scale = _kept(block, variances, len(rows))
    lengths = np.sqrt(len(rows) * np.maximum(variances[-kept:], 0))
    return np.asarray(directions[:, -kept:] * lengths * scale, np.float32)


def _of_many(block: Block, rows: Ints) -> NDArray[np.float32]:
    """The components of more rows than features, from the products of the features; it works in parts."""
    width = block.features.shape[1]
    # Relative to one row, as in `_of_few`.
    origin = _prepared(block, rows[:1])[0]
    total, products = np.zeros(width), np.zeros((width, width))
    summed = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _MOST_SUMMED)).astype(np.intp))]
    for run in runs(len(summed), width):
        values = _prepared(block, summed[run]) - origin
        total += values.sum(0)
        products += values.T @ values
    mean = total / len(summed)
    covariance = products / len(summed) - np.outer(mean, mean)
    deviation = np.ones(width) if block.root else np.sqrt(np.maximum(covariance.diagonal(), 0)) + _MIN_DEVIATION
    variances, directions = np.linalg.eigh(covariance / np.outer(deviation, deviation))
    kept, scale = _kept(block, variances, len(rows))
    projection = directions[:, -kept:] * scale / deviation[:, None]
    points = np.empty((len(rows), kept), np.float32)
    for run in runs(len(rows), width):
        points[run] = (_prepared(block, rows[run]) - origin - mean) @ projection
    return points


def _kept(block: Block, variances: Floats, rows: int) -> tuple[int, float]:
    """How many components are kept, and the scale that gives them unit standard deviation as a whole."""
    kept = max(1, min(block.components, rows - 1, int((variances > variances[-1] * _MIN_DEVIATION).sum())))
    return kept, 1 / float(np.sqrt(max(variances[-kept:].mean(), np.finfo(np.float64).tiny)))


class Neighbors(NamedTuple):
    """The nearest neighbors of each row, as positions (rows, neighbors), and their cosines, at least 0: step 3."""

    places: NDArray[np.int32]
    cosines: NDArray[np.float32]


def neighbors(points: NDArray[np.float32], labels: Ints, groups: Ints) -> Neighbors:
    """The nearest neighbors in other groups, in the space in which the given labels spread alike."""
    rows, width = points.shape
    sums = _sums_by(labels, points, int(labels.max()) + 1)
    scatter = -sums.T @ (sums / np.maximum(np.bincount(labels), 1)[:, None])
    for run in runs(rows, width):
        values = points[run].astype(np.float64)
        scatter += values.T @ values
    voters = np.unique(np.linspace(0, rows - 1, min(rows, _VOTERS)).astype(np.int32))
    # x'S'^-1 y: only the voters are transformed. The length of x is the same for all voters and cancels in the shares.
    transformed = np.linalg.solve(_shrunk(scatter / rows, rows), points[voters].T.astype(np.float64))
    lengths = np.sqrt(np.maximum((transformed * points[voters].T).sum(0), np.finfo(np.float64).tiny))
    transformed = (transformed / lengths).astype(np.float32)
    count = min(NEIGHBORS, len(voters) - 1)
    found = Neighbors(np.empty((rows, count), np.int32), np.empty((rows, count), np.float32))
    for run in runs(rows, len(voters)):
        cosines = points[run] @ transformed
        cosines[groups[run][:, None] == groups[voters]] = 0
        nearest = np.argpartition(cosines, -count, axis=1)[:, -count:]
        found.places[run] = voters[nearest]
        found.cosines[run] = np.maximum(np.take_along_axis(cosines, nearest, 1), 0)
    return found


class Discriminant:
    """Steps 2 and 3 for one set of points under any labels. What does not depend on the labels is computed once."""

    def __init__(self, points: NDArray[np.float32], folds: Ints, labels: int, near: Neighbors | None = None) -> None:
        """Sum the products of the points, (rows, components), of each fold. Without neighbors there is no vote."""
        width = points.shape[1]
        self._points, self._labels, self._near = points, labels, near
        self._members = [np.flatnonzero(folds == fold) for fold in range(FOLDS)]
        self._products = np.zeros((FOLDS, width, width))
        for fold, members in enumerate(self._members):
            for run in runs(len(members), width):
                values = points[members[run]].astype(np.float64)
                self._products[fold] += values.T @ values

    def scores(self, labels: Ints, temperatures: Floats) -> Scores:
        """Score every row by a model of the other folds under the given labels."""
        width = self._points.shape[1]
        sums = np.zeros((FOLDS, self._labels, width))
        counts = np.zeros((FOLDS, self._labels))
        for fold, members in enumerate(self._members):
            counts[fold] = np.bincount(labels[members], minlength=self._labels)
            for run in runs(len(members), width):
                sums[fold] += _sums_by(labels[members[run]], self._points[members[run]], self._labels)
        scored = _Scored(labels, self._labels, temperatures)
        for fold, members in enumerate(self._members):
            slopes, offsets = self._model(fold, sums.sum(0) - sums[fold], counts.sum(0) - counts[fold])
            for run in runs(len(members), width + 2 * self._labels):
                some = members[run]
                scores = self._points[some] @ slopes + offsets
                if self._near:
                    scores += _VOTE_WEIGHT * np.log(self._votes(self._near, some, labels) + _ADDED_SHARE)
                scored.add(some, scores)
        return scored.finish()

    def _model(self, fold: int, sums: Floats, counts: Floats) -> tuple[Floats, Floats]:
        """Slopes (components, labels) and offsets (labels,) from the label sums and counts outside a fold."""
        rows = counts.sum()
        means = sums / np.maximum(counts, 1)[:, None]
        scatter = self._products.sum(0) - self._products[fold] - sums.T @ means
        spread = scatter / max(rows, 1)
        slopes = np.asarray(np.linalg.solve(_shrunk(spread, len(self._points)), means.T), np.float64)
        with np.errstate(divide="ignore"):  # an exchange may leave a label without rows; its score is then -inf
            priors = np.log(counts / max(rows, 1))
        return slopes, priors - (means.T * slopes).sum(0) / 2

    def _votes(self, near: Neighbors, rows: Ints, labels: Ints) -> Floats:
        """The share of each label among the neighbors of some rows, (rows, labels)."""
        bins = np.arange(len(rows))[:, None] * self._labels + labels[near.places[rows]]
        cosines = near.cosines[rows]
        votes = np.bincount(bins.ravel(), cosines.ravel(), len(rows) * self._labels).reshape(-1, self._labels)
        return np.asarray(votes / np.maximum(cosines.sum(1, keepdims=True), np.finfo(np.float32).tiny))


class UserModel:
    """The user's own model in place of the discriminant. Its scores do not depend on the given labels."""

    def __init__(self, probabilities: NDArray[np.floating]) -> None:
        """Take the probability of each label for each row, (rows, labels)."""
        self._scores = np.log(np.maximum(probabilities, _MIN_PROBABILITY))

    def scores(self, labels: Ints, temperatures: Floats) -> Scores:
        """The scores of every row, with those of the given labels."""
        scored = _Scored(labels, self._scores.shape[1], temperatures)
        for run in runs(len(labels), 2 * self._scores.shape[1]):
            some = np.arange(len(labels))[run]
            scored.add(some, self._scores[some].astype(np.float64))
        return scored.finish()


Model = Discriminant | UserModel


class _Scored:
    """Collects the scores of rows block by block."""

    def __init__(self, labels: Ints, names: int, temperatures: Floats) -> None:
        self._labels, self._temperatures = labels, temperatures
        self._given, self._best = np.empty(len(labels)), np.empty(len(labels))
        self._suggested = np.empty(len(labels), np.intp)
        self._log_odds = np.empty(len(labels))
        self._log_norms = np.empty((len(labels), len(temperatures)))
        self._mixed = np.zeros((names, names))

    def add(self, rows: Ints, scores: Floats) -> None:
        """Take the scores of some rows, (rows, labels). They are overwritten."""
        best = scores.max(1)
        self._best[rows], self._suggested[rows] = best, scores.argmax(1)
        self._given[rows] = scores[np.arange(len(rows)), self._labels[rows]]
        scores -= best[:, None]
        for column, temperature in enumerate(self._temperatures):
            self._log_norms[rows, column] = np.log(np.exp(scores / temperature).sum(1)) + best / temperature
        odds = np.exp(scores)
        self._log_odds[rows] = self._against(rows, scores)
        self._mixed += _sums_by(self._labels[rows], odds / odds.sum(1, keepdims=True), len(self._mixed))

    def _against(self, rows: Ints, scores: Floats) -> Floats:
        """The log odds against the given labels of some rows. The sum is over the other labels only: 1 - p would be 1
        for every tiny p, and 0 for every p near 1.
        """
        given = self._labels[rows][:, None]
        others = scores.copy()
        np.put_along_axis(others, given, -np.inf, 1)
        # An exchange may leave a label without rows, whose score is then -inf.
        best = np.maximum(others.max(1), np.finfo(np.float64).min)
        with np.errstate(divide="ignore"):
            sums = np.log(np.exp(others - best[:, None]).sum(1)) + best
        return np.asarray(sums - np.take_along_axis(scores, given, 1)[:, 0])

    def finish(self) -> Scores:
        """The scores of all rows."""
        counts = np.bincount(self._labels, minlength=len(self._mixed))
        mixed = self._mixed / np.maximum(counts, 1)[:, None]
        return Scores(self._given, self._best, self._suggested, self._log_odds, self._log_norms, mixed)


def _shrunk(spread: Floats, rows: int) -> Floats:
    """A covariance, shrunk toward a sphere."""
    width = len(spread)
    share = SHRINKAGE if rows >= FEW else SHRINKAGE_OF_FEW
    sphere = share * spread.trace() / width + _MIN_DEVIATION
    return np.asarray((1 - share) * spread + sphere * np.eye(width))


def _sums_by(groups: Ints, values: NDArray[np.floating], count: int) -> Floats:
    """The sum of the rows of each group, (count, columns): as `np.add.at`, in a tenth of the time."""
    sums = np.zeros((count, values.shape[1]))
    if len(groups):
        order = np.argsort(groups, kind="stable")
        present, starts = np.unique(groups[order], return_index=True)
        sums[present] = np.add.reduceat(values[order].astype(np.float64), starts, axis=0)
    return sums
