"""Measure how often the rules on evaluations find what is planted in the evaluation of a classifier.

Every image of clothing, trashnet and cifar10n is predicted by a classifier of the embeddings that was trained on the
other four fifths. A summary like the service's is computed here, without groundlint, at the threshold of each label
with the highest F1. A draw chooses the label in which a fault is planted, among those that are not reported without it.

Two rules are followed from the training to the report, once for each label or pair of labels of clothing and trashnet:

- unknown-label: the labels of all images of a label are removed, so that no model knows them.
- label-of-two-kinds: two labels become one, with all their images to train on or with 12 of the rarer label; as a
  control, one label alone with 12 images to train on.

accuracy.py runs it.
"""

from __future__ import annotations

import itertools
import json
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from followed_advice import advice
from measured import Measured
from numpy.typing import NDArray
from trained_models import FOLDS, Floats, Ints, Labeled, fold_of, held_out

import groundlint
from groundlint_rules.evaluation.kinds import MixedLabel

SETS = ("clothing", "trashnet", "cifar10n")
FOLLOWED = ("clothing", "trashnet")
DRAWS = 10

FEW = 12
"""Images of a label that are left to train a model on, if there are as many."""

Summary = dict[str, Any]


class Evaluation:
    """The evaluation of a classifier: classes and confidences of the images in `rows`, and a threshold a label.

    Confidences are (rows, labels), and have the six decimals of the table of predictions.
    """

    def __init__(self, images: Labeled, confidences: Floats) -> None:
        self.images = images
        self.rows: Ints = np.arange(len(images.refs))
        self.classes = images.classes.copy()
        self.confidences = confidences.round(6)
        self.thresholds = np.array([best_threshold(*self.of(number)) for number in range(len(images.names))])

    def of(self, number: int) -> tuple[Floats, NDArray[np.bool_]]:
        """The confidences of a label, and which images have it."""
        return self.confidences[self.rows, number], self.classes[self.rows] == number

    def summary(self) -> Summary:
        """The metrics of each label and of all, and the confusion matrix, as the service writes them."""
        is_given = np.eye(len(self.images.names), dtype=bool)[self.classes[self.rows]]
        is_positive = self.confidences[self.rows] >= self.thresholds
        right, positive, given = (each.sum(0) for each in (is_given & is_positive, is_positive, is_given))
        metrics = {
            "Precision": right / np.maximum(positive, 1),
            "Recall": right / np.maximum(given, 1),
            "F1Score": 2 * right / np.maximum(positive + given, 1),
        }
        missed = is_given & ~is_positive
        taken = (missed.T.astype(int) @ (is_positive & ~is_given)) / np.maximum(given, 1)[:, None]
        labels = self.images.names
        return {
            "Version": 1,
            "AggregatedEvaluationResults": {name: float(values.mean()) for name, values in metrics.items()}
            | {
                "ConfusionMatrix": [
                    {"GroundTruthLabel": label, "PredictedLabel": other, "Value": float(taken[a, b])}
                    for (a, label), (b, other) in itertools.permutations(enumerate(labels), 2)
                    if taken[a, b]
                ]
            },
            "LabelEvaluationResults": [
                {
                    "Label": label,
                    "NumberOfTestingImages": int(given[n]),
                    "Metrics": {name: float(values[n]) for name, values in metrics.items()}
                    | {"Threshold": float(self.thresholds[n])},
                }
                for n, label in enumerate(labels)
            ],
        }


def best_threshold(confidences: Floats, is_given: NDArray[np.bool_]) -> float:
    """The highest of the confidences with the highest F1."""
    levels, precision, recall = curve(confidences, is_given)
    return float(levels[(2 * precision * recall / np.maximum(precision + recall, 1e-12)).round(9).argmax()])


