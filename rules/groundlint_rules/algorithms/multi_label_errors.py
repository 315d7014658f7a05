"""Which pictures bear a label wrongly, where one may bear several: each label against all that lack it.

What `_odds` does for labels of which a picture bears one is done for each of many with two answers, bears it or not;
the features' components and their products are made once for all. Only pictures that bear the label are judged: that
others lack it may mean that nobody looked for it. For the self-check pictures that lack the label are given it, one for
twenty that bear it, and it is asked how far before these they are suspected.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

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
    numbered,
)
from groundlint_rules.algorithms.label_errors import (
    PLANTED_SHARE,
    Limits,
    Probabilities,
    area_under_curve,
    calibration,
    judged_names,
    votes_of_nearest,
)

LIMITS = Limits(p_given=0.005, votes_given=0.05)
"""From where on a label is flagged: found on the half of clothing's images that is not reported (mislabel.py)."""

_PLANTED_ENOUGH, _MOST_DRAWS = 50, 5

_LACKS, _BEARS = 0, 1


@dataclass(frozen=True)
class TagOdds:
    """What was found of one label, one element for each picture that bears it.

    Attributes:
        rows: Of the pictures, in the caller's count.
        suspicion: 1 - p(bears it) before calibration: the order of suspects.
        p_given: Calibrated probability that it is borne rightly.
        flagged: Whether it is a suspect to be reported.
        signal: Area under the curve of the self-check.
    """

    rows: Ints
    suspicion: Floats
    p_given: Floats
    flagged: NDArray[np.bool_]
    signal: float


def tag_odds(
    blocks: Sequence[Block],
    bearers: Mapping[str, Sequence[int]],
    groups: Sequence[str],
    limits: Limits = LIMITS,
    probabilities: Probabilities | None = None,
) -> Iterator[tuple[str, TagOdds]]:
    """Judges labels of which a picture may bear several.

    Args:
        blocks: Features of the same pictures, at least one block.
        bearers: The rows of the pictures that bear each label.
        groups: The group of near-duplicates of each picture.
        limits: From where on a label is flagged.
        probabilities: Those of a model that has not seen the pictures, in place of our own.

    Yields:
        Each label with enough pictures that bear it and enough that lack it, and with a probability if any has one.
    """
    count = len(groups)
    ids = [group.encode("utf-8", "surrogatepass") for group in groups]
    order = in_own_order(blocks, [""] * count, ids, {""})
    folds = np.array([fold_of(group) for group in ids], np.intp)
    group = numbered([ids[row] for row in order])
    points = np.hstack([components(block, order) for block in blocks])
    model: Model = Discriminant(points, folds[order], 2)
    for name in sorted(bearers):
        if probabilities:
            if name not in probabilities.names:
                continue
            bearing = probabilities.of(order, [name])
            model = Brought(np.hstack([1 - bearing, bearing]))
        bears = np.zeros(count, np.intp)
        bears[list(bearers[name])] = _BEARS
        if len(judged_names([str(answer) for answer in bears], ids, folds)) == 2:
            yield name, _of_tag(points, model, bears[order], group, order, limits)


def _of_tag(
    points: NDArray[np.float32], model: Model, labels: Ints, group: Ints, order: Ints, limits: Limits
) -> TagOdds:
    temperature, _ = calibration(model, labels)
    scores = model.scores(labels, np.array([1.0, temperature]))
    p_given = np.exp(scores.given / temperature - scores.log_norms[:, 1])
    bearing = np.flatnonzero(labels == _BEARS)
    doubted = bearing[(p_given[bearing] <= limits.p_given) & (1 - p_given[bearing] >= limits.p_suggested)]
    votes = np.full(len(labels), np.nan)
    votes[doubted] = votes_of_nearest(points, labels, np.full(len(labels), _LACKS), group, doubted)[:, 0]
    signal = _signal(model, labels)
    flagged = (votes[bearing] <= limits.votes_given) & (signal >= limits.signal)
    suspicion = -np.expm1(scores.given[bearing] - scores.log_norms[bearing, 0])
    # Rows in the caller's count, ascending.
    places = np.argsort(order[bearing])
    return TagOdds(order[bearing][places], suspicion[places], p_given[bearing][places], flagged[places], signal)


def _signal(model: Model, labels: Ints) -> float:
    """How well pictures that were given the label as a trial are told from those that bear it."""
    lacking = np.flatnonzero(labels == _LACKS)
    count = max(1, round(PLANTED_SHARE * (len(labels) - len(lacking))))
    random = np.random.default_rng(0)
    areas = []
    for _ in range(min(_MOST_DRAWS, -(-_PLANTED_ENOUGH // count))):
        exchanged = labels.copy()
        exchanged[random.permutation(lacking)[:count]] = _BEARS
        scores = model.scores(exchanged, np.ones(1))
        bearing = exchanged == _BEARS
        areas.append(area_under_curve((scores.log_norms[:, 0] - scores.given)[bearing], (exchanged != labels)[bearing]))
    return float(np.mean(areas))
