"""Small models on the embeddings of groundlint, whose evaluations are input for `groundlint check --evaluation`.

A classifier of images is a multinomial logistic regression. A detector is one, too: it classifies windows of several
sizes that slide over the image, moves each by a ridge regression, and keeps the most confident of those that overlap
(as R-CNN: Girshick et al., "Rich feature hierarchies for accurate object detection and semantic segmentation", CVPR
2014).
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image
from polars import DataFrame, col
from typer.testing import CliRunner

from groundlint.cli import app
from groundlint_rules.algorithms.two_groups import unit
from groundlint_rules.features.embeddings import NUMBERS, embedded

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

FOLDS = 5

_PENALTY = 3e-4
"""Weight of the squared coefficients, chosen for accuracy and calibration on half 0 of clothing."""

_STEPS = 200

_RIDGE = 10.0

_CROP_SIDE = 128
"""Side, in px, of the square that the net sees of a window."""

_LENGTHS, _ASPECTS = (1.0, 0.75, 0.55, 0.4), (0.67, 1.0, 1.5)
"""Longer side of a window as a share of that of the image, and its width relative to its height."""

_STEP = 0.3
"""Distance of two windows, as a share of their sides."""

_ONE_OF_BACKGROUND = 6
"""One in so many windows of background is used: most of them are alike."""

_OBJECT, _BACKGROUND, _SAME = 0.5, 0.3, 0.3
"""IoU with a box from which a window shows the object, below which it shows background, and from which two detections
are one."""


class Classifier(NamedTuple):
    """A logistic regression: `mean` of the features, their `scale`, and the `weights`, (features + 1, classes)."""

    mean: Floats
    scale: float
    weights: Floats

    def probabilities(self, features: Floats) -> Floats:
        """The probability of each class, (rows, classes)."""
        scores = _centered(features, self.mean, self.scale) @ self.weights
        odds = np.exp(scores - scores.max(1, keepdims=True))
        return np.asarray(odds / odds.sum(1, keepdims=True))


def _centered(features: Floats, mean: Floats, scale: float) -> Floats:
    return np.column_stack([(features - mean) * scale, np.ones(len(features))])


def classifier(features: Floats, classes: Ints, count: int) -> Classifier:
    """Fit a multinomial logistic regression to features of unit length, (rows, features).

    By gradient descent with momentum (Nesterov, "Introductory lectures on convex optimization", 2004, 2.2.1).
    """
    mean = features.mean(0)
    scale = 1 / float(np.sqrt(((features - mean) ** 2).sum(1).mean()))
    rows = _centered(features, mean, scale).astype(np.float32)
    given = np.eye(count, dtype=np.float32)[classes]
    # The mean square of a row is 2: no curvature of the loss is larger than half of it.
    rate, momentum = 1 / (1 + _PENALTY), (1 - _PENALTY**0.5) / (1 + _PENALTY**0.5)
    weights = ahead = np.zeros((rows.shape[1], count), np.float32)
    for _ in range(_STEPS):
        scores = rows @ ahead
        odds = np.exp(scores - scores.max(1, keepdims=True))
        slope = rows.T @ (odds / odds.sum(1, keepdims=True) - given) / len(rows) + _PENALTY * ahead
        before, weights = weights, ahead - rate * slope
        ahead = weights + momentum * (weights - before)
    return Classifier(mean, scale, weights.astype(np.float64))


def fold_of(source_ref: str) -> int:
    """The fold, 0 to 4, in which an image is predicted by a model of the others."""
    return hashlib.sha256(source_ref.encode()).digest()[1] % FOLDS


class Windows(NamedTuple):
    """The windows of one image: `edges`, (windows, 4) left, top, right, bottom in px, and unit `features`."""

    size: tuple[int, int]
    edges: Floats
    features: Floats


def windows(file: Path) -> Windows:
    """Slide windows over an image, and embed what each shows."""
    image = Image.open(file).convert("RGB")
    edges = np.array(sorted(set(_places(*image.size))), np.float64)
    vectors = [embedded(image.crop(tuple(int(side) for side in place)), _CROP_SIDE) for place in edges]
    return Windows(image.size, edges, unit(np.frombuffer(b"".join(vectors), np.uint8).reshape(-1, NUMBERS)))


def _places(width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    for length in _LENGTHS:
        for aspect in _ASPECTS:
            side = length * max(width, height)
            wide = min(width, round(side * min(1.0, aspect)))
            high = min(height, round(side * min(1.0, 1 / aspect)))
            for left in _starts(width, wide):
                for top in _starts(height, high):
                    yield left, top, left + wide, top + high


def _starts(whole: int, part: int) -> list[int]:
    count = 1 + int(np.ceil((whole - part) / (_STEP * part)))
    return [round(start) for start in np.linspace(0, whole - part, count)]


def overlap(some: Floats, others: Floats) -> Floats:
    """The IoU of boxes given by their edges, (some, others)."""
    low = np.maximum(some[:, None, :2], others[None, :, :2])
    high = np.minimum(some[:, None, 2:], others[None, :, 2:])
    shared = np.maximum(high - low, 0).prod(2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (some, others)]
    return np.asarray(shared / (areas[0][:, None] + areas[1] - shared))


class Box(NamedTuple):
    """A box or a detection: its label, its edges in px, and the confidence of a detection."""

    label: str
    edges: tuple[float, float, float, float]
    confidence: float = 1.0


class Detector:
    """A detector, fitted to windows and boxes of images."""

    def __init__(self, images: Iterable[tuple[Windows, Sequence[Box]]], labels: Sequence[str]) -> None:
        self._labels = labels
        features, classes, near, moves = [], [], [], []
        for seen, boxes in images:
            edges = np.array([box.edges for box in boxes]).reshape(-1, 4)
            shared = overlap(seen.edges, edges) if boxes else np.zeros((len(seen.edges), 1))
            best, nearest = shared.max(1), shared.argmax(1)
            is_object = best >= _OBJECT
            used = is_object.copy()
            used[np.flatnonzero(best < _BACKGROUND)[::_ONE_OF_BACKGROUND]] = True
            kinds = np.array([labels.index(box.label) for box in boxes] or [0])
            features.append(seen.features[used])
            classes.append(np.where(is_object, kinds[nearest], len(labels))[used])
            if boxes:
                near.append(seen.features[is_object])
                moves.append(_moves(seen.edges[is_object], edges[nearest[is_object]]))
        self._classifier = classifier(np.concatenate(features), np.concatenate(classes), len(labels) + 1)
        rows, targets = np.concatenate(near), np.concatenate(moves)
        self._mean, self._move = rows.mean(0), targets.mean(0)
        centered = (rows - self._mean) * self._classifier.scale
        # The products of the rows are fewer than those of the features.
        products = centered @ centered.T + _RIDGE * np.eye(len(rows))
        self._slopes = centered.T @ np.linalg.solve(products, targets - self._move)

    def __call__(self, seen: Windows, least: float = 0.05) -> list[Box]:
        """What is detected in an image, with at least some confidence, the most confident first."""
        confidences = self._classifier.probabilities(seen.features)[:, :-1]
        moves = (seen.features - self._mean) * self._classifier.scale @ self._slopes + self._move
        edges = np.clip(_moved(seen.edges, moves), 0, np.tile(seen.size, 2))
        found = []
        for number, label in enumerate(self._labels):
            of_label = confidences[:, number]
            left = [place for place in np.argsort(-of_label, kind="stable") if of_label[place] >= least]
            while left:
                first = left[0]
                found.append(Box(label, tuple(edges[first].tolist()), float(of_label[first])))
                shared = overlap(edges[first : first + 1], edges[left])[0]
                left = [place for place, share in zip(left, shared, strict=True) if share < _SAME and place != first]
        return sorted(found, key=lambda box: -box.confidence)


def _moves(edges: Floats, to: Floats) -> Floats:
    """The shift of the center, relative to the sides, and the logarithm of the scale of the sides."""
    sides, to_sides = edges[:, 2:] - edges[:, :2], to[:, 2:] - to[:, :2]
    shift = (to[:, :2] + to_sides / 2 - edges[:, :2] - sides / 2) / sides
    return np.column_stack([shift, np.log(to_sides / sides)])


def _moved(edges: Floats, moves: Floats) -> Floats:
    sides = edges[:, 2:] - edges[:, :2]
    center, to_sides = edges[:, :2] + sides / 2 + moves[:, :2] * sides, sides * np.exp(moves[:, 2:])
    return np.column_stack([center - to_sides / 2, center + to_sides / 2])


class Advice(NamedTuple):
    """What a check says of an evaluation: its findings, and the rows of the table of thresholds."""

    findings: list[dict[str, Any]]
    thresholds: DataFrame

    def pairs(self) -> Iterator[tuple[str, str, list[str]]]:
        """The pairs of labels that are confused, and the images to look at."""
        for finding in self.findings:
            if finding["code"] == "EVA301":
                said = re.match("'(.+)' and '(.+)' are confused", finding["message"])
                assert said
                yield said[1], said[2], [image["source_ref"] for image in finding["related"]]

    def assumed(self) -> dict[str, float]:
        """The threshold in force of each label."""
        return self._at(col("point") == "assumed")

    def advised(self) -> dict[str, float]:
        """The other threshold of each label for which one is advised."""
        points = {"EVA201": "precision", "EVA202": "recall"}
        found = {each["label"]: points[each["code"]] for each in self.findings if each["code"] in points}
        return self._at(col("point") == col("label").replace_strict(found, default=None, return_dtype=pl.String))

    def _at(self, chosen: pl.Expr) -> dict[str, float]:
        return dict(self.thresholds.filter(chosen).drop_nulls("threshold").select("label", "threshold").iter_rows())


def advice(
    data: Path,
    cache: Path,
    evaluated: Sequence[Mapping[str, Any]],
    predictions: DataFrame,
    trained: Sequence[Mapping[str, Any]] = (),
    target: str = "rekognition",
) -> Advice:
    """What `groundlint check --evaluation` says of predictions.

    Args:
        data: Folder of the public sets.
        cache: Folder for measurements of images.
        evaluated: Lines of the manifest on whose images the model is evaluated.
        predictions: A table as --evaluation reads it.
        trained: Lines of the training manifest, if it is another one.
        target: What the images are for. The service refuses images of 32 px, whose lines have no other findings.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        predictions.write_csv(folder / "predictions.csv")
        manifests = [_written(evaluated, folder / "evaluated.manifest")]
        if trained:
            manifests = ["--train", _written(trained, folder / "train.manifest"), "--test", *manifests]
        arguments = ["check", *manifests, "--isolated", "--select", "EVA", "--preview", "--exit-zero"]
        arguments += ["--evaluation", str(folder / "predictions.csv"), "--output", f"json:{folder / 'report.json'}"]
        arguments += ["--images", f"s3://datasets={data}", "--cache-dir", str(cache), "--target", target]
        _run(arguments)
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return Advice(report["findings"], DataFrame(report["evaluation"], infer_schema_length=None))


