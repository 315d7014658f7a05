"""Small models on the embeddings of groundlint, whose evaluations are input for `groundlint check --evaluation`.

A classifier of images is a multinomial logistic regression. A detector is one, too: it classifies windows of several
sizes that slide over the image, moves each by a ridge regression, and keeps the most confident of those that overlap
(as R-CNN: Girshick et al., "Rich feature hierarchies for accurate object detection and semantic segmentation", CVPR
2014).
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from measured import exported
from numpy.typing import NDArray
from PIL import Image
from polars import DataFrame

from groundlint_rules.algorithms.stacked import stacked
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


class Labeled:
    """A set with one label an image: manifest lines, embeddings of unit length, and class numbers, -1 for no label."""

    def __init__(self, data: Path, name: str, cache: Path) -> None:
        file = data / name / "output.manifest"
        labels = exported("labels", file, cache).select("source_ref", "attribute", "label", "line")
        rows = labels.join(exported("images", file, cache).select("source_ref", "image_embedding"), on="source_ref")
        rows = rows.drop_nulls("image_embedding").sort("source_ref")
        texts = file.read_text(encoding="utf-8").splitlines()
        self.data, self.cache = data, cache
        self.lines = [json.loads(texts[line - 1]) for line in rows["line"]]
        self.refs = rows["source_ref"].to_list()
        self.attribute = rows["attribute"][0]
        self.names = sorted(rows["label"].unique())
        self.classes = np.array([self.names.index(label) for label in rows["label"]])
        self.features = unit(stacked(rows["image_embedding"], NUMBERS, np.uint8))

    def with_classes(self, names: list[str], classes: Ints) -> Labeled:
        """The same images with other labels."""
        other = copy.copy(self)
        other.names, other.classes = names, classes
        return other

    def manifest(self, rows: Ints, classes: Ints) -> list[dict[str, Any]]:
        """Lines of some images with the given labels."""
        found = []
        for row in rows:
            line = dict(self.lines[row])
            described = line.pop(f"{self.attribute}-metadata")
            del line[self.attribute]
            if classes[row] >= 0:
                described = described | {"class-name": self.names[classes[row]]}
                line |= {self.attribute: int(classes[row]), f"{self.attribute}-metadata": described}
            found.append(line)
        return found

    def predictions(self, rows: Ints, probabilities: Floats) -> DataFrame:
        """A table as --evaluation reads it: each label of each image."""
        refs = [self.refs[row] for row in rows for _ in self.names]
        return DataFrame(
            {
                "source_ref": refs,
                "label": self.names * len(rows),
                "confidence": probabilities.round(6).ravel(),
            }
        )

    def similar_labels(self, share: float, random: np.random.Generator) -> Ints:
        """The classes, a share of them replaced by that of the most similar image of another class."""
        classes = self.classes.copy()
        chosen = random.choice(len(classes), round(share * len(classes)), replace=False)
        cosines = self.features[chosen] @ self.features.T
        cosines[self.classes[chosen][:, None] == self.classes] = -1
        classes[chosen] = self.classes[cosines.argmax(1)]
        return classes


def held_out(images: Labeled, is_left_out: NDArray[np.bool_] | None = None) -> Floats:
    """The probabilities for each image by a model of the other four fifths, (images, classes).

    Args:
        images: The images. Those without a label are predicted, but no model is trained on them.
        is_left_out: Which other images no model is trained on, (images,).
    """
    is_used = images.classes >= 0 if is_left_out is None else (images.classes >= 0) & ~is_left_out
    folds = np.array([fold_of(ref) for ref in images.refs])
    found = np.empty((len(folds), len(images.names)))
    for fold in range(FOLDS):
        is_in = folds == fold
        trained = is_used & ~is_in
        model = classifier(images.features[trained], images.classes[trained], len(images.names))
        found[is_in] = model.probabilities(images.features[is_in])
    return found


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
