"""Which labels look wrong: the odds of each given label, from numbers that say what is to be seen.

A label is judged by a model that has not seen it. The method, step by step:

1 to 3. A linear discriminant over all features, and the nearest rows, score each: `_discriminant` has these steps.
4. Calibration: temperature T (Guo et al., "On calibration of modern neural networks", ICML 2017) fitted together with
   a share e of labels given at random, so that the wrong ones do not blur the rest. The greatest likelihood of
   (1 - e) softmax(score / T)[given] + e / C  over both; the calibrated odds are the softmax alone.
5. A label is flagged if the odds are for another, and if those of its 30 nearest pictures that are not its copies
   (cosine) rarely bear it and more often bear the other.
6. Self-check, for which nobody need know the truth: 5 % of the labels are exchanged, evenly or for what the model
   mixes up, and the whole is scored again. If the exchanged are not found again, nothing is flagged.

What is flagged is a suspect, not an error. Results do not depend on the order of the rows: they are put into an order
of their own first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from groundlint_rules.algorithms.discriminant import (
    Block,
    Brought,
    Discriminant,
    Floats,
    Ints,
    Model,
    components,
    fold_of,
    in_own_order,
    neighbours,
    numbered,
    runs,
)

Bools = NDArray[np.bool_]

_Kind = TypeVar("_Kind", bound=np.generic)

MIN_ITEMS = 12
"""Labels with fewer groups than this are not judged, nor suggested."""

NEIGHBOURS = 30
PLANTED_SHARE, _PLANTED_ENOUGH, _MOST_DRAWS = 0.05, 200, 20
_TEMPERATURES = np.exp(np.linspace(np.log(0.5), np.log(16), 36))


class Limits(NamedTuple):
    """From where on a label is flagged: steps 5 and 6.

    The defaults are those that `benchmarks/mislabel.py --tune` found on the half of the images that it does not report.

    Attributes:
        p_suggested: The least calibrated probability of the suggested label.
        p_given: The greatest of the given one.
        votes_given: The greatest share of the nearest pictures that bear the given label.
        signal: The least area under the curve of the self-check, for both kinds of exchange.
    """

    p_suggested: float = 0.85
    p_given: float = 0.01
    votes_given: float = 0.1
    signal: float = 0.8


_DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Odds:
    """What was found, one element a row in the caller's order; NaN, -1 and false where a label is not judged.

    Attributes:
        names: The labels that were judged, sorted; `suggested` counts in them.
        suspicion: 1 - p(given) before calibration: the order of suspects.
        p_given: Calibrated probability of the given label.
        suggested: The likeliest label, as place in `names`; it may be the given one.
        p_suggested: Its calibrated probability.
        votes_given: Share of the nearest pictures that bear the given label; NaN unless the odds are against it.
        votes_suggested: The same of the suggested one.
        flagged: Whether the label is a suspect to be reported.
        temperature: T of step 4, NaN if nothing was judged.
        noise: Estimated share of wrong labels, as if they were given at random; likely too low where people mix up
            like things. NaN if nothing was judged.
        signal_even: Area under the curve for exchanged labels, all others equally likely; NaN if nothing was judged.
        signal_like: The same, others as likely as the model mixes them up.
    """

    names: tuple[str, ...]
    suspicion: Floats
    p_given: Floats
    suggested: Ints
    p_suggested: Floats
    votes_given: Floats
    votes_suggested: Floats
    flagged: Bools
    temperature: float
    noise: float
    signal_even: float
    signal_like: float


class Probabilities(NamedTuple):
    """What a model of the user's own thinks of each row: (rows, labels), and the labels' names."""

    values: NDArray[np.floating]
    names: tuple[str, ...]

    def of(self, rows: Ints, names: Sequence[str]) -> NDArray[np.floating]:
        """Those of some rows and labels."""
        columns = np.array([self.names.index(name) for name in names], np.intp)
        return self.values[np.ix_(rows, columns)]


def label_odds(
    blocks: Sequence[Block],
    given: Sequence[str],
    groups: Sequence[str | bytes],
    limits: Limits = _DEFAULT_LIMITS,
    probabilities: Probabilities | None = None,
) -> Odds:
    """Judges the labels of one attribute.

    Args:
        blocks: Features of the same rows, at least one block. With probabilities they only tell what is near.
        given: The label of each row.
        groups: The group of near-duplicates of each row, by any stable id: the source-ref of the one that is kept.
        limits: From where on a label is flagged.
        probabilities: Those of a model that has not seen the rows, in place of our own; judged are the labels it knows.

    Returns:
        The odds of each row; all undecided if fewer than two labels have enough rows.

    Raises:
        ValueError: if the blocks, labels and groups are not of one length, or a feature is not finite, or one to be
            rooted is negative.
    """
    count = len(given)
    if not blocks or len(groups) != count or any(block.features.shape[0] != count for block in blocks):
        raise ValueError("blocks, labels and groups must be of one length")
    ids = [group.encode("utf-8", "surrogatepass") if isinstance(group, str) else group for group in groups]
    folds = np.array([fold_of(group) for group in ids], np.intp)
    names = judged_names(given, ids, folds)
    if probabilities:
        names = tuple(name for name in names if name in probabilities.names)
    if len(names) < 2:
        return _undecided(count)
    rows = in_own_order(blocks, given, ids, set(names))
    codes = {name: code for code, name in enumerate(names)}
    labels = np.array([codes[given[row]] for row in rows], np.intp)
    group = numbered([ids[row] for row in rows])

    points = np.hstack([components(block, rows) for block in blocks])
    model: Model = (
        Brought(probabilities.of(rows, names))
        if probabilities
        else Discriminant(points, folds[rows], len(names), neighbours(points, labels, group))
    )
    temperature, random_share = calibration(model, labels)
    scores = model.scores(labels, np.array([1.0, temperature]))
    p_given = np.exp(scores.given / temperature - scores.log_norms[:, 1])
    p_suggested = np.exp(scores.best / temperature - scores.log_norms[:, 1])

    doubted = np.flatnonzero((p_suggested >= limits.p_suggested) & (p_given <= limits.p_given))
    votes = np.full((len(rows), 2), np.nan)
    votes[doubted] = votes_of_nearest(points, labels, scores.suggested, group, doubted)
    signals = _signals(model, labels, scores.mixed, random_share)
    # Comparisons with NaN are false: who was not asked for is not flagged.
    flagged = (votes[:, 0] <= limits.votes_given) & (votes[:, 1] > votes[:, 0]) & (min(signals) >= limits.signal)

    return Odds(
        names=names,
        suspicion=_spread(count, rows, -np.expm1(scores.given - scores.log_norms[:, 0]), np.nan),
        p_given=_spread(count, rows, p_given, np.nan),
        suggested=_spread(count, rows, scores.suggested, -1),
        p_suggested=_spread(count, rows, p_suggested, np.nan),
        votes_given=_spread(count, rows, votes[:, 0], np.nan),
        votes_suggested=_spread(count, rows, votes[:, 1], np.nan),
        flagged=_spread(count, rows, flagged, False),
        temperature=temperature,
        noise=random_share * (1 - 1 / len(names)),
        signal_even=signals[0],
        signal_like=signals[1],
    )


def _undecided(count: int) -> Odds:
    """What is told where there is nothing to choose between."""
    unknown = np.full(count, np.nan)
    none = np.full(count, -1, np.intp)
    flagged = np.zeros(count, np.bool_)
    return Odds((), unknown, unknown, none, unknown, unknown, unknown, flagged, np.nan, np.nan, np.nan, np.nan)


def _spread(count: int, rows: Ints, values: NDArray[_Kind], otherwise: float) -> NDArray[_Kind]:
    """The values of some rows among all of them, in the caller's order."""
    spread = np.full(count, otherwise, values.dtype)
    spread[rows] = values
    return spread


