"""The data set and its evaluation as charts: numbers that the template draws, each with its table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from polars import DataFrame, col

from groundlint.distributions import Bin, Distributions
from groundlint.phrases import number_of
from groundlint.portrait import LabelPart, Portrait
from groundlint.report.portrait import percent
from groundlint.report.trade_offs import HEADER, worst_labels
from groundlint.sanitize import visible

_MAX_LABELS = 25
"""Labels in a chart; the others are counted."""

_MAX_CURVES = 12
"""Labels whose trade-off is drawn; the others are counted."""

_EXPOSURE = "The brightest level of an image, without the brightest 0.5% of its pixels"

PLOT = 100
"""Side of the square in which precision and recall are drawn."""


class Bar(NamedTuple):
    """A row of a chart: its name, cells with numbers, and the parts of its bar as start and length, 0 to 100."""

    name: str
    cells: list[str]
    parts: list[tuple[float, float]]


class Bars(NamedTuple):
    """A table with a bar in each row. `series` are the names of the parts of the bars, if there are several."""

    title: str
    header: list[str]
    rows: list[Bar]
    series: list[str]
    remark: str = ""


class Grid(NamedTuple):
    """Counts by row and column, with the opacity with which each is drawn."""

    title: str
    cells: list[list[tuple[int, float]]]
    remark: str = ""


class Point(NamedTuple):
    """A threshold of a label; `x` and `y` are recall and precision in the units of `PLOT`, from the top left."""

    x: float
    y: float
    kind: str
    title: str


class Curve(NamedTuple):
    """The thresholds of a label: a line and its points, and the same as a table."""

    label: str
    manifest: str
    images: str
    line: str
    points: list[Point]
    header: Sequence[str]
    rows: list[tuple[str, ...]]
    advice: str


def charts(portrait: Portrait, counts: Distributions) -> list[Bars | Grid]:
    """The charts of a data set; those for which nothing is known are left out."""
    found: list[Bars | Grid | None] = [
        *_labels(portrait),
        _splits(portrait),
        _bins("Box sizes", "shorter side (px)", "boxes", counts.short_sides),
        _positions(counts.positions),
        _image_sizes(counts),
        _bins("Exposure", "level (0 to 255)", "images", counts.bright_levels, _EXPOSURE),
    ]
    return [chart for chart in found if chart]


def curves(evaluation: DataFrame) -> tuple[list[Curve], int]:
    """The labels with the lowest F1, and the number of the others."""
    labels = list(worst_labels(evaluation))
    found = []
    for each in labels[:_MAX_CURVES]:
        of_label = evaluation.filter(col("manifest") == each.manifest, col("label") == each.label).sort("threshold")
        rows = of_label.drop_nulls(["precision", "recall"]).to_dicts()
        points = [
            Point(
                round(PLOT * row["recall"], 2),
                round(PLOT * (1 - row["precision"]), 2),
                row["point"],
                f"threshold {_number(row['threshold'])}: precision {_number(row['precision'])}, "
                f"recall {_number(row['recall'])}",
            )
            for row in rows
        ]
        line = " ".join(f"{point.x},{point.y}" for point in points)
        images = number_of(each.images, "image")
        advice = "; ".join(_advice(rows))
        found.append(Curve(_text(each.label), _text(each.manifest), images, line, points, HEADER, each.rows, advice))
    return found, len(labels) - len(found)


def _advice(rows: Sequence[dict[str, object]]) -> Iterator[str]:
    words = {
        "assumed": "assumed threshold {}",
        "precision": "raising it to {} pays",
        "recall": "lowering it to {} pays",
    }
    for point, text in words.items():
        yield from (text.format(_number(row["threshold"])) for row in rows if row["point"] == point)


def _number(value: object) -> str:
    return "-" if value is None else f"{value:.2f}"


def _text(text: str) -> str:
    return visible(text, limit=200)


def _labels(portrait: Portrait) -> Iterator[Bars | None]:
    for part in portrait.use_cases:
        labels = [label for label in portrait.labels if label.use_case == part.use_case]
        title = "Labels of boxes" if part.use_case == "detection" else "Image-level labels"
        yield _of_labels(title, labels, [split.split for split in portrait.splits])


def _of_labels(title: str, labels: Sequence[LabelPart], splits: Sequence[str]) -> Bars | None:
    if not labels:
        return None
    has_boxes = labels[0].boxes is not None
    header = ["label", "images", *(["boxes"] if has_boxes else []), *(splits if len(splits) > 1 else [])]
    most = max(sum(label.images_by_split.values()) for label in labels) or 1
    rows = []
    for label in labels[:_MAX_LABELS]:
        by_split = [label.images_by_split.get(split, 0) for split in splits]
        cells = [f"{label.images:,}", *([f"{label.boxes:,}"] if has_boxes else [])]
        cells += [f"{count:,}" for count in by_split] if len(splits) > 1 else []
        rows.append(Bar(_text(label.label), cells, _stacked(by_split, most)))
    rest = labels[_MAX_LABELS:]
    remark = (
        f"{number_of(len(rest), 'more label')}, each on at most {number_of(rest[0].images, 'image')}" if rest else ""
    )
    return Bars(title, header, rows, list(splits) if len(splits) > 1 else [], remark)


def _stacked(counts: Sequence[int], most: int) -> list[tuple[float, float]]:
    parts, start = [], 0.0
    for count in counts:
        length = round(100 * count / most, 2)
        parts.append((round(start, 2), length))
        start += length
    return parts


def _splits(portrait: Portrait) -> Bars | None:
    if len(portrait.splits) < 2:
        return None
    most = max(part.images for part in portrait.splits) or 1
    rows = [
        Bar(part.split, [f"{part.images:,}", f"{part.labels:,}", f"{part.boxes:,}"], _stacked([part.images], most))
        for part in portrait.splits
    ]
    return Bars("Splits", ["split", "images", "labels", "boxes"], rows, [])


def _bins(title: str, unit: str, what: str, bins: Sequence[Bin], remark: str = "") -> Bars | None:
    if not bins:
        return None
    most, total = max(each.size for each in bins), sum(each.size for each in bins)
    rows = [
        Bar(_range(each), [f"{each.size:,}", percent(each.size / total)], _stacked([each.size], most)) for each in bins
    ]
    return Bars(title, [unit, what, "share"], rows, [], remark)


def _range(each: Bin) -> str:
    if each.low is None:
        return f"below {each.high}"
    return f"{each.low} and more" if each.high is None else f"{each.low} to {each.high - 1}"


def _positions(positions: Sequence[Sequence[int]]) -> Grid | None:
    if not positions:
        return None
    most = max(max(row) for row in positions) or 1
    cells = [[(count, round((count / most) ** 0.5, 3)) for count in row] for row in positions]
    return Grid("Box positions", cells, "Number of boxes by the place of their center in the image.")


def _image_sizes(counts: Distributions) -> Bars | None:
    if not counts.image_sizes:
        return None
    total = sum(size.images for size in counts.image_sizes) + counts.other_sizes
    named = [(f"{size.width:,} x {size.height:,}", size.images) for size in counts.image_sizes]
    named += [("other sizes", counts.other_sizes)] if counts.other_sizes else []
    most = max(images for _, images in named)
    rows = [Bar(name, [f"{images:,}", percent(images / total)], _stacked([images], most)) for name, images in named]
    return Bars("Image sizes", ["size (px)", "images", "share"], rows, [])
