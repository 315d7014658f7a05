"""Follow the advice of `--evaluation` on a detector of raccoons, and measure what it changes.

    python benchmarks/advice_for_boxes.py ../shared/data

The images are divided at random: 60% to train, and 40% for the figures, on which nothing is chosen. Of those to train,
none or 20% lose their boxes. Every image to train is predicted by a model of the other four fifths of them, and these
predictions are evaluated. Where `prediction-without-box` names the place of a box that is missing, the box is drawn;
the model is trained again, until nothing more is found (5 rounds at most). As a control, all boxes are drawn. The
advised threshold is used on the first model. Figures are means over 5 divisions, at the threshold with the highest F1
on the images to train.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from followed_advice import Advice, Row, advice, divisions, metrics, precision_and_recall, print_steps
from measured import Measured
from polars import DataFrame
from trained_models import FOLDS, Box, Detector, Windows, fold_of, overlap, windows

DIVISIONS, ROUNDS, TRAINED = 5, 5, 0.6
FIGURES = ("precision", "recall", "f1")
LABEL = "raccoon"

NEAR = 0.1
"""IoU of a prediction with a missing box from which a person who looks at the place draws the box."""

Line = Mapping[str, Any]


class Boxed:
    """A set with boxes of one label: manifest lines and the windows of their images."""

    def __init__(self, data: Path, name: str, cache: Path) -> None:
        texts = (data / name / "output.manifest").read_text(encoding="utf-8").splitlines()
        self.data, self.cache = data, cache
        self.lines: dict[str, Line] = {line["source-ref"]: line for line in map(json.loads, texts)}
        self.windows: dict[str, Windows] = {
            ref: windows(data / ref.removeprefix("s3://datasets/")) for ref in self.lines
        }

    def detector(self, lines: Sequence[Line]) -> Detector:
        """A detector trained on images."""
        return Detector(((self.windows[line["source-ref"]], boxes_of(line)) for line in lines), [LABEL])

    def predicted(self, detector: Detector, lines: Sequence[Line]) -> DataFrame:
        """A table as --evaluation reads it."""
        rows = []
        for line in lines:
            for box in detector(self.windows[line["source-ref"]]):
                left, top, right, bottom = box.edges
                place = {"left": left, "top": top, "width": right - left, "height": bottom - top}
                rows.append({"source_ref": line["source-ref"], "label": box.label, "confidence": box.confidence})
                rows[-1] |= {side: round(number, 1) for side, number in place.items()}
        return DataFrame(rows)

    def evaluated(self, lines: Sequence[Line]) -> Advice:
        """What is said of the predictions on each image by a model of the others."""
        folds = [[line for line in lines if fold_of(line["source-ref"]) == fold] for fold in range(FOLDS)]
        predicted = []
        for fold in folds:
            others = [line for line in lines if line not in fold]
            predicted.append(self.predicted(self.detector(others), fold))
        return advice(self.data, self.cache, lines, pl.concat(predicted))


def boxes_of(line: Line) -> list[Box]:
    """The boxes of a line."""
    return [
        Box(LABEL, (each["left"], each["top"], each["left"] + each["width"], each["top"] + each["height"]))
        for each in line["bounding-box"]["annotations"]
    ]


def without(line: Line) -> Line:
    """A line without its boxes."""
    described = line["bounding-box-metadata"] | {"objects": []}
    return {**line, "bounding-box": line["bounding-box"] | {"annotations": []}, "bounding-box-metadata": described}


def places(said: Advice) -> Iterator[tuple[str, tuple[float, float, float, float]]]:
    """Where a prediction is reported: the image, and the edges in px."""
    for finding in said.findings:
        if finding["code"] == "EVA302":
            found = re.search(r"left (\d+), top (\d+), width (\d+), height (\d+) px", finding["message"])
            assert found
            left, top, width, height = map(int, found.groups())
            yield finding["source_ref"], (left, top, left + width, top + height)


def followed(images: Boxed, missing: float, seed: int) -> Iterator[Row]:
    """Follow the advice once: a row of figures for each step."""
    random = np.random.default_rng(seed)
    refs = random.permutation(sorted(images.lines)).tolist()
    count = round(TRAINED * len(refs))
    trained, fresh = refs[:count], [images.lines[ref] for ref in refs[count:]]
    emptied = set(trained[: round(missing * count)])
    planted = len(emptied)

    def lines() -> list[Line]:
        return [without(images.lines[ref]) if ref in emptied else images.lines[ref] for ref in sorted(trained)]

    def measured(step: str, predicted: DataFrame, at: dict[str, float], **others: Any) -> Row:
        (row,) = metrics(fresh, predicted, at).select(FIGURES).rows(named=True)
        return {"step": step, **row, **others}

    def trained_again() -> tuple[Advice, DataFrame]:
        return images.evaluated(lines()), images.predicted(images.detector(lines()), fresh)

    said, predicted = trained_again()
    yield measured("as it is", predicted, said.assumed(), threshold=said.assumed()[LABEL])
    if advised := said.advised():
        (code,) = (each["code"] for each in said.findings if each["code"] in ("EVA201", "EVA202"))
        step = "threshold raised" if code == "EVA201" else "threshold lowered"
        yield measured(step, predicted, advised, threshold=advised[LABEL])
    shown, right = set(), 0
    for _ in range(ROUNDS):
        found = set()
        for ref, edges in places(said):
            shown.add((ref, edges))
            real = np.array([box.edges for box in boxes_of(images.lines[ref])])
            if ref in emptied and overlap(np.array([edges], np.float64), real).max() >= NEAR:
                found.add(ref)
        if not found:
            break
        emptied -= found
        right += len(found)
        said, predicted = trained_again()
    if missing:
        about = {"drawn": right, "missing": planted, "shown": len(shown)}
        yield measured("boxes drawn", predicted, said.assumed(), threshold=said.assumed()[LABEL], **about)
        emptied.clear()
        said, predicted = trained_again()
        yield measured("all boxes drawn", predicted, said.assumed(), threshold=said.assumed()[LABEL])


def figures(data: Path) -> Iterator[Measured]:
    """Boxes that are missing among the places that prediction-without-box names."""
    with tempfile.TemporaryDirectory() as cache:
        images = Boxed(data, LABEL, Path(cache))
        said = images.evaluated([images.lines[ref] for ref in sorted(images.lines)])
        yield Measured("EVA302", LABEL, "places reported in the set as published", f"{len(list(places(said)))}")
        rows = divisions(followed, images, 0.2, DIVISIONS)
        yield Measured(
            "EVA302",
            "raccoon, 20% of the images without their boxes",
            "missing boxes among the places reported, until none is",
            precision_and_recall(rows, "boxes drawn", right="drawn", planted="missing", what="reported"),
        )


def steps(data: Path, cache: Path) -> Iterator[tuple[str, list[Row]]]:
    """The steps with all boxes, and where a fifth of the images lose theirs."""
    images = Boxed(data, LABEL, cache)
    for missing in (0.0, 0.2):
        yield f"{missing:.0%} of the images without their boxes", divisions(followed, images, missing, DIVISIONS)


if __name__ == "__main__":
    print_steps(__doc__, steps)
