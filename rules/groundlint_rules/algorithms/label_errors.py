"""Probably wrong labels: the probability of each given label, by features of the images.

Every label is judged by a model that has not seen it. The method:

1 to 3. A linear discriminant over all features and the nearest neighbors score each label: see `discriminant`.
4. Calibration: a temperature T (Guo et al., "On calibration of modern neural networks", ICML 2017), fitted together
   with a share e of labels given at random, so that wrong labels do not flatten the others. It maximizes the likelihood
   (1 - e) softmax(score / T)[given] + e / C  over both; the calibrated probability is the softmax alone.
5. A label is flagged if the probabilities favor another label, and if of its 30 nearest images (cosine, without
   duplicates) few have the given label and more have the other one. Of fewer than 150 labels, whose probabilities are
   less certain, most of the 10 nearest images must have the other one.
6. Self-check, which needs no ground truth: 5% of the labels are exchanged, uniformly or for labels that the model
   confuses, and all are scored again. If the exchanged labels are not found, nothing is flagged.

A flagged label is a suspect, not an error. Results do not depend on the order of the rows, because they are sorted
first.
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
    Discriminant,
    Floats,
    Ints,
    Model,
    UserModel,
    fold_of,
    in_own_order,
    neighbors,
    numbered,
    points_of,
    runs,
)

Bools = NDArray[np.bool_]

_Kind = TypeVar("_Kind", bound=np.generic)

MIN_ITEMS = 12
"""Labels with fewer groups are neither judged nor suggested."""

_MOST_COMPARED = 100_000
"""Images among which the nearest are searched; of more images, as many evenly spaced ones: time would grow with their
square."""

PLANTED_SHARE, _PLANTED_ENOUGH, _MOST_DRAWS = 0.05, 200, 20
_TEMPERATURES = np.exp(np.linspace(np.log(0.5), np.log(16), 36))


class Limits(NamedTuple):
    """Thresholds of steps 5 and 6.

    The defaults are those that `benchmarks/mislabel.py --tune` found on the half of the images that it does not report.

    Attributes:
        p_suggested: Minimum calibrated probability of the suggested label.
        p_given: Maximum calibrated probability of the given label.
        votes_given: Maximum share of the nearest images that have the given label.
        lead: By how much the share with the suggested label must at least exceed that with the given one; with a lead
            of 0, it must exceed it.
        signal: Minimum AUROC of the self-check, for both kinds of exchange.
        voters: Number of nearest images.
    """

    p_suggested: float = 0.7
    p_given: float = 0.005
    votes_given: float = 0.1
    lead: float = 0
    signal: float = 0.8
    voters: int = 30


LIMITS_OF_FEW = Limits(p_suggested=0.5, p_given=0.01, votes_given=0.1, lead=0.7, voters=10)
"""Limits for fewer than `MIN_OF_MANY` labels, tuned on images drawn from half 0 of clothing and of CIFAR-10 with true
labels, of which 5% got another label (`benchmarks/mislabel.py --few`). Of 134 images, `Limits()` find 0.19 to 0.46 of
the wrong labels with precision 0.91 to 0.96, these 0.26 to 0.43 with 0.98 to 1.00. Of 171 and 290 images these are less
precise."""

MIN_OF_MANY = 150
"""Labels from which `Limits()` are the default."""

LIMITS_OF_USER_MODEL = Limits(p_suggested=0.85, p_given=0.01)
"""Limits for the probabilities of the user's own model, on which nothing could be tuned."""


@dataclass(frozen=True)
class Odds:
    """Results, one element per row in the caller's order; NaN, -1 and False where a label is not judged.

    Attributes:
        names: The labels that were judged, sorted; `suggested` refers to them.
        suspicion: How suspect the label is: see `suspicions`. The order of suspects.
        p_given: Calibrated probability of the given label.
        suggested: The most probable label, as position in `names`; it may be the given one.
        p_suggested: Calibrated probability of the suggested label.
        votes_given: Share of the nearest images that have the given label; NaN unless the probabilities are against it.
        votes_suggested: Share of the nearest images that have the suggested label.
        flagged: Whether the label is a suspect to report.
        temperature: T of step 4; NaN if nothing was judged.
        noise: Estimated share of wrong labels, assuming that they were given at random; probably too low where people
            confuse similar things. NaN if nothing was judged.
        signal_uniform: AUROC for exchanged labels, all other labels equally likely; NaN if nothing was judged.
        signal_similar: AUROC for exchanged labels, other labels as likely as the model confuses them.
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
    signal_uniform: float
    signal_similar: float


class Probabilities(NamedTuple):
    """Probabilities of the user's own model, (rows, labels), and the names of the labels."""

    values: NDArray[np.floating]
    names: tuple[str, ...]

    def of(self, rows: Ints, names: Sequence[str]) -> NDArray[np.floating]:
        """The probabilities of some rows and labels."""
        columns = np.array([self.names.index(name) for name in names], np.intp)
        return self.values[np.ix_(rows, columns)]