def metrics(lines: Sequence[Mapping[str, Any]], predictions: DataFrame, thresholds: Mapping[str, float]) -> DataFrame:
    """The table `label_metrics` of predictions at given thresholds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        predictions.write_csv(folder / "predictions.csv")
        results = [{"Label": label, "Metrics": {"Threshold": each}} for label, each in sorted(thresholds.items())]
        (folder / "summary.json").write_text(json.dumps({"LabelEvaluationResults": results}), encoding="utf-8")
        arguments = ["export", "label_metrics", _written(lines, folder / "a.manifest"), "--isolated", "--no-cache"]
        arguments += ["--evaluation", str(folder / "predictions.csv"), "--evaluation", str(folder / "summary.json")]
        _run([*arguments, "--to", str(folder / "metrics.parquet")])
        return pl.read_parquet(folder / "metrics.parquet")


def averaged(rows: Sequence[Mapping[str, Any]]) -> DataFrame:
    """Means over the divisions of each step, with the standard error of the change of F1 from the first step."""
    frame = DataFrame(rows, infer_schema_length=None)
    frame = frame.join(frame.filter(col("step") == "as it is").select("seed", base="f1"), on="seed")
    frame = frame.with_columns(change=col("f1") - col("base"))
    numbers = [name for name in frame.columns if name not in ("step", "seed", "base", "change")]
    change = (col("change").mean().round(3), (col("change").std() / pl.len().sqrt()).round(3).alias("error"))
    means = [col(name).mean().round(3) for name in numbers]
    return frame.group_by("step", maintain_order=True).agg(pl.len().alias("divisions"), *means, *change)


def _written(lines: Sequence[Mapping[str, Any]], file: Path) -> str:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return str(file)


def _run(arguments: Sequence[str]) -> None:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