def judged_names(given: Sequence[str], ids: Sequence[bytes], folds: Ints) -> tuple[str, ...]:
    """The labels with enough groups, of which two or more are left whichever fold is held out; sorted."""
    members = set(zip(given, ids, folds.tolist(), strict=True))
    total = Counter(name for name, _, _ in members)
    largest = Counter[str]()
    for (name, _), groups in Counter((name, fold) for name, _, fold in members).items():
        largest[name] = max(largest[name], groups)
    return tuple(sorted(name for name in total if total[name] >= MIN_ITEMS and total[name] - largest[name] >= 2))


def calibration(model: Model, labels: Ints) -> tuple[float, float]:
    """The temperature T and the share e of labels given at random: step 4."""
    scores = model.scores(labels, _TEMPERATURES)
    chance = 1 / len(scores.mixed)
    odds = np.exp(scores.given[:, None] / _TEMPERATURES - scores.log_norms)
    # For each T the likelihood is concave in e: halve the interval towards where its slope changes sign.
    low, high = np.zeros(len(_TEMPERATURES)), np.ones(len(_TEMPERATURES))
    for _ in range(30):
        share = (low + high) / 2
        rising = ((chance - odds) / (odds + share * (chance - odds))).sum(0) > 0
        low, high = np.where(rising, share, low), np.where(rising, high, share)
    best = int(np.log(odds + low * (chance - odds)).sum(0).argmax())
    return float(_TEMPERATURES[best]), float(low[best])