def label_odds(
    blocks: Sequence[Block],
    given: Sequence[str],
    groups: Sequence[str | bytes],
    limits: Limits | None = None,
    probabilities: Probabilities | None = None,
) -> Odds:
    """Judge the labels of one attribute.

    Args:
        blocks: Features of the same rows, at least one block. With probabilities they only define the nearest images.
        given: Label of each row.
        groups: Group of near-duplicates of each row, by any stable id such as the source-ref of the kept image.
        limits: Thresholds from which a label is flagged; by default `Limits()`, or `LIMITS_OF_FEW`.
        probabilities: Those of a model that has not seen the rows, in place of the discriminant. Only labels that they
            cover are judged.

    Returns:
        The odds of each row; nothing is judged if fewer than two labels have enough rows.

    Raises:
        ValueError: The blocks, labels and groups differ in length, a feature is not finite, or a feature whose root is
            taken is negative.
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
    if limits is None:
        limits = Limits() if len(rows) >= MIN_OF_MANY else LIMITS_OF_FEW
    codes = {name: code for code, name in enumerate(names)}
    labels = np.array([codes[given[row]] for row in rows], np.intp)
    group = numbered([ids[row] for row in rows])

    points = points_of(blocks, rows)
    model: Model = (
        UserModel(probabilities.of(rows, names))
        if probabilities
        else Discriminant(points, folds[rows], len(names), neighbors(points, labels, group))
    )
    temperature, random_share = calibration(model, labels)
    scores = model.scores(labels, np.array([1.0, temperature]))
    p_given = np.exp(scores.given / temperature - scores.log_norms[:, 1])
    p_suggested = np.exp(scores.best / temperature - scores.log_norms[:, 1])

    unlikely = np.flatnonzero((p_suggested >= limits.p_suggested) & (p_given <= limits.p_given))
    votes = np.full((len(rows), 2), np.nan)
    votes[unlikely] = votes_of_nearest(points, labels, scores.suggested, group, unlikely, limits.voters)
    signals = _signals(model, labels, scores.mixed, random_share)
    flagged = agree(votes, limits) & (min(signals) >= limits.signal)

    return Odds(
        names=names,
        suspicion=_spread(count, rows, suspicions(scores.log_odds), np.nan),
        p_given=_spread(count, rows, p_given, np.nan),
        suggested=_spread(count, rows, scores.suggested, -1),
        p_suggested=_spread(count, rows, p_suggested, np.nan),
        votes_given=_spread(count, rows, votes[:, 0], np.nan),
        votes_suggested=_spread(count, rows, votes[:, 1], np.nan),
        flagged=_spread(count, rows, flagged, False),
        temperature=temperature,
        noise=random_share * (1 - 1 / len(names)),
        signal_uniform=signals[0],
        signal_similar=signals[1],
    )


def suspicions(log_odds: Floats) -> Floats:
    """How suspect labels are, 0 to 1, from the log odds against the given label before calibration: 0.5 for even odds.

    It rises with 1 - p. Unlike 1 - p, it distinguishes labels of tiny p, since 1 - 1e-17 is 1 in double precision, and
    sure ones. Log odds are rounded to six decimals, because further digits depend on how a machine adds up; those that
    still differ have different suspicions.
    """
    rounded = np.round(log_odds, 6)
    return np.asarray(0.5 + rounded / (2 * (1 + np.abs(rounded))))


def _undecided(count: int) -> Odds:
    """The result where fewer than two labels can be judged."""
    unknown = np.full(count, np.nan)
    none = np.full(count, -1, np.intp)
    flagged = np.zeros(count, np.bool_)
    return Odds((), unknown, unknown, none, unknown, unknown, unknown, flagged, np.nan, np.nan, np.nan, np.nan)


def _spread(count: int, rows: Ints, values: NDArray[_Kind], otherwise: float) -> NDArray[_Kind]:
    """The values of some rows, placed among all rows in the caller's order."""
    spread = np.full(count, otherwise, values.dtype)
    spread[rows] = values
    return spread


def judged_names(given: Sequence[str], ids: Sequence[bytes], folds: Ints) -> tuple[str, ...]:
    """The labels with enough groups, at least two of them outside of every fold; sorted."""
    members = set(zip(given, ids, folds.tolist(), strict=True))
    total = Counter(name for name, _, _ in members)
    largest = Counter[str]()
    for (name, _), groups in Counter((name, fold) for name, _, fold in members).items():
        largest[name] = max(largest[name], groups)
    return tuple(sorted(name for name in total if total[name] >= MIN_ITEMS and total[name] - largest[name] >= 2))