def curve(confidences: Floats, is_given: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    """Each confidence as a threshold, the highest first, with the precision and the recall there."""
    levels = np.unique(confidences)[::-1]
    positive = np.searchsorted(np.sort(-confidences), -levels, side="right")
    right = np.searchsorted(np.sort(-confidences[is_given]), -levels, side="right")
    return levels, right / positive, right / is_given.sum()


class Case(NamedTuple):
    """A fault of one label, and the rule that should find it. `plant` returns the summary of the changed evaluation,
    and the labels that should be reported.
    """

    rule: str
    fault: str
    plant: Callable[[random.Random, Evaluation, int], tuple[Summary, set[str]]]


def other_metric(draw: random.Random, evaluation: Evaluation, number: int) -> tuple[Summary, set[str]]:
    summary = evaluation.summary()
    metrics = summary["LabelEvaluationResults"][number]["Metrics"]
    figure = draw.choice(["Precision", "Recall", "F1Score"])
    metrics[figure] = shifted(draw, metrics[figure])
    return summary, {evaluation.images.names[number]}


def other_count(draw: random.Random, evaluation: Evaluation, number: int) -> tuple[Summary, set[str]]:
    summary = evaluation.summary()
    summary["LabelEvaluationResults"][number]["NumberOfTestingImages"] += draw.choice([-2, -1, 1, 2])
    return summary, {evaluation.images.names[number]}


def relabeled(draw: random.Random, evaluation: Evaluation, number: int) -> tuple[Summary, set[str]]:
    """A tenth of a label gets another one after the evaluation."""
    summary = evaluation.summary()
    own = np.flatnonzero(evaluation.classes == number).tolist()
    other = draw.choice([n for n in range(len(evaluation.images.names)) if n != number])
    evaluation.classes[draw.sample(own, max(1, len(own) // 10))] = other
    return summary, {evaluation.images.names[n] for n in (number, other)}


def few_images(draw: random.Random, evaluation: Evaluation, number: int) -> tuple[Summary, set[str]]:
    """3 to 9 of the images of a label are evaluated."""
    own = np.flatnonzero(evaluation.classes == number).tolist()
    left_out = draw.sample(own, len(own) - draw.randint(3, 9))
    evaluation.rows = np.setdiff1d(evaluation.rows, left_out)
    return evaluation.summary(), {evaluation.images.names[number]}


def other_aggregate(draw: random.Random, evaluation: Evaluation, number: int) -> tuple[Summary, set[str]]:
    summary = evaluation.summary()
    figures, figure = summary["AggregatedEvaluationResults"], draw.choice(["Precision", "Recall", "F1Score"])
    figures[figure] = shifted(draw, figures[figure])
    return summary, set()


def other_cell(draw: random.Random, evaluation: Evaluation, number: int) -> tuple[Summary, set[str]]:
    summary = evaluation.summary()
    cell = draw.choice(summary["AggregatedEvaluationResults"]["ConfusionMatrix"])
    cell["Value"] = shifted(draw, cell["Value"])
    return summary, {cell["GroundTruthLabel"]}


def shifted(draw: random.Random, figure: float) -> float:
    """A figure from 0 to 1 changed by 0.05 to 0.3."""
    change = draw.uniform(0.05, 0.3)
    return figure + change if figure + change <= 1 else figure - change


def threshold_too_low(draw: random.Random, evaluation: Evaluation, number: int) -> tuple[Summary, set[str]]:
    """The highest threshold where the precision is 0.2 to 0.5 below the recall."""
    levels, precision, recall = curve(*evaluation.of(number))
    evaluation.thresholds[number] = levels[recall - precision >= draw.uniform(0.2, 0.5)][0]
    return evaluation.summary(), {evaluation.images.names[number]}


def threshold_too_high(draw: random.Random, evaluation: Evaluation, number: int) -> tuple[Summary, set[str]]:
    """The lowest threshold where the recall is 0.2 to 0.5 below the precision."""
    levels, precision, recall = curve(*evaluation.of(number))
    evaluation.thresholds[number] = levels[precision - recall >= draw.uniform(0.2, 0.5)][-1]
    return evaluation.summary(), {evaluation.images.names[number]}


def low_confidences(draw: random.Random, evaluation: Evaluation, number: int) -> tuple[Summary, set[str]]:
    evaluation.confidences[:, number] = (evaluation.confidences[:, number] * 0.4).round(6)
    evaluation.thresholds[number] = best_threshold(*evaluation.of(number))
    return evaluation.summary(), {evaluation.images.names[number]}


CASES = (
    Case("EVA101", "a metric of a label changed by 0.05 to 0.3 in the summary", other_metric),
    Case("EVA101", "the number of images of a label changed by 1 or 2 in the summary", other_count),
    Case("EVA101", "a tenth of a label relabeled after the evaluation", relabeled),
    Case("EVA102", "3 to 9 evaluated images of a label", few_images),
    Case("EVA103", "a metric of all labels changed by 0.05 to 0.3 in the summary", other_aggregate),
    Case("EVA103", "a cell of the confusion matrix changed by 0.05 to 0.3", other_cell),
    Case("EVA201", "a threshold where the precision is 0.2 to 0.5 below the recall", threshold_too_low),
    Case("EVA202", "a threshold where the recall is 0.2 to 0.5 below the precision", threshold_too_high),
    Case("EVA305", "the confidences of a label multiplied by 0.4", low_confidences),
)


def reported(rule: str, evaluation: Evaluation, summary: Summary) -> list[str | None]:
    """The labels that a rule reports; none for a finding on all labels."""
    with tempfile.TemporaryDirectory() as name:
        files = {each: Path(name) / each for each in ("a.manifest", "predictions.csv", "summary.json")}
        lines = evaluation.images.manifest(evaluation.rows, evaluation.classes)
        files["a.manifest"].write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        predictions = evaluation.images.predictions(evaluation.rows, evaluation.confidences[evaluation.rows])
        predictions.write_csv(files["predictions.csv"])
        files["summary.json"].write_text(json.dumps(summary), encoding="utf-8")
        found = groundlint.check(
            files["a.manifest"],
            select=rule,
            target="ground-truth",
            isolated=True,
            evaluation=[files["predictions.csv"], files["summary.json"]],
        )
        return found.findings["label"].to_list()


def of_case(case: Case, sets: Mapping[str, tuple[Labeled, Floats]]) -> str:
    """In how many draws of each set a fault is found, and what else is reported."""
    found, other, sound = [], 0, 0
    for images, confidences in sets.values():
        evaluation = Evaluation(images, confidences)
        before = reported(case.rule, evaluation, evaluation.summary())
        sound += len(before)
        numbers = [n for n, name in enumerate(images.names) if name not in before]
        found.append(0)
        for seed in range(DRAWS):
            draw, evaluation = random.Random(seed), Evaluation(images, confidences)
            summary, wanted = case.plant(draw, evaluation, draw.choice(numbers))
            labels = reported(case.rule, evaluation, summary)
            found[-1] += wanted <= set(labels) if wanted else None in labels
            other += sum(label not in {*wanted, *before} for label in labels) - (not wanted and None in labels)
    each = ", ".join(f"{count} of {DRAWS}" for count in found)
    return f"{each}; {other} other findings, and {sound} without the fault"


def of_removed(images: Labeled) -> str:
    """How many labels are reported that no model knows, and how many findings show something else."""
    found = other = 0
    for number, label in enumerate(images.names):
        names = [name for name in images.names if name != label]
        is_removed = images.classes == number
        unknown = images.with_classes(
            names, np.where(is_removed, -1, images.classes - (images.classes > number)).astype(np.intp)
        )
        removed = {images.refs[row] for row in np.flatnonzero(is_removed)}
        rows = np.arange(len(images.refs))
        lines, predicted = unknown.manifest(rows, unknown.classes), unknown.predictions(rows, held_out(unknown))
        said = advice(images.data, images.cache, lines, predicted, target="ground-truth", rules="EVA303")
        # The false positives that are shown are the last three.
        right = [{each["source_ref"] for each in one["related"][3:]} <= removed for one in said.findings]
        found, other = found + any(right), other + right.count(False)
    return f"{found} of {len(images.names)} labels, {other} other findings"


def few_left(images: Labeled, number: int) -> NDArray[np.bool_]:
    """Which images of a label are left out, so that each model is trained on 12 of it: 3 of each of four folds."""
    is_left_out = images.classes == number
    folds = np.array([fold_of(ref) for ref in images.refs])
    for fold in range(FOLDS):
        is_left_out[np.flatnonzero(is_left_out & (folds == fold))[: FEW // (FOLDS - 1)]] = False
    return is_left_out


def of_two_kinds(images: Labeled, is_left_out: NDArray[np.bool_] | None, number: int) -> tuple[bool, bool]:
    """Whether the recall of a label is low, and whether the label is reported."""
    confidences = held_out(images, is_left_out)
    evaluation = Evaluation(images, confidences)
    metrics = evaluation.summary()["LabelEvaluationResults"][number]["Metrics"]
    if metrics["Recall"] > MixedLabel().max_recall:
        return False, False
    rows = evaluation.rows
    lines, predicted = images.manifest(rows, images.classes), images.predictions(rows, confidences)
    said = advice(images.data, images.cache, lines, predicted, target="ground-truth", rules="EVA304")
    return True, images.names[number] in {each["label"] for each in said.findings}


def merged(images: Labeled, a: int, b: int) -> Labeled:
    """The images with two labels as one: `a` of the two, `a` < `b`."""
    names = [name for number, name in enumerate(images.names) if number != b]
    classes = np.where(images.classes == b, a, images.classes - (images.classes > b))
    return images.with_classes(names, classes.astype(np.intp))


def of_merged(images: Labeled) -> Iterator[tuple[str, str]]:
    """How many labels have a low recall, and how many of these are reported."""
    counts = np.bincount(images.classes)
    pairs = list(itertools.combinations(range(len(images.names)), 2))
    rarer = [min(pair, key=lambda number: counts[number]) for pair in pairs]
    cases = {
        "two labels as one": [of_two_kinds(merged(images, a, b), None, a) for a, b in pairs],
        f"two labels as one, {FEW} images of the rarer one to train on": [
            of_two_kinds(merged(images, a, b), few_left(images, rare), a)
            for (a, b), rare in zip(pairs, rarer, strict=True)
        ],
        "one label": [of_two_kinds(images, None, number) for number in range(len(images.names))],
        f"one label, {FEW} images of it to train on": [
            of_two_kinds(images, few_left(images, number), number) for number in range(len(images.names))
        ],
    }
    for what, outcomes in cases.items():
        low, found = (sum(each) for each in zip(*outcomes, strict=True))
        yield what, f"{found} of {low} ({len(outcomes)} in all)"


def figures(data: Path) -> Iterator[Measured]:
    """What is found of each planted fault."""
    with tempfile.TemporaryDirectory() as cache:
        labeled = [Labeled(data, name, Path(cache)) for name in SETS]
        sets = {name: (images, held_out(images)) for name, images in zip(SETS, labeled, strict=True)}
        for case in CASES:
            figure = of_case(case, sets)
            yield Measured(case.rule, ", ".join(SETS), f"planted faults found: {case.fault}", figure)
        for name in FOLLOWED:
            images, _ = sets[name]
            what = "labels found that were removed from their images before the training"
            yield Measured("EVA303", f"{name}, all images", what, of_removed(images))
            for what, figure in of_merged(images):
                yield Measured("EVA304", f"{name}, all images", f"labels of low recall reported: {what}", figure)
