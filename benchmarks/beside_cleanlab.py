"""Compare the search for wrong labels with cleanlab, on the same components of the same features, in one run.

`pip install cleanlab scikit-learn datasets`, then `python benchmarks/beside_cleanlab.py DATA`. Confident learning uses
a logistic regression over the same five folds, with the regularization that is best on half 0; Datalab uses the
features alone. All figures are of half 1.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import mislabel
import numpy as np
from cleanlab import Datalab
from cleanlab.filter import find_label_issues
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from groundlint_rules.algorithms.discriminant import FOLDS, components, fold_of
from groundlint_rules.algorithms.label_errors import area_under_curve
from groundlint_rules.features.embeddings import SIDE

Floats = NDArray[np.float64]

STRENGTHS = (0.003, 0.01, 0.03, 0.1, 1.0)
"""Inverse strengths of regularization; scikit-learn's default is 1."""


class Found:
    """Areas under the curve and flagged labels of one method in the trials of one kind."""

    def __init__(self) -> None:
        self.areas: dict[bool, list[float]] = {False: [], True: []}
        self.flagged = self.hits = self.rows = 0

    def add(self, trial: mislabel.Trial, suspicion: Floats, flagged: NDArray[np.bool_]) -> None:
        for half in self.areas:
            here = trial.images.reported == half
            self.areas[half].append(area_under_curve(suspicion[here], trial.wrong[here]))
        here = trial.images.reported
        self.flagged += int(flagged[here].sum())
        self.hits += int((flagged & trial.wrong)[here].sum())
        self.rows += int(here.sum())

    def area(self, half: bool) -> float:
        """Mean area under the curve; 0 where no label is wrong."""
        return float(np.nan_to_num(np.mean(self.areas[half])))

    def __str__(self) -> str:
        said = f"{self.flagged / self.rows:.1%}"
        if not self.hits:
            return said
        return f"{self.area(half=True):.3f}; {said}, {self.hits / self.flagged:.2f}"


def probabilities(points: Floats, labels: NDArray[np.intp], folds: NDArray[np.intp], strength: float) -> Floats:
    """Probabilities of labels from logistic regressions over the other folds. Shape (rows, labels)."""
    made = np.zeros((len(points), labels.max() + 1))
    for fold in range(FOLDS):
        out = folds == fold
        model = LogisticRegression(C=strength, max_iter=200).fit(points[~out], labels[~out])
        made[out] = model.predict_proba(points[out])
    return made


def compared(trials: Sequence[mislabel.Trial], given: Sequence[Sequence[str]]) -> Iterator[tuple[str, Found]]:
    """Yield the figures of each method on the trials of one kind, with the labels given in each."""
    images = trials[0].images
    points = np.hstack([components(block, np.arange(len(images.refs))) for block in images.blocks]).astype(float)
    folds = np.array([fold_of(ref.encode()) for ref in images.refs])
    ours, datalab = Found(), Found()
    regressions = {strength: Found() for strength in STRENGTHS}
    for trial, names in zip(trials, given, strict=True):
        ours.add(trial, trial.odds.suspicion, trial.flagged())
        labels = np.unique(names, return_inverse=True)[1]
        for strength, found in regressions.items():
            odds = probabilities(points, labels, folds, strength)
            flagged = find_label_issues(labels, odds, n_jobs=1)
            found.add(trial, 1 - odds[np.arange(len(labels)), labels], flagged)
        with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
            lab = Datalab({"label": labels.tolist()}, label_name="label")
            lab.find_issues(features=points, issue_types={"label": {}})
        issues = lab.get_issues("label")
        datalab.add(trial, 1 - issues["label_score"].to_numpy(), issues["is_label_issue"].to_numpy())
    yield "groundlint", ours
    best = max(regressions.values(), key=lambda found: found.area(half=False))
    yield "logistic regression and confident learning", best
    yield "Datalab", datalab


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(".groundlint_cache/benchmarks"))
    parser.add_argument("--side", type=int, default=SIDE)
    parser.add_argument("--draws", type=int, default=4)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print("Half 1: area under the curve; share of labels flagged, precision of the flagged labels\n")
    for what, trials in mislabel.trials(arguments.data, arguments.cache, arguments.side, arguments.draws).items():
        print(what)
        for name, found in compared(trials, [trial.given for trial in trials]):
            print(f"  {name}: {found}", flush=True)


if __name__ == "__main__":
    main()