def votes_of_nearest(points: NDArray[np.float32], labels: Ints, suggested: Ints, groups: Ints, asked: Ints) -> Floats:
    """Of the nearest pictures of other groups, the shares that bear the given and the suggested label: (asked, 2)."""
    lengths = np.maximum(np.linalg.norm(points, axis=1), np.finfo(np.float32).tiny)
    votes = np.empty((len(asked), 2))
    nearest = min(NEIGHBOURS, len(points) - 1)
    for run in runs(len(asked), len(points)):
        some = asked[run]
        likeness = points[some] @ points.T / lengths
        likeness[groups[some][:, None] == groups] = -np.inf
        found = np.argpartition(likeness, -nearest, axis=1)[:, -nearest:]
        valid = np.isfinite(np.take_along_axis(likeness, found, 1))
        for column, wanted in enumerate((labels[some], suggested[some])):
            agree = (labels[found] == wanted[:, None]) & valid
            votes[run, column] = agree.sum(1) / np.maximum(valid.sum(1), 1)
    return votes


def _signals(model: Model, labels: Ints, mixed: Floats, random_share: float) -> tuple[float, float]:
    """How well exchanged labels are found again, evenly and for like ones: step 6. Mean areas under the curve.

    Wrong labels that are there hide what is to be seen, in two ways: a share r of those left alone is no more sound
    than the exchanged, and of the exchanged a share q = r / (C - 1) becomes right by it. What is seen of an area A is
    1/2 + (A - 1/2) (1 - r - q), and r + q is the share e of step 4. It is undone, for e up to a half.
    """
    unhidden = 1 - min(random_share, 0.5)
    others = 1 - np.eye(len(mixed))
    like = mixed * others + np.finfo(np.float64).eps * others
    count = max(1, round(PLANTED_SHARE * len(labels)))
    draws = min(_MOST_DRAWS, -(-_PLANTED_ENOUGH // count))
    areas = []
    for odds in (others, like):
        steps = np.cumsum(odds, 1)
        # Rows are in an order of their own here: the same rows are drawn in whatever order they came.
        random = np.random.default_rng(0)
        found = []
        for _ in range(draws):
            planted = random.permutation(len(labels))[:count]
            exchanged = labels.copy()
            ends = steps[labels[planted]]
            exchanged[planted] = (ends <= random.random((count, 1)) * ends[:, -1:]).sum(1)
            scores = model.scores(exchanged, np.ones(1))
            found.append(area_under_curve(scores.log_norms[:, 0] - scores.given, exchanged != labels))
        areas.append(float(0.5 + (np.mean(found) - 0.5) / unhidden))
    return areas[0], areas[1]


def area_under_curve(scores: Floats, positive: Bools) -> float:
    """How often a positive one has the higher score than another, ties counted half (Mann and Whitney 1947).

    NaN if either side is empty.
    """
    ones = int(positive.sum())
    zeros = len(positive) - ones
    if not ones or not zeros:
        return np.nan
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return float((ranks[places][positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))
