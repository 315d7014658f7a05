"""Probably wrong labels where an image may have several: each label against all images that lack it.

What `label_errors` does for one label per image is done for each of several labels with two answers, has it or lacks it
(one-vs-rest). The components of the features and their products are computed once for all labels. Only images that have
the label are judged, because an image may lack a label merely because nobody looked for it. For the self-check, images
that lack the label are given it, one per twenty that have it, and the check measures how high these rank as suspects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

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
    numbered,
    points_of,
)
from groundlint_rules.algorithms.label_errors import (
    PLANTED_SHARE,
    Limits,
    Probabilities,
    area_under_curve,
    calibration,
    judged_names,
    suspicions,
    votes_of_nearest,
)

LIMITS = Limits(p_given=0.005, votes_given=0.05)
"""Thresholds from which a label is flagged, tuned on the half of clothing not reported by benchmarks/mislabel.py."""

_PLANTED_ENOUGH, _MOST_DRAWS = 50, 5

_LACKS, _HAS = 0, 1


@dataclass(frozen=True)
class OneVsRestOdds:
    """Results for one label, one element per image that has it.

    Attributes:
        rows: The images, as rows of the caller, ascending.
        suspicion: How suspect the label is: see `label_errors.suspicions`. The order of suspects.
        p_given: Calibrated probability that the image has the label.
        flagged: Whether the label is a suspect to report.
        signal: AUROC of the self-check.
    """

    rows: Ints
    suspicion: Floats
    p_given: Floats
    flagged: NDArray[np.bool_]
    signal: float


def one_vs_rest_odds(
    blocks: Sequence[Block],
    having: Mapping[str, Sequence[int]],
    groups: Sequence[str],
    limits: Limits = LIMITS,
    probabilities: Probabilities | None = None,
) -> Iterator[tuple[str, OneVsRestOdds]]:
    """Judge labels where an image may have several.

    Args:
        blocks: Features of the same images, at least one block.
        having: Rows of the images that have each label.
        groups: Group of near-duplicates of each image.
        limits: Thresholds from which a label is flagged.
        probabilities: Those of a model that has not seen the images, in place of the discriminant.

    Yields:
        Each label that enough images have and enough images lack, and that the probabilities, if given, cover.
    """
    count = len(groups)
    ids = [group.encode("utf-8", "surrogatepass") for group in groups]
    order = in_own_order(blocks, [""] * count, ids, {""})
    folds = np.array([fold_of(group) for group in ids], np.intp)
    group = numbered([ids[row] for row in order])
    points = points_of(blocks, order)
    model: Model = Discriminant(points, folds[order], 2)
    for name in sorted(having):
        if probabilities:
            if name not in probabilities.names:
                continue
            p_has = probabilities.of(order, [name])
            model = UserModel(np.hstack([1 - p_has, p_has]))
        answers = np.zeros(count, np.intp)
        answers[list(having[name])] = _HAS
        if len(judged_names([str(answer) for answer in answers], ids, folds)) == 2:
            yield name, _of_label(points, model, answers[order], group, order, limits)


def _of_label(
    points: NDArray[np.float32], model: Model, labels: Ints, group: Ints, order: Ints, limits: Limits
) -> OneVsRestOdds:
    temperature, _ = calibration(model, labels)
    scores = model.scores(labels, np.array([1.0, temperature]))
    p_given = np.exp(scores.given / temperature - scores.log_norms[:, 1])
    having = np.flatnonzero(labels == _HAS)
    unlikely = having[(p_given[having] <= limits.p_given) & (1 - p_given[having] >= limits.p_suggested)]
    votes = np.full(len(labels), np.nan)
    lacks = np.full(len(labels), _LACKS)
    votes[unlikely] = votes_of_nearest(points, labels, lacks, group, unlikely, limits.voters)[:, 0]
    signal = _signal(model, labels)
    flagged = (votes[having] <= limits.votes_given) & (signal >= limits.signal)
    suspicion = suspicions(scores.log_odds[having])
    places = np.argsort(order[having])
    return OneVsRestOdds(order[having][places], suspicion[places], p_given[having][places], flagged[places], signal)


def _signal(model: Model, labels: Ints) -> float:
    """AUROC by which images that were given the label for the self-check rank before those that have it."""
    lacking = np.flatnonzero(labels == _LACKS)
    count = max(1, round(PLANTED_SHARE * (len(labels) - len(lacking))))
    random = np.random.default_rng(0)
    areas = []
    for _ in range(min(_MOST_DRAWS, -(-_PLANTED_ENOUGH // count))):
        exchanged = labels.copy()
        exchanged[random.permutation(lacking)[:count]] = _HAS
        scores = model.scores(exchanged, np.ones(1))
        having = exchanged == _HAS
        areas.append(area_under_curve((scores.log_norms[:, 0] - scores.given)[having], (exchanged != labels)[having]))
    return float(np.mean(areas))