def calibration(model: Model, labels: Ints) -> tuple[float, float]:
    """The temperature T, and the share e of labels given at random: step 4."""
    scores = model.scores(labels, _TEMPERATURES)
    chance = 1 / len(scores.mixed)
    odds = np.exp(scores.given[:, None] / _TEMPERATURES - scores.log_norms)
    # For each T the likelihood is concave in e: bisect for the point where its slope changes sign.
    low, high = np.zeros(len(_TEMPERATURES)), np.ones(len(_TEMPERATURES))
    for _ in range(30):
        share = (low + high) / 2
        rising = ((chance - odds) / (odds + share * (chance - odds))).sum(0) > 0
        low, high = np.where(rising, share, low), np.where(rising, high, share)
    best = int(np.log(odds + low * (chance - odds)).sum(0).argmax())
    return float(_TEMPERATURES[best]), float(low[best])


def agree(votes: Floats, limits: Limits) -> Bools:
    """Whether the nearest images are against the given label, by their shares (rows, 2): False where they are NaN."""
    given, suggested = votes.T
    # Rounded, because in binary fractions 0.7 - 0.4 is less than 0.3.
    lead = np.round(suggested - given, 9)
    return np.asarray((given <= limits.votes_given) & (lead > 0) & (lead >= limits.lead))


def votes_of_nearest(
    points: NDArray[np.float32], labels: Ints, suggested: Ints, groups: Ints, judged: Ints, voters: int
) -> Floats:
    """Shares of the nearest images of other groups that have the given and the suggested label: (judged, 2)."""
    compared = np.unique(np.linspace(0, len(points) - 1, min(len(points), _MOST_COMPARED)).astype(np.intp))
    others, groups_of_others, labels_of_others = points[compared], groups[compared], labels[compared]
    lengths = np.maximum(np.linalg.norm(others, axis=1), np.finfo(np.float32).tiny)
    votes = np.empty((len(judged), 2))
    nearest = min(voters, len(others) - 1)
    for run in runs(len(judged), len(others)):
        some = judged[run]
        cosines = points[some] @ others.T / lengths
        cosines[groups[some][:, None] == groups_of_others] = -np.inf
        found = np.argpartition(cosines, -nearest, axis=1)[:, -nearest:]
        valid = np.isfinite(np.take_along_axis(cosines, found, 1))
        for column, wanted in enumerate((labels[some], suggested[some])):
            is_wanted = (labels_of_others[found] == wanted[:, None]) & valid
            votes[run, column] = is_wanted.sum(1) / np.maximum(valid.sum(1), 1)
    return votes


def _signals(model: Model, labels: Ints, mixed: Floats, random_share: float) -> tuple[float, float]:
    """Mean AUROC of exchanged labels, exchanged uniformly and for confused labels: step 6.

    Labels that are wrong already lower the measured AUROC in two ways: a share r of the labels left alone is wrong too,
    and a share q = r / (C - 1) of the exchanged labels becomes right. Of a true AUROC A, 1/2 + (A - 1/2) (1 - r - q) is
    measured, and r + q is the share e of step 4. The result is corrected for this, for e up to one half.
    """
    corrected = 1 - min(random_share, 0.5)
    others = 1 - np.eye(len(mixed))
    like = mixed * others + np.finfo(np.float64).eps * others
    count = max(1, round(PLANTED_SHARE * len(labels)))
    draws = min(_MOST_DRAWS, -(-_PLANTED_ENOUGH // count))
    areas = []
    for odds in (others, like):
        steps = np.cumsum(odds, 1)
        # The rows are sorted: the same rows are drawn whatever the order of the input.
        random = np.random.default_rng(0)
        found = []
        for _ in range(draws):
            planted = random.permutation(len(labels))[:count]
            exchanged = labels.copy()
            ends = steps[labels[planted]]
            exchanged[planted] = (ends <= random.random((count, 1)) * ends[:, -1:]).sum(1)
            scores = model.scores(exchanged, np.ones(1))
            found.append(area_under_curve(scores.log_norms[:, 0] - scores.given, exchanged != labels))
        areas.append(float(0.5 + (np.mean(found) - 0.5) / corrected))
    return areas[0], areas[1]


def area_under_curve(scores: Floats, positive: Bools) -> float:
    """AUROC: how often a positive has a higher score than a negative, ties counted half (Mann and Whitney 1947).

    NaN if there are no positives or no negatives.
    """
    ones = int(positive.sum())
    zeros = len(positive) - ones
    if not ones or not zeros:
        return np.nan
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return float((ranks[places][positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))
